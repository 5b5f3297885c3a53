"""The store hangs or dies: a caller hears so within 3 s, nothing is promised, and all is well when it is back."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from api_served import Served, assert_problem, bearer, changed, serve, served_settings

from tocsin.cli.embedded import embedded_parts
from tocsin.cli.parts import Part
from tocsin.cli.parts import Running as Process
from tocsin.domain.errors import Unavailable
from tocsin.domain.topics import Topic
from tocsin.settings import load
from tocsin.store.store import Store
from tocsin.store.topics import Topics
from town import ALERT

# The contract's 3 s, and what a busy machine adds.
IN_TIME = 4.0


@dataclass
class Ours:
    """A store of the test's own, that it may stop and kill."""

    api: Served
    process: Process

    async def back(self) -> None:
        async with asyncio.timeout(20):
            while (await self.api.call("GET", "/readyz")).status != 200:
                await asyncio.sleep(0.05)


@pytest.fixture
async def ours(api: Served, tmp_path: Path) -> AsyncIterator[Ours]:
    alone = load(data_dir=tmp_path, broker_url=api.settings.broker, prekey_url=api.settings.prekey_server)
    part: Part = embedded_parts(alone)[0]
    process = Process(part, {}, tmp_path)
    await process.start()
    try:
        async with Store(alone) as store, asyncio.timeout(20):
            while not await _answers(store):
                await asyncio.sleep(0.02)
        async with serve(served_settings(alone, tmp_path, subscribe_rate="100/hour", alert_rate="100/hour")) as served:
            yield Ours(served, process)
    finally:
        process.kill_session()
        await process.ended()


async def _answers(store: Store) -> bool:
    try:
        await store.server.ping()
    except Unavailable:
        return False
    return True


async def assert_unavailable(api: Served, editor: dict[str, str], registered: Any) -> None:
    """Every kind of call, all at once."""
    path, token = f"/v1/subscriptions/{registered['id']}", bearer(registered["token"])

    async def timed(method: str, where: str, body: Any, headers: Any) -> tuple[float, Any]:
        began = time.monotonic()
        reply = await api.call(method, where, body, headers)
        return time.monotonic() - began, reply

    calls = [
        timed("GET", "/v1/site", None, None),
        timed("GET", path, None, token),
        timed("PATCH", f"{path}/preferences", {"topics": []}, token),
        timed("DELETE", path, None, token),
        timed("POST", f"{path}/test", None, token),
        timed("POST", "/v1/subscriptions", {"subscription": registered["subscription"]}, None),
        timed("POST", "/v1/alerts", ALERT, {**editor, "Idempotency-Key": "asked-while-it-was-down"}),
        timed("POST", "/v1/alerts", ALERT, api.with_key("asked-by-the-admin-key")),
        timed("GET", "/v1/alerts", None, editor),
        timed("GET", "/v1/keys", None, api.editor),
        timed("GET", "/v1/ops/queues", None, api.editor),
        timed("GET", "/v1/ops/push-services", None, api.editor),
        timed("GET", "/metrics", None, None),
    ]
    for seconds, reply in await asyncio.gather(*calls):
        assert_problem(reply, 503, "unavailable")
        assert int(reply.headers["Retry-After"]) >= 1
        assert seconds < IN_TIME
    assert (await api.call("GET", "/livez")).status == 200
    ready = await api.call("GET", "/readyz")
    assert (ready.status, ready.json["ready"]) == (503, False)
    assert ready.json["checks"]["broker"] == "ok"


@pytest.fixture
async def registered(ours: Ours, simulator: Any) -> Any:
    key = (await ours.api.call("GET", "/v1/site")).json["application_server_key"]
    (view,) = await simulator.create_browsers(1, "fcm", key)
    subscription = view.subscription.model_dump(mode="json")
    return {**(await ours.api.register(subscription)).json, "subscription": subscription}


async def test_a_first_page_waits_for_the_topics_of_a_first_start(ours: Ours, monkeypatch: pytest.MonkeyPatch) -> None:
    set_first, held = Topics.set_first, asyncio.Event()

    async def slowly(store: Topics, first: Sequence[Topic]) -> None:
        await held.wait()
        await set_first(store, first)

    await ours.back()
    await ours.api.store.server.redis.flushall()
    monkeypatch.setattr(Topics, "set_first", slowly)
    async with serve(ours.api.settings) as starting:
        page = asyncio.create_task(starting.call("GET", "/v1/site"))
        assert (await starting.call("GET", "/readyz")).status == 503
        held.set()
        assert len((await page).json["topics"]) == 5


async def test_a_store_that_was_never_up_is_told_in_time(ours: Ours) -> None:
    ours.process.kill_session()
    await ours.process.ended()
    async with serve(ours.api.settings) as starting:
        began = time.monotonic()
        assert_problem(await starting.call("GET", "/v1/site"), 503, "unavailable")
        assert time.monotonic() - began < IN_TIME
        assert (await starting.call("GET", "/")).status == 200


async def test_a_store_that_hangs_is_told_in_time_and_forgotten_when_it_is_back(ours: Ours, registered: Any) -> None:
    editor = await ours.api.api_key("editor")

    ours.process.signal(signal.SIGSTOP)
    await assert_unavailable(ours.api, editor, registered)
    ours.process.signal(signal.SIGCONT)

    await ours.back()
    await assert_all_is_well(ours.api, editor, registered)


async def test_a_store_that_was_killed_comes_back_with_all_it_was_told(ours: Ours, registered: Any) -> None:
    editor = await ours.api.api_key("editor")
    queued = (await ours.api.queue()).json["id"]

    ours.process.kill_session()
    await ours.process.ended()
    await assert_unavailable(ours.api, editor, registered)
    await ours.process.start()

    await ours.back()
    assert (await ours.api.call("GET", f"/v1/alerts/{queued}", headers=editor)).status == 200
    await assert_all_is_well(ours.api, editor, registered)


async def assert_all_is_well(api: Served, editor: dict[str, str], registered: Any) -> None:
    """The call whose outcome was unknown is repeated with its key: one alert, however far the first got."""
    headers = {**editor, "Idempotency-Key": "asked-while-it-was-down"}
    ids = {(await api.call("POST", "/v1/alerts", ALERT, headers)).json["id"] for _ in range(2)}
    assert len(ids) == 1
    again = await api.register(registered["subscription"])
    assert again.status in (200, 201)  # the DELETE's outcome was unknown, too
    assert (again.json["id"], again.json["token"]) == (registered["id"], registered["token"])


async def test_a_broker_that_is_away_changes_no_answer(api: Served, tmp_path: Path) -> None:
    nowhere = {"broker_url": f"unix://{tmp_path}/nobody.sock", "prekey_url": f"unix://{tmp_path}/nobody.sock"}
    async with serve(changed(api.settings, **nowhere)) as served:
        assert (await served.queue()).status == 202
        ready = await served.call("GET", "/readyz")
        assert (ready.status, ready.json["ready"]) == (200, True)
        assert ready.json["checks"]["broker"] != "ok"
        assert (await served.call("GET", "/metrics")).status == 200
        queues = (await served.call("GET", "/v1/ops/queues", headers=served.editor)).json["queues"]
        assert {queue["wake_ups"] for queue in queues} == {None}
