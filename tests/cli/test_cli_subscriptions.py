"""`tocsin subscriptions`: nothing is half taken over, nothing is lost on the way out, who is erased is gone."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cli_run import Commands, Ran

from samples import POINT, base64url
from tocsin.domain.subscriptions import Address, parse_public_id
from tocsin.store.store import Store

KEYS = {"p256dh": base64url(POINT), "auth": base64url(bytes(16))}
ALL = {
    "topics": ["sport"],
    "muted_stories": ["aleppo"],
    "quiet_hours": {"start": "22:00", "end": "07:00"},
    "daily_cap": {"count": 3},
    "time_zone": "Europe/London",
    "snoozed_until": "2020-01-01T00:00:00Z",
}
NONE_ELSE = {"known": 0, "differing": 0, "erased": 0, "topics_left_out": {}}


def bare(name: str, **more: Any) -> dict[str, Any]:
    """As other libraries have it."""
    return {"endpoint": f"https://fcm.googleapis.com/fcm/send/{name}", "keys": KEYS, **more}


def whole(name: str, **more: Any) -> dict[str, Any]:
    return {"subscription": {**bare(name), "expirationTime": None}, **more}


async def take(tocsin: Commands, *rows: Any, words: tuple[str, ...] = ()) -> Ran:
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    Path("dump.jsonl").write_text(text + "\n\n")
    await tocsin("keys", "vapid", "show")
    return await tocsin("subscriptions", "import", "dump.jsonl", "--json", *words)


async def exported(tocsin: Commands) -> list[dict[str, Any]]:
    ran = await tocsin("subscriptions", "export")
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert (ran.code, ran.err) == (0, f"{len(rows)} subscriptions written\n")
    return sorted(rows, key=lambda row: str(row["subscription"]["endpoint"]))


async def test_what_is_taken_over_comes_out_again_and_goes_in_again(tocsin: Commands, store: Store) -> None:
    consent = {"text_version": "1", "given_at": "2026-01-01T00:00:00Z"}
    rows = [bare("a"), bare("b", expirationTime=None), whole("c", preferences=ALL, consent=consent)]
    rows[2]["created_at"] = "2025-05-01T12:00:00Z"

    ran = await take(tocsin, *rows)

    assert (ran.code, ran.json) == (0, {"imported": 3, **NONE_ELSE})
    assert (await take(tocsin, *rows, rows[0])).json == {**NONE_ELSE, "imported": 0, "known": 4}
    assert (await take(tocsin, bare("a", keys={**KEYS, "auth": base64url(b"x" * 16)}))).json["differing"] == 1
    out = await exported(tocsin)
    assert [row["subscription"]["endpoint"][-1] for row in out] == ["a", "b", "c"]
    assert out[0]["preferences"]["topics"] == ["world"]
    assert (out[2]["created_at"], out[2]["consent"]) == ("2025-05-01T12:00:00Z", consent)
    assert {name: out[2]["preferences"][name] for name in ("topics", "muted_stories", "time_zone")} == {
        "topics": ["sport"],
        "muted_stories": ["aleppo"],
        "time_zone": "Europe/London",
    }

    await store.server.redis.delete(*[key async for key in store.server.redis.scan_iter(match="*fcm*")])
    await store.server.redis.delete(*[key async for key in store.server.redis.scan_iter(match="index:*")])
    assert (await take(tocsin, *out)).json["imported"] == 3
    assert await exported(tocsin) == out


WRONG = {
    "no JSON": ("{", "line 2: is not JSON"),
    "no object": ("[]", "line 2: is not a JSON object"),
    "nothing": ("{}", "line 2: subscription"),
    "another's host": (bare("b") | {"endpoint": "https://evil.example/x"}, "line 2: subscription.endpoint"),
    "no key": (bare("b", keys={"auth": KEYS["auth"]}), "line 2: subscription.keys.p256dh"),
    "a bad key": (bare("b", keys={**KEYS, "p256dh": "AAAA"}), "line 2: subscription.keys.p256dh"),
    "unknown topic": (whole("b", preferences={"topics": ["nowhere"]}), "line 2: preferences.topics[0]"),
    "unknown field": (bare("b", user="me"), "line 2: user"),
    "no such key": (whole("b", vapid_key_id="00000000"), "line 2: vapid_key_id"),
    "another's id": (whole("b", id="A" * 22), "line 2: id"),
    "no moment": (whole("b", created_at="2026-01-01"), "line 2: created_at"),
    "a moment to come": (whole("b", created_at="9999-12-31T23:59:59Z"), "line 2: created_at"),
    "a consent to come": (
        whole("b", consent={"text_version": "1", "given_at": "2200-01-01T00:00:00Z"}),
        "line 2: consent.given_at",
    ),
    "nested deep": ('{"endpoint": ' + "[" * 900 + "]" * 900 + "}", "line 2: is not JSON"),
    "half a character": (json.dumps(whole("b", id="\ud800")), "line 2: is not JSON"),
    "without end": ("x" * 70_000, "line 2"),
}


@pytest.mark.parametrize(("row", "told"), WRONG.values(), ids=WRONG)
async def test_one_bad_line_keeps_all_out(tocsin: Commands, store: Store, row: Any, told: str) -> None:
    ran = await take(tocsin, bare("a"), row)

    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert await store.numbers.counts() == {}
    assert KEYS["auth"] not in ran.err


async def test_the_other_providers_key_goes_with_them(tocsin: Commands, store: Store) -> None:
    await tocsin("keys", "vapid", "show")
    await tocsin("keys", "vapid", "rotate")
    present, older = [row["id"] for row in (await tocsin("keys", "vapid", "list", "--json")).json["keys"]]
    assert (await take(tocsin, bare("a"), words=("--key", older))).code == 0
    assert (await take(tocsin, bare("b"))).code == 0
    assert [row["vapid_key_id"] for row in await exported(tocsin)] == [older, present]
    assert (await take(tocsin, bare("c"), words=("--key", "zz"))).code == 2


async def test_an_export_is_its_owners_alone(tocsin: Commands) -> None:
    await take(tocsin, bare("a"))
    ran = await tocsin("subscriptions", "export", "all.jsonl")
    assert (ran.code, ran.out, ran.err) == (0, "", "1 subscriptions written to all.jsonl\n")
    assert Path("all.jsonl").stat().st_mode & 0o777 == 0o600
    assert len(Path("all.jsonl").read_text().splitlines()) == 1
    refused = await tocsin("subscriptions", "export", "all.jsonl")
    assert (refused.code, "File exists" in refused.err) == (1, True)
    nowhere = {"TOCSIN_STORE_URL": "redis://127.0.0.1:1/0"}
    assert (await tocsin("subscriptions", "export", "more.jsonl", environment=nowhere)).code == 1
    assert not Path("more.jsonl").exists(), "a part of an export might be taken for the whole"


async def test_an_export_tells_who_is_not_in_it(tocsin: Commands, store: Store) -> None:
    """A storm of them is often a push service's mistake, and whoever moves meanwhile would leave them behind."""
    await take(tocsin, bare("a"), bare("b"))
    ((slot, packed), _) = (await store.subscriptions.records("fcm.0")).items()
    assert await store.quarantine.add(Address.of("fcm.0", slot), packed, 1)

    ran = await tocsin("subscriptions", "export")

    assert ran.err == "1 subscriptions written; 1 whom their push service called gone are not in it\n"


async def test_a_topic_that_is_gone_is_left_out_by_name(tocsin: Commands, store: Store) -> None:
    """Readers keep a topic that was removed, so a site's own export has it. One that is yet to be made looks the same,
    and readers would lose it for good."""
    rows = [
        whole("a", preferences={"topics": ["old", "sport"], "topic_levels": {"old": "flash", "sport": "breaking"}}),
        whole("b", preferences={"topics": ["old"]}),
        whole("c", preferences={"topics": ["sport"]}),
        whole("d", preferences={"topics": ["world", "older"]}),
    ]

    refused = await take(tocsin, *rows)

    assert refused.code == 2
    assert refused.err.count("'old'") == 2  # in a list of topics, and among levels: with the first line, and how many
    assert "line 1: preferences.topics[0]: there is no topic 'old'" in refused.err
    assert "(so 2 times)" in refused.err
    assert "'older'" in refused.err
    assert "--without-topic" in refused.err
    assert await store.numbers.counts() == {}

    words = ("--without-topic", "old", "--without-topic", "older")
    taken = await take(tocsin, *rows, words=words)

    assert (taken.code, taken.json) == (0, {**NONE_ELSE, "imported": 4, "topics_left_out": {"old": 2, "older": 1}})
    out = [row["preferences"] for row in await exported(tocsin)]
    assert [each["topics"] for each in out] == [["sport"], [], ["sport"], ["world"]]
    assert out[0]["topic_levels"] == {"sport": "breaking"}
    again = await take(tocsin, *rows, words=words)
    assert again.json["topics_left_out"] == {"old": 0, "older": 0}


async def test_who_is_erased_is_gone(tocsin: Commands, store: Store) -> None:
    await take(tocsin, bare("a"), bare("b"), bare("c"))
    one, two, three = [row["id"] for row in await exported(tocsin)]
    gone = await store.subscriptions.get(parse_public_id(two) or b"")
    assert gone
    await store.quarantine.add(gone.address, gone.packed, 1)

    ran = await tocsin("subscriptions", "erase", one, two, "--json")

    assert (ran.code, ran.json) == (0, {"erased": [one, two], "unknown": []})
    assert [row["id"] for row in await exported(tocsin)] == [three]
    again = await tocsin("subscriptions", "erase", one, three)
    assert (again.code, one in again.err, three in again.err) == (1, True, False)
    assert (await tocsin("subscriptions", "erase", "nobody")).code == 2
    counted = (await tocsin("subscriptions", "count", "--json")).json
    assert counted == {"total": 0, "by_push_service": {"fcm": 0}, "quarantined": {"fcm": 0}}


async def test_an_old_dump_does_not_bring_back_who_was_erased(tocsin: Commands, store: Store) -> None:
    await take(tocsin, bare("a"), bare("b"))
    dump = await exported(tocsin)
    assert (await tocsin("subscriptions", "erase", dump[0]["id"])).code == 0

    ran = await take(tocsin, *dump, bare("c"))

    assert ran.json == {**NONE_ELSE, "imported": 1, "known": 1, "erased": 1}
    assert "1 erased on request and left out" in (await tocsin("subscriptions", "import", "dump.jsonl")).out
    assert dump[0]["id"] not in [row["id"] for row in await exported(tocsin)]


async def test_they_are_counted(tocsin: Commands) -> None:
    await take(tocsin, *(bare(str(number)) for number in range(120)))
    assert (await tocsin("subscriptions", "count", "--json")).json["by_push_service"] == {"fcm": 120}
    assert "120" in (await tocsin("subscriptions", "count")).out


async def test_who_was_called_gone_keeps_what_they_chose(tocsin: Commands, store: Store) -> None:
    """An old dump is no word from a browser: it neither brings one back nor undoes what it muted since."""
    assert (await take(tocsin, whole("a", preferences=ALL))).code == 0
    ((slot, packed),) = (await store.subscriptions.records("fcm.0")).items()
    address = Address.of("fcm.0", slot)
    assert await store.quarantine.add(address, packed, 1)

    assert (await take(tocsin, bare("a"))).json == {**NONE_ELSE, "imported": 0, "known": 1}

    assert await store.quarantine.restore(address)
    (row,) = await exported(tocsin)
    assert (row["preferences"]["topics"], row["preferences"]["muted_stories"]) == (["sport"], ["aleppo"])


async def test_what_can_be_read_once_is_refused(tocsin: Commands, store: Store, tmp_path: Path) -> None:
    """All lines are read before any is kept, and a pipe is empty then."""
    await tocsin("keys", "vapid", "show")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    ran = await tocsin("subscriptions", "import", str(pipe))

    assert (ran.code, "FILE" in ran.err) == (2, True)
    assert await store.numbers.counts() == {}
