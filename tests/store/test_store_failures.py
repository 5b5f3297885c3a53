"""Who was set aside: to look at, newest first, and not without end."""

import pytest

from tocsin.domain.errors import NotFound
from tocsin.domain.subscriptions import Address
from tocsin.store import failures
from tocsin.store.failures import KILLED_ITS_WORKER, MOST_KEPT, UNREADABLE, Failure
from tocsin.store.store import Store

ALERT = "0" * 22


def a_failure(number: int, push_service: str = "fcm", reason: str = UNREADABLE) -> Failure:
    return Failure(ALERT, Address(push_service, number), reason, 1_000 + number)


async def test_the_newest_first(store: Store) -> None:
    assert await store.failures.latest(10) == []
    made = [a_failure(0), a_failure(1, "push.example.com", KILLED_ITS_WORKER), a_failure(2)]
    await store.failures.add(made[:2])
    await store.failures.add(made[2:])
    assert await store.failures.latest(10) == made[::-1]
    assert await store.failures.latest(1) == [made[2]]
    assert await store.failures.get(made[1].id) == made[1]


async def test_told_twice_it_is_there_once(store: Store) -> None:
    for _ in range(2):
        await store.failures.add([a_failure(5)])
    assert await store.failures.latest(10) == [a_failure(5)]


async def test_what_was_tried_again_is_forgotten(store: Store) -> None:
    await store.failures.add([a_failure(0), a_failure(1)])
    for _ in range(2):
        await store.failures.forget([a_failure(0).id])
    assert await store.failures.latest(10) == [a_failure(1)]
    with pytest.raises(NotFound):
        await store.failures.get(a_failure(0).id)


async def test_nothing_to_add(store: Store) -> None:
    await store.failures.add([])
    assert await store.server.redis.dbsize() == 0


async def test_ten_thousand_are_kept(store: Store) -> None:
    assert MOST_KEPT == 10_000
    await store.failures.add([a_failure(number) for number in range(MOST_KEPT)])
    await store.failures.add([a_failure(number) for number in range(MOST_KEPT, MOST_KEPT + 3)])
    kept = await store.failures.latest(MOST_KEPT + 10)
    assert [failure.address.number for failure in kept] == list(range(MOST_KEPT + 2, 2, -1))
    assert await store.server.redis.hlen(failures._FAILURES) == MOST_KEPT
