"""What was sent lately, as anybody sees it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from api_served import Served, assert_problem

from samples import an_alert
from tocsin import clock
from tocsin import recent as list_of_recent
from tocsin.domain.alerts import AlertState
from town import Town


@pytest.fixture(autouse=True)
def looked_at_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits a second for the list that the test before left."""
    monkeypatch.setattr(list_of_recent, "KEEP_SECONDS", 0.05)


async def recent(api: Served, query: str = "") -> Any:
    reply = await api.call("GET", f"/v1/alerts/recent{query}")
    assert reply.status == 200, reply.text
    return reply.json["alerts"]


async def shows(api: Served, *ids: str, query: str = "") -> list[dict[str, Any]]:
    """Waits until these are shown: the list may be a little old."""
    async with asyncio.timeout(10):
        while True:
            found: list[dict[str, Any]] = await recent(api, query)
            if [alert["id"] for alert in found] == list(ids):
                return found
            await asyncio.sleep(0.05)


async def test_anybody_sees_what_was_sent_newest_first(api: Served) -> None:
    first = (await api.queue()).json
    second = (await api.queue({"topics": ["sport", "world"], "level": "update"})).json

    found = await shows(api, second["id"], first["id"])

    assert found[1] == {
        **{name: first[name] for name in ("id", "headline", "body", "url", "topics", "level", "story")},
        "kind": "alert",
        "corrects": None,
        "sent_at": first["created_at"],
    }


async def test_topics_choose(api: Served) -> None:
    world, sport, both = [
        (await api.queue({"topics": topics})).json["id"] for topics in (["world"], ["sport"], ["sport", "world"])
    ]

    await shows(api, both, sport, world)
    await shows(api, both, world, query="?topics=world")
    await shows(api, both, sport, query="?topics=sport,culture")
    await shows(api, both, sport, world, query="?topics=sport,%20world")
    await shows(api, query="?topics=culture")
    await shows(api, both, sport, world, query="?topics=")


async def test_what_was_stopped_is_not_shown(api: Served) -> None:
    kept, stopped = [(await api.queue()).json["id"] for _ in range(2)]
    await shows(api, stopped, kept)

    await api.call("POST", f"/v1/alerts/{stopped}/stop", headers=api.editor)

    await shows(api, kept)


async def test_a_correction_stands_in_the_place_of_what_it_corrects(api: Served) -> None:
    other, wrong = [(await api.queue({"headline": text})).json["id"] for text in ("Another", "Wrong")]
    words = {"headline": "Right"}

    reply = await api.call("POST", f"/v1/alerts/{wrong}/correction", words, api.editor)

    assert reply.status == 202, reply.text
    found = await shows(api, reply.json["id"], other)
    assert (found[0]["headline"], found[0]["kind"], found[0]["corrects"]) == ("Right", "correction", wrong)


async def test_what_was_scheduled_long_ago_is_as_new_as_its_sending(api: Served) -> None:
    """It stood behind all that was queued since, and was not looked at."""
    now = clock.now()
    old = an_alert(now=now - timedelta(days=20), send_at=now)
    await api.store.alerts.queue(old, "a-key-of-sixteen", AlertState.SENDING)
    for number in range(100):
        older = an_alert(now=now - timedelta(days=8, seconds=number))
        await api.store.alerts.queue(older, f"a-key-of-sixteen-{number}")
    others = [(await api.queue({"headline": f"No {number}"})).json["id"] for number in range(3)]
    for place, alert_id in enumerate((*others, old.id)):
        begins_at = now + timedelta(milliseconds=place)
        await api.store.runs.begin(alert_id, {}, begins_at, now + timedelta(days=1))
        assert await api.store.alerts.close(alert_id, AlertState.SENT, {"deferred": 0}, 0, None)

    await shows(api, old.id, *others[::-1])


async def test_there_are_twenty_at_most(api: Served) -> None:
    ids = [(await api.queue({"headline": f"No {number}"})).json["id"] for number in range(22)]

    await shows(api, *ids[:1:-1])


@pytest.mark.parametrize("query", ["?topics=nowhere", "?topics=world,nowhere", "?topics=World", "?topics=%00"])
async def test_an_unknown_topic_is_named(api: Served, query: str) -> None:
    assert_problem(await api.call("GET", f"/v1/alerts/recent{query}"), 422, "invalid", "topics")


async def test_other_questions_are_refused(api: Served) -> None:
    assert_problem(await api.call("GET", "/v1/alerts/recent?limit=5"), 422, "invalid", "limit")


async def test_it_is_not_sent_again_to_who_has_it(api: Served) -> None:
    await shows(api, (await api.queue()).json["id"])
    reply = await api.call("GET", "/v1/alerts/recent")

    again = await api.call("GET", "/v1/alerts/recent", headers={"If-None-Match": reply.headers["ETag"]})

    assert (again.status, again.body) == (304, b"")
    assert reply.headers["Cache-Control"] == again.headers["Cache-Control"] == "public, max-age=5"
    assert reply.headers["Vary"] == "Origin"


async def test_one_that_ended_tells_when_it_began(town: Town) -> None:
    await town.subscribe(1)
    ended = await town.ended((await town.send())["id"])

    async with asyncio.timeout(10):
        while not (found := (await town.call("GET", "/v1/alerts/recent"))[1]["alerts"]):
            await asyncio.sleep(0.05)
    assert [(alert["id"], alert["sent_at"]) for alert in found] == [(ended["id"], ended["began_at"])]
