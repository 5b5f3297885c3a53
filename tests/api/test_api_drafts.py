"""What an alert may hold: each fault is named by its field, nothing is queued and no push leaves."""

import asyncio
from typing import Any

import pytest
from api_served import Served, assert_problem, changed, serve

from tocsin.simulator.client import SimulatorClient
from town import ALERT

LINK = "https://news.example.com/"
FLAG = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
FAMILY = "👨‍👩‍👧‍👦"


def action(**changes: Any) -> dict[str, Any]:
    return {"action": "read", "title": "Read", "url": LINK, **changes}


TEXTS = {
    "blank": "   ",
    "line break": "a\nb",
    "tab": "a\tb",
    "zero byte": "a\0b",
    "escape": "a\x1b[31mb",
    "delete": "a\x7fb",
    "C1 control": "a\u0085b",
    "left-to-right override": "a\u202db",
    "right-to-left override": "a\u202eb",
    "embedding": "a\u202ab",
    "pop": "a\u202cb",
    "isolate": "a\u2066b",
    "pop isolate": "a\u2069b",
    "line separator": "a\u2028b",
    "zero-width space": "a\u200bb",
    "byte order mark": "a\ufeffb",
    "soft hyphen": "a\u00adb",
    "private use": "a\ue000b",
}
LINKS = {
    "javascript": "javascript:alert(1)",
    "http": "http://news.example.com/",
    "data": "data:text/html,x",
    "no scheme": "//news.example.com/",
    "a path": "/aleppo",
    "empty": "",
    "no host": "https:///aleppo",
    "a user": "https://news.example.com@evil.example/",
    "a line break": "https://news.example.com/\nx",
    "a space": "https://news.example.com/a b",
    "a backslash": "https://news.example.com\\@evil.example/",
    "letters beyond ASCII": "https://news.example.com/ä",
    "markup": 'https://news.example.com/"><script>',
    "2,049 characters": LINK.ljust(2_049, "a"),
    "a port that is none": "https://news.example.com:x/",
    "half an IPv6 address": "https://[::1/",
}
FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no headline": ({"headline": ""}, ["headline"]),
    "121 graphemes of headline": ({"headline": FAMILY * 20 + "a" * 101}, ["headline"]),
    "301 graphemes of body": ({"body": "a" * 301}, ["body"]),
    "an unknown topic": ({"topics": ["world", "nowhere"]}, ["topics[1]"]),
    "a topic twice": ({"topics": ["world", "sport", "world"]}, ["topics"]),
    "no topic": ({"topics": []}, ["topics"]),
    "21 topics": ({"topics": [f"t{number}" for number in range(21)]}, ["topics"]),
    "a topic that is no id": ({"topics": ["World!"]}, ["topics[0]"]),
    "topics as text": ({"topics": "world"}, ["topics"]),
    "an unknown level": ({"level": "FLASH"}, ["level"]),
    "no level": ({"level": None}, ["level"]),
    "ttl below 0": ({"ttl": -1}, ["ttl"]),
    "ttl over a day": ({"ttl": 86_401}, ["ttl"]),
    "ttl as text": ({"ttl": "60"}, ["ttl"]),
    "ttl with a fraction": ({"ttl": 60.0}, ["ttl"]),
    "ttl as truth": ({"ttl": True}, ["ttl"]),
    "a language that is none": ({"language": "english!"}, ["language"]),
    "expired before it began": ({"expires_at": "2020-01-01T00:00:00Z"}, ["expires_at"]),
    "a time without its zone": ({"expires_at": "2999-01-01T00:00:00"}, ["expires_at"]),
    "a time as a number": ({"expires_at": 4_102_444_800}, ["expires_at"]),
    "a day": ({"expires_at": "2999-01-01"}, ["expires_at"]),
    "three actions": ({"actions": [action()] * 3}, ["actions"]),
    "an action without a title": ({"actions": [action(title="")]}, ["actions[0].title"]),
    "an action that misleads": ({"actions": [action(), action(title="a\u202eb")]}, ["actions[1].title"]),
    "an action's script": ({"actions": [action(url="javascript:x")]}, ["actions[0].url"]),
    "an action with a strange name": ({"actions": [action(action="Read it")]}, ["actions[0].action"]),
    "an action with more": ({"actions": [action(icon=LINK)]}, ["actions[0].icon"]),
    "actions as one": ({"actions": action()}, ["actions"]),
    "several at once": ({"headline": "", "body": "\0", "url": "x"}, ["headline", "body", "url"]),
    "bytes of payload": ({"headline": FAMILY * 60, "body": FAMILY * 60}, ["body"]),
    "a field that is not known": ({"priority": "high"}, ["priority"]),
    "a story that is no id": ({"story": "Aleppo!"}, ["story"]),
    "a moment to be sent at": ({"send_at": "2999-01-01T00:00:00Z"}, ["send_at"]),
    "no pace at all": ({"max_per_second": 0}, ["max_per_second"]),
    "an undo too long": ({"undo_seconds": 16}, ["undo_seconds"]),
    "a state that it cannot have": ({"state": "sent"}, ["state"]),
    "an id of its own": ({"id": "x"}, ["id"]),
}
for name in ("headline", "body", "url", "image", "icon", "language", "topics", "actions"):
    for value in (True, 1, {"a": 1}, ["x", 1] if name not in ("topics", "actions") else "x"):
        FAULTS[f"{name}: {value!r}"] = ({name: value}, [name])
for name in ("headline", "body", "url", "topics", "level", "ttl", "actions"):
    FAULTS[f"{name}: null"] = ({name: None}, [name])


@pytest.mark.parametrize(("changes", "fields"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_is_named_and_nothing_is_queued(
    api: Served, simulator: SimulatorClient, changes: dict[str, Any], fields: list[str]
) -> None:
    async with api.nothing_kept():
        assert_problem(await api.queue(changes), 422, "invalid", *fields)

    assert (await simulator.summary()).requests == 0


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_text_that_shows_otherwise_than_it_reads_is_refused(api: Served, text: str) -> None:
    async with api.nothing_kept():
        assert_problem(await api.queue({"headline": text}), 422, "invalid", "headline")
        if text.strip():
            assert_problem(await api.queue({"body": text}), 422, "invalid", "body")


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
async def test_a_link_that_leads_astray_is_refused(api: Served, link: str) -> None:
    async with api.nothing_kept():
        for field in ("url", "image", "icon"):
            assert_problem(await api.queue({field: link}), 422, "invalid", field)


@pytest.mark.parametrize("field", ["headline", "url", "topics", "level"])
async def test_a_missing_field_is_named(api: Served, field: str) -> None:
    body = {name: value for name, value in ALERT.items() if name != field}

    assert_problem(await api.call("POST", "/v1/alerts", body, api.with_key()), 422, "invalid", field)


GOOD = {
    "120 graphemes": {"headline": FAMILY + "a" * 119, "body": ""},
    "300 graphemes": {"body": FAMILY + "ä" * 299},
    "a flag of tags": {"headline": f"{FLAG} wins"},
    "joiners and marks": {"headline": "می‌خواهم \u200f(שלום)\u200e"},
    "brackets": {"headline": "[Updated] <b>5 > 3 & 2</b>", "body": "{{7*7}} ${x} %s \\n"},
    "all there is": {
        "image": f"{LINK}i.png",
        "icon": f"{LINK}i.png",
        "actions": [action(), action(action="later")],
        "language": "pt-BR",
        "ttl": 0,
        "expires_at": "2999-01-01T00:00:00+02:00",
    },
}


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD)
async def test_what_may_stand_on_a_screen_is_taken_unaltered(api: Served, changes: dict[str, Any]) -> None:
    reply = await api.queue(changes)

    assert reply.status == 202, reply.text
    read = (await api.call("GET", reply.headers["Location"], headers=api.editor)).json
    for field, value in changes.items():
        assert read[field] == value


async def test_links_lead_only_to_hosts_that_are_allowed(api: Served) -> None:
    hosts = ("news.example.com", ".partner.example")
    async with serve(changed(api.settings, allowed_link_hosts=hosts)) as strict:
        taken = [LINK, "https://NEWS.example.com/", "https://a.partner.example/", "https://a.b.partner.example:8443/"]
        refused = ["https://partner.example/", "https://evilpartner.example/", "https://evil.example/.partner.example"]
        for link in taken:
            reply = await strict.queue({"url": link})
            assert reply.status == 202
            assert "any_link_host" not in [warning["code"] for warning in reply.json["warnings"]]
        for link in refused:
            assert_problem(await strict.queue({"url": link}), 422, "invalid", "url")
            assert_problem(await strict.queue({"actions": [action(url=link)]}), 422, "invalid", "actions[0].url")


async def test_any_host_is_allowed_with_a_warning_where_none_is_set(api: Served) -> None:
    (warning,) = (await api.queue()).json["warnings"]

    assert warning["code"] == "any_link_host"
    assert "ALLOWED_LINK_HOSTS" in warning["detail"]


KEYS = {
    "short": "k" * 15,
    "long": "k" * 256,
    "a space": "k" * 15 + " k",
    "empty": "",
    "beyond ASCII": "k" * 16 + "é",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
async def test_an_idempotency_key_has_16_to_255_visible_ascii_characters(api: Served, key: str) -> None:
    async with api.nothing_kept():
        reply = await api.call("POST", "/v1/alerts", ALERT, {**api.editor, "Idempotency-Key": key})

    assert_problem(reply, 422, "invalid", "Idempotency-Key")


async def test_an_idempotency_key_is_sent_exactly_once(api: Served) -> None:
    async with api.nothing_kept():
        missing = await api.call("POST", "/v1/alerts", ALERT, api.editor)
        twice = [(name, value) for name, value in api.editor.items()] + [("Idempotency-Key", "k" * 16)] * 2
        async with api.session.post(f"{api.base}/v1/alerts", json=ALERT, headers=twice) as response:
            status, problem = response.status, await response.json(content_type=None)

    assert_problem(missing, 422, "invalid", "Idempotency-Key")
    assert (status, problem["errors"][0]["field"]) == (422, "Idempotency-Key")


async def test_the_longest_and_shortest_keys_are_taken(api: Served) -> None:
    for key in ("k" * 16, "~" * 255, "!#$%&'()*+,-./:;<"):
        assert (await api.queue(key=key)).status == 202


async def test_refused_drafts_do_not_use_up_the_rate(api: Served) -> None:
    async with serve(changed(api.settings, alert_rate="1/hour")) as slow:
        for _ in range(5):
            assert (await slow.queue({"headline": "a\0"})).status == 422
        assert (await slow.queue()).status == 202
        assert (await slow.queue({"headline": "a\0"})).status == 422
        assert_problem(await slow.queue(), 429, "too_many_requests")


async def test_repeats_of_one_call_count_once_for_the_rate(api: Served) -> None:
    async with serve(changed(api.settings, alert_rate="1/hour")) as slow:
        replies = await asyncio.gather(*(slow.queue(key="the-same-key-for-all") for _ in range(20)))

    assert {reply.status for reply in replies} == {202}
    assert len({reply.json["id"] for reply in replies}) == 1
