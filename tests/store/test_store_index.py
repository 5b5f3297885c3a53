"""The index: from a digest to a number, changed only by who saw what stands there."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.domain.subscriptions import Address
from tocsin.store.index import NONE, Entry, Index, pending, ready
from tocsin.store.store import Store

DIGEST = bytes(range(16))
HERE, THERE = Address("fcm", 7), Address("push.example.com", 1_000_000)


async def test_nothing_stands_there_at_first(store: Store) -> None:
    assert await Index(store.server).get(DIGEST) == Entry(NONE)


@pytest.mark.parametrize("address", [HERE, THERE])
async def test_from_nothing_to_pending_to_ready_and_back(store: Store, address: Address) -> None:
    index = Index(store.server)
    assert await index.swap(DIGEST, NONE, pending(address)) == Entry(pending(address), address, ready=False)
    assert await index.swap(DIGEST, pending(address), ready(address)) == Entry(ready(address), address, ready=True)
    assert await index.get(DIGEST) == Entry(ready(address), address, ready=True)
    assert await index.swap(DIGEST, ready(address), NONE) == Entry(NONE)
    assert await store.server.redis.keys("index:*") == []


@pytest.mark.parametrize("seen", [NONE, pending(THERE), ready(HERE)])
async def test_what_is_not_as_it_was_seen_stays(store: Store, seen: bytes) -> None:
    index = Index(store.server)
    await index.swap(DIGEST, NONE, pending(HERE))
    assert await index.swap(DIGEST, seen, ready(THERE)) == Entry(pending(HERE), HERE, ready=False)
    assert await index.swap(DIGEST, seen, NONE) == Entry(pending(HERE), HERE, ready=False)


async def test_a_swap_told_twice_is_done_once(store: Store) -> None:
    index = Index(store.server)
    for _ in range(2):
        assert (await index.swap(DIGEST, NONE, pending(HERE))).address == HERE
    for _ in range(2):
        assert (await index.swap(DIGEST, pending(HERE), NONE)).address is None


async def test_of_fifty_at_once_one_wins(store: Store) -> None:
    index = Index(store.server)
    addresses = [Address("fcm", number) for number in range(50)]
    stands = await asyncio.gather(*(index.swap(DIGEST, NONE, pending(address)) for address in addresses))
    assert len({entry.address for entry in stands}) == 1


@given(st.lists(st.binary(min_size=16, max_size=16), unique=True, max_size=20))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_digests_do_not_meet(store: Store, digests: list[bytes]) -> None:
    await store.server.redis.flushall()
    index = Index(store.server)
    for number, digest in enumerate(digests):
        await index.swap(digest, NONE, ready(Address("fcm", number)))
    assert [(await index.get(digest)).address for digest in digests] == [
        Address("fcm", number) for number in range(len(digests))
    ]
