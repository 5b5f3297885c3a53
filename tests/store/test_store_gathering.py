"""Commands of many callers share trips, and nothing else: each gets its own answer, its own error, in its own time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.exceptions import DataError, ResponseError

from tocsin.settings import Settings
from tocsin.store.client import Server
from tocsin.store.index import Index
from tocsin.store.store import Store

MANY = 1_000


@pytest.fixture(params=[True, False], ids=["gathers", "alone"])
async def server(request: pytest.FixtureRequest, store: Store, servers: Settings) -> AsyncIterator[Server]:
    made = Server(servers.store, gathers=request.param)
    yield made
    await made.close()


@pytest.fixture
async def gathering(store: Store, servers: Settings) -> AsyncIterator[Any]:
    made = Server(servers.store, gathers=True)
    yield made.redis
    await made.close()


async def test_many_at_once_have_each_their_own_answer(gathering: Any) -> None:
    """More than a pool has connections, too: who finds none waits, and is not told that the store is down."""
    await asyncio.gather(*(gathering.set(f"key-{number}", number) for number in range(MANY)))
    found = await asyncio.gather(*(gathering.get(f"key-{number}") for number in range(MANY)))
    assert found == [str(number).encode() for number in range(MANY)]


async def test_they_share_trips(gathering: Any) -> None:
    async def reads() -> int:
        return int((await gathering.info("stats"))["total_reads_processed"])

    await gathering.ping()
    before = await reads()
    await asyncio.gather(*(gathering.get("key") for _ in range(MANY)))
    assert await reads() - before < MANY // 2


async def test_an_error_is_its_callers_alone(gathering: Any) -> None:
    await gathering.set("text", "x")
    one, two, three = await asyncio.gather(
        gathering.get("text"), gathering.hget("text", "field"), gathering.get("text"), return_exceptions=True
    )
    assert (one, three) == (b"x", b"x")
    assert isinstance(two, ResponseError)


@pytest.mark.parametrize(("unsendable", "error"), [("\ud800", UnicodeEncodeError), (None, DataError)])
async def test_what_cannot_be_sent_keeps_nobody_back(gathering: Any, unsendable: Any, error: type[Exception]) -> None:
    one, two, three = await asyncio.gather(
        gathering.incr("count"), gathering.set("text", unsendable), gathering.incr("count"), return_exceptions=True
    )
    assert (one, three) == (1, 2)
    assert isinstance(two, error)


async def test_who_goes_away_takes_nobody_along(gathering: Any) -> None:
    tasks = [asyncio.create_task(gathering.incr("count")) for _ in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    given = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(each, asyncio.CancelledError) for each in given[::2])
    assert all(isinstance(each, int) for each in given[1::2])
    assert await gathering.ping()


async def test_what_is_done_before_is_done_first(server: Server) -> None:
    """Where it is not, the index names a number whose shard expects nobody."""
    digest = bytes(16)
    for script_is_known in (True, False):
        if not script_is_known:
            await server.redis.script_flush()
        entry = await Index(server).swap(digest, b"", b"p:fcm:7", before=("HSET", "{fcm.0}:expected", "7", digest))
        assert entry.address is not None
        assert entry.address.number == 7
        assert await server.redis.hget("{fcm.0}:expected", "7") == digest
        await server.redis.flushdb()


async def test_where_the_first_fails_it_is_told(server: Server) -> None:
    await server.redis.set("{fcm.0}:expected", "no hash")
    with pytest.raises(RuntimeError):
        await Index(server).swap(bytes(16), b"", b"p:fcm:7", before=("HSET", "{fcm.0}:expected", "7", b"x"))
