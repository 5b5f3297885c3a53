"""`tocsin keys vapid`: rotated, taken over, retired; and who is left with which key."""

from pathlib import Path

from cli_run import Commands

from samples import a_subscription
from tocsin.domain.preferences import Preferences
from tocsin.push.vapid import ApplicationServer
from tocsin.push.vapid_files import changing
from tocsin.store.store import Store

SUBJECT = "mailto:alerts@example.com"
FILE = Path("data/vapid.pem")


async def subscribe(store: Store, name: str) -> None:
    key = ApplicationServer.load(FILE, SUBJECT)
    await store.subscriptions.add(a_subscription(name), Preferences(), key.key_id, 1, 0)


async def test_a_rotation_and_its_end(tocsin: Commands, store: Store) -> None:
    old = (await tocsin("keys", "vapid", "show")).out.strip()
    await subscribe(store, "one")

    ran = await tocsin("keys", "vapid", "rotate")
    assert (ran.code, ran.err) == (0, "")
    assert "Copy data/vapid.pem and data/vapid-older/ to" in ran.out
    await subscribe(store, "two")
    await subscribe(store, "three")

    new = (await tocsin("keys", "vapid", "show")).out.strip()
    assert new in ran.out
    listed = (await tocsin("keys", "vapid", "list", "--json")).json["keys"]
    assert [(row["state"], row["subscriptions"], row["public_key"]) for row in listed] == [
        ("present", 2, new),
        ("older", 1, old),
    ]
    assert old in (await tocsin("keys", "vapid", "list")).out
    doctor = (await tocsin("doctor")).out
    assert f"the older {listed[1]['id']} is in force for 1 browsers" in doctor

    refused = await tocsin("keys", "vapid", "retire", listed[1]["id"])
    assert (refused.code, "1 browsers" in refused.err) == (1, True)
    assert (await tocsin("keys", "vapid", "retire", listed[0]["id"])).code == 1
    assert (await tocsin("keys", "vapid", "retire", "xyz")).code == 2
    assert (await tocsin("keys", "vapid", "retire", listed[1]["id"], "--force")).code == 0

    listed = (await tocsin("keys", "vapid", "list", "--json")).json["keys"]
    assert [(row["state"], row["subscriptions"]) for row in listed] == [("present", 2), ("missing", 1)]
    assert "1 browsers subscribed with keys that are not here" in (await tocsin("doctor")).out


async def test_another_providers_key_comes_first_and_ours_stays(tocsin: Commands, store: Store, tmp_path: Path) -> None:
    theirs = ApplicationServer.load_or_make(tmp_path / "theirs.pem", SUBJECT)
    ours = (await tocsin("keys", "vapid", "show")).out.strip()
    await subscribe(store, "one")

    ran = await tocsin("keys", "vapid", "import", "theirs.pem")
    assert (ran.code, "data/vapid.pem and data/vapid-older/" in ran.out) == (0, True)

    assert (await tocsin("keys", "vapid", "show")).out.strip() == theirs.public_key
    listed = (await tocsin("keys", "vapid", "list", "--json")).json["keys"]
    assert [(row["state"], row["public_key"]) for row in listed] == [("present", theirs.public_key), ("older", ours)]
    assert await store.identity.agrees(theirs.key_id)
    assert (await tocsin("keys", "vapid", "import", "nowhere.pem")).code == 1


async def test_before_a_first_start_the_other_providers_key_is_the_only_one(tocsin: Commands, tmp_path: Path) -> None:
    theirs = ApplicationServer.load_or_make(tmp_path / "theirs.pem", SUBJECT)

    ran = await tocsin("keys", "vapid", "import", "theirs.pem")

    assert (ran.code, "older" in ran.out) == (0, False)
    (key,) = (await tocsin("keys", "vapid", "list", "--json")).json["keys"]
    assert (key["state"], key["public_key"]) == ("present", theirs.public_key)


async def test_a_machine_that_was_not_told_of_a_rotation_makes_none_of_its_own(tocsin: Commands, store: Store) -> None:
    await tocsin("keys", "vapid", "show")
    await store.identity.adopt(b"else")

    ran = await tocsin("keys", "vapid", "rotate")

    assert (ran.code, "rotated on another machine" in ran.err) == (1, True)
    assert not FILE.with_name("vapid-older").exists()


async def test_of_two_rotations_at_once_one_is_refused(tocsin: Commands, store: Store) -> None:
    """Both would put the same key among the older ones, and the first one's new key would be nowhere."""
    await tocsin("keys", "vapid", "show")
    before = FILE.read_bytes()
    with changing(FILE):
        for words in (("rotate",), ("import", str(FILE)), ("retire", "00000000")):
            refused = await tocsin("keys", "vapid", *words)
            assert (refused.code, "another command" in refused.err) == (1, True), words

    assert FILE.read_bytes() == before
    assert (await tocsin("keys", "vapid", "rotate")).code == 0


async def test_a_look_changes_nothing(tocsin: Commands, store: Store) -> None:
    """Whoever looks from a wrong folder must not make its key the one that counts."""
    await tocsin("keys", "vapid", "show")
    before = sorted([key async for key in store.server.redis.scan_iter()])

    await tocsin("doctor")

    assert sorted([key async for key in store.server.redis.scan_iter()]) == before
    assert await store.identity.agrees(b"any1")
    assert await store.identity.claim(b"one1")
    assert not await store.identity.agrees(b"any1")
    assert await store.identity.agrees(b"two2", b"one1")
    assert await store.identity.claim(b"two2", b"one1")  # rotated while the store was away
    assert not await store.identity.agrees(b"one1")
