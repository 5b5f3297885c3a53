"""How the requests in flight are shared out: a push service that hangs leaves room for the others."""

import asyncio

from tocsin_workers.permits import Permits


def at_work(*push_services: str, most: int = 100) -> Permits:
    """A share for each of these, which accept what they are sent."""
    permits = Permits(most)
    for push_service in push_services:
        permits.join(push_service)
        permits.prove(push_service, 0.0)
    return permits


async def test_one_push_service_leaves_a_share_for_whoever_comes_next() -> None:
    permits = at_work("apple")
    assert await permits.take("apple", 100) == 50
    permits.join("fcm")
    permits.prove("fcm", 0.0)
    assert await permits.take("fcm", 100) == 33


async def test_one_that_accepts_nothing_takes_next_to_nothing_from_the_others() -> None:
    permits = at_work("fcm")
    permits.join("apple")
    assert await permits.take("apple", 100) == 10
    assert await permits.take("fcm", 100) == 50


async def test_no_more_are_taken_than_are_wanted() -> None:
    permits = at_work("apple")
    assert await permits.take("apple", 7) == 7


async def test_two_alerts_share_their_push_services_part() -> None:
    permits = at_work("apple", "apple")
    assert [await permits.take("apple", 100), await permits.take("apple", 100)] == [25, 25]
    permits.join("fcm")
    permits.prove("fcm", 0.0)
    assert await permits.take("fcm", 100) == 33


async def test_what_is_urgent_goes_first_and_nobody_slips_in_between_its_shards() -> None:
    permits = at_work("fcm", "apple")
    permits.join("fcm", urgent=True)
    assert await permits.take("fcm", 100, urgent=True) == 33
    assert await permits.take("apple", 100) == 3
    waiting = asyncio.create_task(permits.take("fcm", 100))
    await asyncio.sleep(0)
    permits.leave("fcm", urgent=True)
    permits.join("fcm", urgent=True)
    await permits.give_back("fcm", 33)
    assert await permits.take("fcm", 100, urgent=True) == 33
    assert not waiting.done()
    await permits.give_back("fcm", 33)
    permits.leave("fcm", urgent=True)
    assert await waiting == 33


async def test_who_finds_none_waits_until_some_are_given_back() -> None:
    permits = at_work("apple", most=2)
    assert await permits.take("apple", 1) == 1
    waiting = asyncio.create_task(permits.take("apple", 1))
    await asyncio.sleep(0)
    assert not waiting.done()
    await permits.give_back("apple", 1)
    assert await waiting == 1


async def test_who_waits_for_something_urgent_looks_up_now_and_then() -> None:
    permits = at_work("apple")
    permits.join("apple", urgent=True)
    assert await permits.take("apple", 1) == 0
