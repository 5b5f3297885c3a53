"""How the requests in flight are shared out: a push service that hangs leaves room for the others."""

import asyncio

from tocsin_workers.permits import Permits


async def test_one_push_service_leaves_a_share_for_whoever_comes_next() -> None:
    permits = Permits(100)
    permits.join("apple")
    assert await permits.take("apple", 100) == 50
    permits.join("fcm")
    assert await permits.take("fcm", 100) == 33


async def test_no_more_are_taken_than_are_wanted() -> None:
    permits = Permits(100)
    permits.join("apple")
    assert await permits.take("apple", 7) == 7


async def test_two_alerts_share_their_push_services_part() -> None:
    permits = Permits(100)
    permits.join("apple")
    permits.join("apple")
    assert [await permits.take("apple", 100), await permits.take("apple", 100)] == [25, 25]
    permits.join("fcm")
    assert await permits.take("fcm", 100) == 33


async def test_what_is_urgent_goes_first() -> None:
    permits = Permits(100)
    permits.join("fcm")
    permits.join("apple")
    permits.join("fcm", urgent=True)
    assert await permits.take("fcm", 100, urgent=True) == 16
    assert await permits.take("apple", 100) == 3
    waiting = asyncio.create_task(permits.take("fcm", 100))
    await asyncio.sleep(0)
    assert not waiting.done()
    await permits.leave("fcm", urgent=True)
    assert await waiting == 17


async def test_who_finds_none_waits_until_some_are_given_back() -> None:
    permits = Permits(2)
    permits.join("apple")
    assert await permits.take("apple", 1) == 1
    waiting = asyncio.create_task(permits.take("apple", 1))
    await asyncio.sleep(0)
    assert not waiting.done()
    await permits.give_back("apple", 1)
    assert await waiting == 1
