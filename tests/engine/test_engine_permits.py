"""How the requests in flight are shared out: a push service that hangs leaves room for the others."""

import asyncio

import pytest

from tocsin_workers.permits import Lane, Permits

APPLE, FCM = ("an-alert", "apple"), ("an-alert", "fcm")


def at_work(*lanes: Lane, most: int = 100) -> Permits:
    """A shard for each of these, whose push services accept what they are sent."""
    permits = Permits(most)
    for lane in lanes:
        join(permits, lane)
    return permits


def join(permits: Permits, lane: Lane) -> None:
    permits.join(lane)
    permits.prove(lane[1], 0.0)


async def test_one_push_service_leaves_a_share_for_whoever_comes_next() -> None:
    permits = at_work(APPLE)
    assert await permits.take(APPLE, 100) == 50
    join(permits, FCM)
    assert await permits.take(FCM, 100) == 33


async def test_one_that_accepts_nothing_takes_next_to_nothing_from_the_others() -> None:
    permits = at_work(FCM)
    permits.join(APPLE)
    assert await permits.take(APPLE, 100) == 10
    assert await permits.take(FCM, 100) == 50


async def test_no_more_are_taken_than_are_wanted() -> None:
    permits = at_work(APPLE)
    assert await permits.take(APPLE, 7) == 7


async def test_two_alerts_share_their_push_services_part() -> None:
    another = ("another-alert", "apple")
    permits = at_work(APPLE, another)
    assert [await permits.take(APPLE, 100), await permits.take(another, 100)] == [25, 25]
    join(permits, FCM)
    assert await permits.take(FCM, 100) == 33


async def test_two_shards_of_one_alert_take_what_the_other_leaves() -> None:
    permits = at_work(APPLE, APPLE)
    assert [await permits.take(APPLE, 10), await permits.take(APPLE, 100)] == [10, 40]


async def test_a_large_share_goes_in_several_windows() -> None:
    permits = at_work(APPLE, most=1_000)
    assert [await permits.take(APPLE, 1_000) for _ in range(4)] == [125] * 4


@pytest.mark.parametrize(("wanted", "room"), [(10, True), (100, False)])
async def test_there_is_room_for_another_shard_once_those_at_work_have_what_they_want(wanted: int, room: bool) -> None:
    permits = at_work(APPLE)
    assert not permits.has_room(APPLE)
    await permits.take(APPLE, wanted)
    permits.started(APPLE)
    assert permits.has_room(APPLE) is room
    assert permits.room.is_set() is room


async def test_a_flash_has_room_for_as_many_of_its_shards_as_any_alert() -> None:
    permits, flash = at_work(most=1_000), ("a-flash", "fcm")
    permits.join(flash, urgent=True)
    permits.prove("fcm", 0.0)
    assert await permits.take(flash, 1_000, urgent=True) == 125
    permits.started(flash)
    assert permits.has_room(flash)


async def test_there_is_no_room_for_another_shard_that_would_wait_for_something_urgent() -> None:
    permits = at_work(FCM)
    await permits.take(FCM, 1)
    permits.started(FCM)
    permits.join(("a-flash", "fcm"), urgent=True)
    assert not permits.has_room(FCM)


async def test_there_is_no_room_beside_a_shard_that_was_claimed_and_has_not_joined_yet() -> None:
    permits = at_work(APPLE)
    await permits.take(APPLE, 10)
    permits.started(APPLE)
    assert permits.has_room(APPLE, claimed=1)
    assert not permits.has_room(APPLE, claimed=2)


async def test_there_is_no_room_while_the_pace_holds_one_back() -> None:
    permits = at_work(APPLE)
    await permits.take(APPLE, 10)
    permits.started(APPLE)
    permits.pause(APPLE)
    assert not permits.has_room(APPLE)
    permits.go_on(APPLE)
    assert permits.has_room(APPLE)


async def test_what_is_urgent_goes_first_and_nobody_slips_in_between_its_shards() -> None:
    permits = at_work(FCM, APPLE)
    flash = ("a-flash", "fcm")
    permits.join(flash, urgent=True)
    assert await permits.take(flash, 100, urgent=True) == 33
    assert await permits.take(APPLE, 100) == 3
    waiting = asyncio.create_task(permits.take(FCM, 100))
    await asyncio.sleep(0)
    permits.leave(flash, urgent=True)
    permits.join(flash, urgent=True)
    await permits.give_back(flash, 33)
    assert await permits.take(flash, 100, urgent=True) == 33
    assert not waiting.done()
    await permits.give_back(flash, 33)
    permits.leave(flash, urgent=True)
    assert await waiting == 33


async def test_who_finds_none_waits_until_some_are_given_back() -> None:
    permits = at_work(APPLE, most=2)
    assert await permits.take(APPLE, 1) == 1
    waiting = asyncio.create_task(permits.take(APPLE, 1))
    await asyncio.sleep(0)
    assert not waiting.done()
    await permits.give_back(APPLE, 1)
    assert await waiting == 1


async def test_who_waits_for_something_urgent_looks_up_now_and_then() -> None:
    permits = at_work(APPLE)
    permits.join(("a-flash", "apple"), urgent=True)
    assert await permits.take(APPLE, 1) == 0
