"""The prekeys' own server: each entry is handed out once, and nothing that goes wrong there reaches an alert."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tocsin.domain.errors import Unavailable
from tocsin.settings import Settings
from tocsin.store import prekeys as module
from tocsin.store.client import Server
from tocsin.store.prekeys import KEEP_SECONDS, SEALS, Leave, Prekeys
from tocsin.store.secret import Secret
from tocsin.store.store import Store

SHARD = "fcm.0"


@pytest.fixture
async def server(servers: Settings) -> AsyncIterator[Server]:
    """The prekey server, empty."""
    opened = Server(servers.prekey_server)
    await opened.redis.flushall()
    yield opened
    await opened.redis.config_set("save", "")
    await opened.redis.config_set("appendonly", "no")
    await opened.redis.config_set("maxmemory", 0)
    await opened.close()


@pytest.fixture
async def prekeys(servers: Settings, server: Server) -> AsyncIterator[Prekeys]:
    opened = Prekeys(servers.prekey_server, layers=2)
    yield opened
    await opened.close()


def entry(name: int) -> bytes:
    return (b"\x4e" + name.to_bytes(3)).ljust(128, b"e")


async def claimed(prekeys: Prekeys, shard: str = SHARD) -> Leave:
    leave = await prekeys.claim(shard)
    assert leave is not None
    return leave


async def put(prekeys: Prekeys, *layers: dict[int, int]) -> None:
    made = [{slot: entry(name) for slot, name in layer.items()} for layer in layers]
    assert await prekeys.put(await claimed(prekeys), made)


async def live_on(server: Server) -> None:
    """The same bytes in another life: it followed another server for a moment, as after a fail-over."""
    await server.redis.replicaof("127.0.0.1", 1)
    await server.redis.replicaof("NO", "ONE")


async def take(prekeys: Prekeys, *slots: int) -> dict[int, bytes]:
    (taken,) = await prekeys.take({SHARD: slots})
    return dict(taken.entries)


async def test_each_is_handed_out_once_from_the_first_layer_that_has_one(prekeys: Prekeys) -> None:
    await put(prekeys, {0: 1, 1: 2, 5: 3, 999: 4}, {1: 5, 999: 6})
    assert await prekeys.stock([SHARD, "fcm.1"]) == [6, 0]
    assert await take(prekeys, 0, 1, 2, 999) == {0: entry(1), 1: entry(2), 999: entry(4)}
    assert await prekeys.stock([SHARD]) == [3]
    assert await take(prekeys, 999, 0, 1) == {1: entry(5), 999: entry(6)}
    assert await take(prekeys, 0, 1, 2, 999) == {}
    assert await prekeys.stock([SHARD]) == [1]
    assert await take(prekeys, *range(1_000)) == {5: entry(3)}
    assert await prekeys.stock([SHARD]) == [0]


async def test_of_many_who_take_at_once_one_gets_it(prekeys: Prekeys) -> None:
    await put(prekeys, dict.fromkeys(range(100), 7))
    found = await asyncio.gather(*(take(prekeys, *range(100)) for _ in range(8)))
    assert sum(map(len, found)) == 100


async def test_one_at_a_time_fills_a_shard(prekeys: Prekeys) -> None:
    leave = await claimed(prekeys)
    assert await prekeys.claim(SHARD) is None
    assert await prekeys.claim("fcm.1") is not None
    assert await prekeys.put(leave, [{}, {}])
    assert await prekeys.claim(SHARD) is not None


async def test_a_put_that_arrives_twice_brings_nothing_back(prekeys: Prekeys) -> None:
    leave, made = await claimed(prekeys), [{3: entry(1)}, {}]
    assert await prekeys.put(leave, made)
    assert await take(prekeys, 3) == {3: entry(1)}
    assert not await prekeys.put(leave, made)
    another = await claimed(prekeys)
    assert not await prekeys.put(leave, made)
    assert await take(prekeys, 3) == {}
    assert await prekeys.put(another, [{}, {}])


async def test_a_put_after_a_wipe_does_nothing(prekeys: Prekeys, server: Server) -> None:
    leave = await claimed(prekeys)
    await server.redis.flushall()
    assert not await prekeys.put(leave, [{3: entry(1)}, {}])
    assert await take(prekeys, 3) == {}


async def test_heads_say_what_is_there_and_zeros_take_it_away(prekeys: Prekeys) -> None:
    await put(prekeys, {0: 1, 999: 2}, {7: 3})
    leave = await claimed(prekeys)
    assert [len(heads) for heads in leave.heads] == [1_000, 1_000]
    found = [{slot: head for slot, head in enumerate(heads) if any(head)} for heads in leave.heads]
    assert found == [{0: entry(1)[:4], 999: entry(2)[:4]}, {7: entry(3)[:4]}]
    assert await prekeys.put(leave, [{0: bytes(128)}, {}])
    assert await prekeys.stock([SHARD]) == [2]
    assert await take(prekeys, 0, 7, 999) == {7: entry(3), 999: entry(2)}


async def test_a_shard_takes_its_memory_and_goes_after_a_week(prekeys: Prekeys, server: Server) -> None:
    await put(prekeys, dict.fromkeys(range(1_000), 1))
    key = f"{{{SHARD}}}:prekeys:0"
    assert await server.redis.memory_usage(key) <= 1_000 * 140
    await take(prekeys, *range(0, 1_000, 2))
    assert await server.redis.memory_usage(key) <= 1_000 * 140
    assert 0 < await server.redis.ttl(key) <= KEEP_SECONDS


async def test_what_another_life_left_is_dropped(prekeys: Prekeys, server: Server) -> None:
    await put(prekeys, {0: 1, 1: 2})
    await live_on(server)
    assert await take(prekeys, 0) == {}
    assert not await server.redis.exists(f"{{{SHARD}}}:prekeys:0")
    await put(prekeys, {1: 3})
    assert await take(prekeys, 0, 1) == {1: entry(3)}


async def test_one_that_follows_another_hands_out_nothing(prekeys: Prekeys, server: Server) -> None:
    await put(prekeys, {0: 1})
    await server.redis.replicaof("127.0.0.1", 1)
    try:
        assert await take(prekeys, 0) == {}
        assert await prekeys.claim(SHARD) is None
        assert "no replica" in str(await prekeys.fault())
    finally:
        await server.redis.replicaof("NO", "ONE")


async def test_a_claim_does_not_see_what_another_life_left(prekeys: Prekeys, server: Server) -> None:
    await put(prekeys, {0: 1})
    await live_on(server)
    leave = await claimed(prekeys)
    assert not any(any(head) for heads in leave.heads for head in heads)


async def test_a_server_that_keeps_things_is_told_of(prekeys: Prekeys, server: Server) -> None:
    assert await prekeys.fault() is None
    await server.redis.config_set("save", "3600 1")
    assert 'CONFIG SET save ""' in str(await prekeys.fault())
    await server.redis.config_set("appendonly", "yes")
    assert "CONFIG SET appendonly no; CONFIG SET save" in str(await prekeys.fault())
    await server.redis.config_set("maxmemory", 1)
    assert "maxmemory" in str(await prekeys.fault())


async def test_turned_off_nobody_is_asked(servers: Settings) -> None:
    prekeys = Prekeys("unix:///nowhere", layers=0)
    assert not await take(prekeys, 1)
    await prekeys.close()


async def test_a_server_that_is_away_or_full_is_left_alone_for_a_while(
    prekeys: Prekeys, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(prekeys, {0: 1, 1: 2})
    await server.redis.config_set("maxmemory", 1)
    assert await take(prekeys, 0) == {}
    await server.redis.config_set("maxmemory", 0)
    assert await take(prekeys, 0) == {}, "asked again at once"
    monkeypatch.setattr(module, "REST_SECONDS", -1.0)
    prekeys._asks_from = 0.0
    await server.redis.client_pause(60_000, all=False)
    assert await take(prekeys, 0) == {}
    assert prekeys._asks_from, "a server that hangs was taken for one that has none"
    await server.redis.client_unpause()
    assert await take(prekeys, 1) == {1: entry(2)}


@asynccontextmanager
async def losing_answers(settings: Settings, socket: Path) -> AsyncIterator[list[bytes]]:
    """A way to the prekey server on which every script runs and no answer of one comes back; gives the requests."""
    asked: list[bytes] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_unix_connection(settings.socket_dir / "cache.sock")
        with suppress(ConnectionError):
            while request := await reader.read(1 << 20):
                there.write(request)
                answer = await there_reader.read(1 << 20)
                if b"EVALSHA" in request:
                    asked.append(request)
                    break
                writer.write(answer)
        for each in (there, writer):
            each.close()
            await each.wait_closed()

    server = await asyncio.start_unix_server(carry, socket)
    async with server:
        yield asked


async def test_no_call_is_repeated(servers: Settings, server: Server, prekeys: Prekeys, tmp_path: Path) -> None:
    """Whether a call whose answer is lost was done is not known: repeated, a put could bring back what was used."""
    await put(prekeys, {1: 1})
    leave = await claimed(prekeys)
    async with losing_answers(servers, tmp_path / "lossy.sock") as asked:
        lossy = Prekeys(f"unix://{tmp_path / 'lossy.sock'}?db=1", layers=2)
        with pytest.raises(Unavailable):
            await lossy.put(leave, [{0: entry(2)}, {}])
        assert len(asked) == 1
        assert not await take(lossy, 1)
        assert len(asked) == 2
        await lossy.close()
    assert await take(prekeys, 0, 1) == {0: entry(2)}


async def test_the_secret_is_made_once(store: Store) -> None:
    secret = await store.prekey_secret.load()
    assert len(secret) == 32
    assert await Secret(store.server, SEALS).load() == secret
