"""Whoever lost an answer does the step again, and has that answer: a caller, and the store's own client."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from api_served import Reply, Served, assert_problem, changed, serve

from samples import an_alert
from tocsin.domain.alerts import AlertState
from tocsin.settings import Settings
from tocsin.store.client import Argument, Server
from tocsin.store.store import Store
from town import ALERT


@pytest.fixture
async def desk(api: Served, settings: Settings) -> AsyncIterator[Served]:
    """An API where breaking and flash need a second person."""
    async with serve(changed(settings, approval=("flash", "breaking"))) as served:
        yield served


async def step(api: Served, alert_id: str, name: str, who: dict[str, str], body: Any = None) -> Reply:
    body = {} if name == "approve" and body is None else body
    return await api.call("POST", f"/v1/alerts/{alert_id}/{name}", body, who)


def told(reply: Reply) -> tuple[int, str, Any]:
    return reply.status, reply.headers.get("ETag", ""), reply.json


@pytest.mark.parametrize("times", [{}, {"undo_seconds": 15}], ids=["at once", "after a while"])
async def test_sent_twice_is_sent_once(api: Served, times: dict[str, Any]) -> None:
    draft = (await api.queue({"state": "draft", **times})).json

    first, again = [await step(api, draft["id"], "send", api.editor) for _ in range(2)]

    assert first.status == 200
    assert told(again) == told(first)
    assert await api.store.alerts.count() == 1


async def test_what_goes_meanwhile_is_not_put_off_by_a_repeat(api: Served) -> None:
    draft = (await api.queue({"state": "draft", "undo_seconds": 15})).json
    await step(api, draft["id"], "send", api.editor)
    await api.store.server.redis.hset(f"{{alerts}}:alert:{draft['id']}", "state", "sending")

    again = await step(api, draft["id"], "send", api.editor)

    assert (again.status, again.json["state"]) == (200, "sending")


async def test_an_approval_is_repeated_by_who_gave_it(desk: Served) -> None:
    author, second, third = [await desk.api_key("editor") for _ in range(3)]
    waits = await desk.call("POST", "/v1/alerts", ALERT, {**desk.with_key(), **author})
    # What was read is what is approved, also where the alert that goes out says something else of its times.
    body = {"content_hash": waits.json["content_hash"]}

    first, again = [await step(desk, waits.json["id"], "approve", second, body) for _ in range(2)]

    assert (first.status, first.json["state"]) == (200, "sending")
    assert told(again) == told(first)
    for other in (author, third):
        assert_problem(await step(desk, waits.json["id"], "approve", other), 409, "conflict")
    assert await desk.store.alerts.count() == 1


async def test_a_send_that_asks_for_approval_is_repeated(desk: Served) -> None:
    author = await desk.api_key("editor")
    draft = await desk.call("POST", "/v1/alerts", {**ALERT, "state": "draft"}, {**desk.with_key(), **author})

    first, again = [await step(desk, draft.json["id"], "send", author) for _ in range(2)]

    assert (first.status, first.json["state"]) == (200, "awaiting_approval")
    assert told(again) == told(first)


async def test_a_change_whose_answer_was_lost_is_seen_to_have_happened(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client repeats what it sent on a connection that was lost, whatever the server made of it."""
    alert = an_alert(state="draft")
    await store.alerts.queue(alert, "a-key-of-sixteen", AlertState.DRAFT)
    seen = await store.alerts.get(alert.id)
    run = Server.run

    async def twice(server: Server, script: str, keys: list[str], *arguments: Argument) -> Any:
        await run(server, script, keys, *arguments)
        return await run(server, script, keys, *arguments)

    monkeypatch.setattr(Server, "run", twice)
    assert await store.drafts.change(seen, alert, AlertState.SENDING, 1, writers=["desk"])
    monkeypatch.undo()

    status = await store.alerts.get(alert.id)
    assert (status.state, status.edition) == (AlertState.SENDING, 1)
    assert await store.alerts.count() == 1
    assert not await store.drafts.change(seen, alert, AlertState.SENDING, 1, writers=["desk"])
