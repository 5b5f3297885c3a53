"""`tocsin alert`, `tocsin topics` and `tocsin keys` against a real store."""

from pathlib import Path

import pytest
from cli_run import Commands

from tocsin.domain.roles import Role
from tocsin.store.store import Store

LINK = "https://news.example.com/aleppo"
SEND = ("alert", "send", "--url", LINK, "--topic", "world", "--level", "breaking")
ODD = "[/b] :bell: [red]5 > 3[/] 👨‍👩‍👧"


async def test_an_alert_is_sent_listed_shown_and_stopped(tocsin: Commands, store: Store) -> None:
    sent = await tocsin(*SEND, "--headline", "Aid convoy reaches Aleppo", "--topic", "politics", "--json")

    assert sent.code == 0
    alert = sent.json
    assert (alert["headline"], alert["topics"], alert["state"]) == (
        "Aid convoy reaches Aleppo",
        ["world", "politics"],
        "sending",
    )
    assert await store.alerts.open_ids() == [alert["id"]]
    assert "any_link_host" in sent.err
    assert [one["id"] for one in (await tocsin("alert", "list", "--json")).json] == [alert["id"]]
    shown = await tocsin("alert", "show", alert["id"], "--json")
    assert shown.json == alert
    stopped = await tocsin("alert", "stop", alert["id"], "--json")
    assert (stopped.code, stopped.json["state"]) == (0, "stopped")


async def test_an_alert_is_corrected_and_retracted(tocsin: Commands) -> None:
    sent = (await tocsin(*SEND, "--headline", "Aid convoy reaches Aleppo", "--story", "aleppo", "--json")).json

    corrected = await tocsin("alert", "correct", sent["id"], "--headline", "Aid convoy turned back", "--json")
    retracted = await tocsin("alert", "retract", sent["id"], "--reason", "There was no convoy.", "--json")
    too_late = await tocsin("alert", "correct", sent["id"], "--headline", "Once more")

    assert (corrected.code, corrected.json["kind"], corrected.json["corrects"]) == (0, "correction", sent["id"])
    assert (corrected.json["story"], corrected.json["url"]) == ("aleppo", LINK)
    assert (retracted.code, retracted.json["headline"]) == (0, "Retracted: Aid convoy turned back")
    assert too_late.code == 1
    assert "was retracted" in too_late.err


async def test_an_alert_waits_for_its_time(tocsin: Commands) -> None:
    scheduled = await tocsin(*SEND, "--headline", "x", "--send-at", "2999-01-01T00:00:00Z")
    nonsense = await tocsin(*SEND, "--headline", "x", "--send-at", "tomorrow")

    assert (scheduled.code, nonsense.code) == (2, 2)
    assert "send_at: is more than 30 days ahead" in scheduled.err
    assert "send_at" in nonsense.err


async def test_people_read_the_words_as_they_are(tocsin: Commands) -> None:
    sent = await tocsin(*SEND, "--headline", ODD)
    alert_id = sent.out.split()[0]

    for ran in (sent, await tocsin("alert", "list"), await tocsin("alert", "show", alert_id)):
        assert ran.code == 0
        assert alert_id in ran.out
        assert ODD in ran.out


async def test_zeros_are_told_when_they_are_counted(tocsin: Commands) -> None:
    sent = await tocsin(*SEND, "--headline", "x")
    alert_id = sent.out.split()[0]

    assert f"not counted yet; follow it with: tocsin alert show {alert_id}" in sent.out
    assert "eligible" not in sent.out
    assert "eligible 0" in (await tocsin("alert", "stop", alert_id)).out


async def test_one_key_makes_one_alert_whatever_changed_since(tocsin: Commands, store: Store) -> None:
    words = (*SEND, "--headline", "x", "--key", "one-and-the-same-key", "--json")
    first = await tocsin(*words)
    await store.topics.replace([topic for topic in await store.topics.all() if topic.id != "world"])

    again = await tocsin(*words)
    other = await tocsin(*SEND, "--headline", "y", "--key", "one-and-the-same-key")

    assert (again.code, again.json["id"]) == (0, first.json["id"])
    assert (other.code, await store.alerts.count()) == (2, 1)
    assert "Idempotency-Key" in other.err


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("--headline", ""), "headline"),
        (("--headline", "a\u202eb"), "headline"),
        (("--headline", "x", "--url", "javascript:alert(1)"), "url"),
        (("--headline", "x", "--topic", "nowhere"), "topics[1]"),
        (("--headline", "x", "--topic", "Nowhere!"), "topics[1]"),
        (("--headline", "x", "--body", "b" * 301), "body"),
    ],
)
async def test_a_draft_that_cannot_be_sent_is_2_and_says_why(
    tocsin: Commands, store: Store, words: tuple[str, ...], field: str
) -> None:
    ran = await tocsin(*SEND, *words)

    assert (ran.code, ran.out, await store.alerts.count()) == (2, "", 0)
    assert f"{field}: " in ran.err


async def test_an_alert_that_is_not_there_is_1(tocsin: Commands) -> None:
    for words in (("alert", "show", "x"), ("alert", "stop", "x"), ("keys", "api", "delete", "x")):
        ran = await tocsin(*words)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("tocsin: there is no such ")


async def test_topics_come_from_a_file(tocsin: Commands, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "topics.toml"
    file.write_text(
        '[[topics]]\nid = "world"\nname = "World [news]"\ndefault = true\n'
        '[[topics]]\nid = "sport"\nname = "Sport"\ndescription = "Scores"\n'
    )

    applied = await tocsin("topics", "apply", str(file))
    listed = await tocsin("topics", "list", "--json")
    table = await tocsin("topics", "list")

    assert (applied.code, applied.out) == (0, "2 topics are in force\n")
    assert [(one["id"], one["name"], one["default"]) for one in listed.json] == [
        ("world", "World [news]", True),
        ("sport", "Sport", False),
    ]
    assert "World [news]" in table.out
    assert [topic.id for topic in await store.topics.all()] == ["world", "sport"]


async def test_one_sites_topics_are_anothers(tocsin: Commands, store: Store, tmp_path: Path) -> None:
    before = await store.topics.all()
    (tmp_path / "topics.json").write_text((await tocsin("topics", "list", "--json")).out)
    await store.topics.replace(before[:1])

    assert (await tocsin("topics", "apply", "topics.json")).code == 0

    assert await store.topics.all() == before
    (tmp_path / "topics.json").write_text("{")
    refused = await tocsin("topics", "apply", "topics.json")
    assert (refused.code, "is not JSON" in refused.err) == (2, True)


BAD_FILES = {
    "no TOML": ("[[topics", "TOML"),
    "not UTF-8": (b"\xff", "TOML"),
    "empty": ("", "topics"),
    "no topics": ("topics = []", "topics"),
    "a misspelling": ('[[topics]]\nid = "world"\nname = "World"\ndefualt = true', "defualt"),
    "no name": ('[[topics]]\nid = "world"', "topics[0].name"),
    "a bad id": ('[[topics]]\nid = "World News"\nname = "World"', "topics[0].id"),
    "an id twice": ('[[topics]]\nid = "a"\nname = "A"\n[[topics]]\nid = "a"\nname = "B"', "twice"),
    "more than topics": ('title = "x"\n[[topics]]\nid = "a"\nname = "A"', "title"),
}


@pytest.mark.parametrize(("content", "words"), BAD_FILES.values(), ids=BAD_FILES)
async def test_a_bad_file_is_2_and_changes_nothing(
    tocsin: Commands, store: Store, tmp_path: Path, content: str | bytes, words: str
) -> None:
    file = tmp_path / "topics.toml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    before = await store.topics.all()

    ran = await tocsin("topics", "apply", str(file))

    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert await store.topics.all() == before


async def test_a_key_is_made_listed_and_deleted(tocsin: Commands, store: Store) -> None:
    made = await tocsin("keys", "api", "add", "[Night] desk", "--role", "editor", "--role", "ops")
    key = made.out.strip()

    caller = await store.api_keys.find(key)
    assert caller
    assert (made.code, caller.name, caller.roles) == (0, "[Night] desk", {Role.EDITOR, Role.OPS})
    listed = await tocsin("keys", "api", "list")
    assert "[Night] desk" in listed.out
    assert key.split("_", 2)[2] not in listed.out
    (shown,) = (await tocsin("keys", "api", "list", "--json")).json
    assert (shown["id"], shown["roles"], "secret_hash" in shown) == (caller.id, ["editor", "ops"], False)
    assert (await tocsin("keys", "api", "delete", caller.id)).code == 0
    assert await store.api_keys.find(key) is None


async def test_a_key_for_a_program_comes_as_json(tocsin: Commands, store: Store) -> None:
    made = (await tocsin("keys", "api", "add", "CI", "--role", "editor", "--json")).json

    caller = await store.api_keys.find(made["key"])
    assert caller
    assert caller.id == made["id"]


@pytest.mark.parametrize("name", ["", "x" * 61, "a\x1b[2Jb", "a\nb"])
async def test_a_name_that_draws_on_terminals_is_refused(tocsin: Commands, store: Store, name: str) -> None:
    ran = await tocsin("keys", "api", "add", name, "--role", "ops")

    assert (ran.code, ran.out, await store.api_keys.all()) == (2, "", [])
    assert "name: " in ran.err


async def test_the_vapid_key_is_made_once(tocsin: Commands, tmp_path: Path) -> None:
    first, again = [await tocsin("--data-dir", str(tmp_path / "kept"), "keys", "vapid", "show") for _ in range(2)]

    assert (first.code, len(first.out.strip())) == (0, 87)
    assert again.out == first.out
    assert (tmp_path / "kept" / "vapid.pem").stat().st_mode & 0o777 == 0o600
