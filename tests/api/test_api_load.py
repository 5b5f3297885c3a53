"""Under load receipts give way before anybody who waits for an answer."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from api_served import Served, assert_problem, changed, raw_call, serve

from tocsin.api import load
from tocsin.api.load import Load
from tocsin.domain.errors import Overloaded
from tocsin.settings import Settings
from town import ALERT

RECEIPT = {"alert": "0" * 22, "event": "shown"}
FEW = 3


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MOST_IN_WORK", FEW)


@asynccontextmanager
async def at_work(api: Served, count: int) -> AsyncIterator[None]:
    """So many calls of editors that wait inside the API until this ends: all with one key, whose turn we hold."""
    key = secrets.token_urlsafe(16)
    async with api.services.turns.of(f"admin-key {key}"):
        calls = [asyncio.create_task(api.call("POST", "/v1/alerts", ALERT, api.with_key(key))) for _ in range(count)]
        async with asyncio.timeout(20):
            while api.services.load.others < count:
                await asyncio.sleep(0.001)
        yield
    assert {(await call).status for call in calls} == {202}


async def test_receipts_give_way_and_nobody_else(api: Served) -> None:
    async with at_work(api, FEW):
        shed = await api.call("POST", "/v1/receipts", RECEIPT)
        assert_problem(shed, 503, "overloaded")
        assert int(shed.headers["Retry-After"]) >= 1
        for method, path in (("GET", "/v1/site"), ("GET", "/v1/alerts/recent"), ("GET", "/v1/alerts")):
            assert (await api.call(method, path, headers=api.editor)).status == 200
        assert (await api.queue()).status == 202

    assert api.services.load.others == 0
    assert (await api.call("POST", "/v1/receipts", RECEIPT)).status == 204


async def test_below_the_limit_nobody_gives_way(api: Served) -> None:
    async with at_work(api, FEW - 1):
        assert (await api.call("POST", "/v1/receipts", RECEIPT)).status == 204


async def test_a_shed_receipt_is_not_even_read(api: Served) -> None:
    """Its body never comes, and is no JSON by its type: the answer is the same, and at once."""
    head = b"Content-Type: image/png\r\nContent-Length: 100\r\n"
    async with at_work(api, FEW):
        answer = await raw_call(api, "POST /v1/receipts", head)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b'"code":"overloaded"' in answer


async def test_who_is_shed_is_counted(api: Served) -> None:
    async with at_work(api, FEW):
        for _ in range(4):
            await api.call("POST", "/v1/receipts", RECEIPT)
    await api.services.tally.flush()
    assert (await api.store.receipts.fates())["shed"] == 4


async def test_who_sends_slowly_is_no_load(api: Served) -> None:
    """Otherwise a few idle connections would stop all receipts."""
    writers = []
    for _ in range(FEW):
        _, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(b"POST /v1/subscriptions HTTP/1.1\r\nHost: news.example\r\n")
        writer.write(b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writers.append(writer)
    assert (await api.call("POST", "/v1/receipts", RECEIPT)).status == 204
    for writer in writers:
        writer.close()
        await writer.wait_closed()


async def test_receipts_that_wait_for_the_store_are_bounded_too() -> None:
    busy = Load()
    with busy.working(True), busy.working(True):
        busy.give_way()
        with busy.working(True), pytest.raises(Overloaded):
            busy.give_way()
    busy.give_way()
    assert (busy.take_turned_away(), busy.take_turned_away()) == (1, 0)


async def test_a_late_loop_is_load() -> None:
    looked = Load()
    assert looked.lag(5.0) == 0
    looked.look(10.0, 10.02)
    assert looked.lag(10.01) == 0
    assert looked.lag(10.52) == pytest.approx(0.5)  # it should have come to its next look by now
    looked.look(10.52, 10.54)
    assert looked.lag(10.53) == pytest.approx(0.5)  # until the next look says otherwise
    looked.look(10.54, 10.56)
    assert looked.lag(10.55) == pytest.approx(0)


async def test_an_api_looks_at_its_loop(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MOST_LAG", 0.05)
    time.sleep(0.1)  # and nobody is served meanwhile
    with pytest.raises(Overloaded):
        api.services.load.give_way()


async def test_a_late_loop_sheds(api: Served, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(changed(settings)) as served:
        monkeypatch.setattr(Load, "lag", lambda *_: load.MOST_LAG)
        assert_problem(await served.call("POST", "/v1/receipts", RECEIPT), 503, "overloaded")
        assert (await served.call("GET", "/v1/site")).status == 200
