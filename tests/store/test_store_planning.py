"""A shard's plan: looked up in a table that all shards of an alert share, and one by one only where that matters."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bulk import preferences
from tocsin.domain.decisions import Audience, Limit
from tocsin.domain.deliveries import Mark
from tocsin.domain.levels import Level
from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin.planning import Planner, Planners, ShardPlan
from tocsin.store.shards import PERSONAL, shard_key
from tocsin.store.store import Store

NOW = datetime(2026, 3, 2, 21, 59, 30, tzinfo=UTC)
DAY = 20_514
WORLD = Audience(frozenset({"world"}), Level.BREAKING)
STORY = Audience(frozenset({"world"}), Level.BREAKING, story="aleppo")
QUIET = {"quiet_hours": {"start": "22:00", "end": "07:00"}}


@pytest.fixture
def planners(store: Store) -> Planners:
    return Planners(store.profiles, store.readers)


async def number(store: Store, **wants: Any) -> int:
    return await store.profiles.number(preferences({"topics": ["world"], **wants}))


def marks(plan: ShardPlan) -> str:
    whole = bytes(plan.ledger)
    assert len(whole) == SHARD_SIZE
    return whole.rstrip(b"\0").decode()


async def plan(planner: Planner, *numbers: int, now: datetime = NOW, among: set[int] | None = None) -> ShardPlan:
    return await planner.plan("fcm.0", numbers, now, among)


async def test_shards_of_any_size(store: Store, planners: Planners) -> None:
    plain = await number(store)

    assert [marks(await plan(planners.of(WORLD), *[plain] * size)) for size in range(4)] == ["", "p", "pp", "ppp"]
    assert marks(await plan(planners.of(WORLD), *[plain] * SHARD_SIZE)) == "p" * SHARD_SIZE


async def test_what_was_found_out_holds_for_its_minute(store: Store, planners: Planners) -> None:
    quiet, plain = await number(store, **QUIET), await number(store)
    later = NOW + timedelta(seconds=30)

    first = await plan(planners.of(WORLD), quiet, plain)
    second = await plan(planners.of(WORLD), plain, quiet, now=NOW + timedelta(seconds=29))
    third = await plan(planners.of(WORLD), quiet, plain, now=later)
    back = await plan(planners.of(WORLD), quiet, plain)

    assert [marks(each) for each in (first, second, third, back)] == ["pp", "pp", "dp", "pp"]
    assert (first.first_until, third.first_until) == (None, datetime(2026, 3, 3, 7, tzinfo=UTC))


async def test_alerts_do_not_share(store: Store, planners: Planners) -> None:
    plain = await number(store)

    for topic in [f"topic-{each}" for each in range(20)] * 2:
        assert marks(await plan(planners.of(Audience(frozenset({topic}), Level.FLASH)), plain)) == "-"
        assert marks(await plan(planners.of(WORLD), plain)) == "p"


async def test_the_first_of_the_deferred(store: Store, planners: Planners) -> None:
    night = await number(store, **QUIET)
    evening = await number(store, quiet_hours={"start": "21:00", "end": "23:30"})
    dropped = await number(store, quiet_hours={"start": "21:00", "end": "22:10", "then": "drop"})
    now = NOW + timedelta(minutes=5)

    found = await plan(planners.of(WORLD), night, evening, dropped, now=now)
    of_few = await plan(planners.of(WORLD), night, evening, dropped, now=now, among={0})

    assert (marks(found), found.first_until) == ("ddq", datetime(2026, 3, 2, 23, 30, tzinfo=UTC))
    assert (marks(of_few), of_few.first_until) == ("d--", datetime(2026, 3, 3, 7, tzinfo=UTC))


async def test_another_shard_knows_when_its_deferred_are_asked_again(store: Store, planners: Planners) -> None:
    """Once it did not: what it looked up had been found out by another, and its readers were forgotten."""
    quiet, later = await number(store, **QUIET), NOW + timedelta(minutes=1)

    nobody = await plan(planners.of(WORLD), quiet, now=later, among=set())
    somebody = await plan(planners.of(WORLD), quiet, now=later, among={0})

    assert (marks(nobody), marks(somebody)) == ("-", "d")
    assert somebody.first_until == datetime(2026, 3, 3, 7, tzinfo=UTC)


async def test_who_is_under_a_cap(store: Store, planners: Planners) -> None:
    capped = await number(store, daily_cap={"count": 3})
    exempt = await number(store, daily_cap={"count": 3, "flash_exempt": True})
    elsewhere = await number(store, topics=["sport"], daily_cap={"count": 3})

    breaking = await plan(planners.of(WORLD), capped, exempt, elsewhere, capped | PERSONAL)
    flash = await plan(planners.of(Audience(WORLD.topics, Level.FLASH)), capped, exempt)

    assert (marks(breaking), marks(flash)) == ("pp-p", "pp")
    assert breaking.capped == {slot: Limit(DAY, 3) for slot in (0, 1, 3)}
    assert flash.capped == {0: Limit(DAY, 3)}
    breaking.cap([1, 3])
    assert marks(breaking) == "pc-c"


async def test_what_is_personal_is_read_where_it_can_matter(store: Store, planners: Planners) -> None:
    world, sport = await number(store) | PERSONAL, await number(store, topics=["sport"]) | PERSONAL
    personal = {
        "0": '{"snoozed_until":"2026-03-03T00:00:00Z"}',
        "1": '{"muted_stories":["aleppo"]}',
        "2": '{"followed_stories":["aleppo"]}',
        "3": '{"followed_stories":["aleppo"]}',
        "4": '{"of a newer version":1}',
        "5": '{"of a newer version":1}',
    }
    await store.server.redis.hset(shard_key("fcm.0", "personal"), mapping=personal)
    numbers = [world, world, world, sport, world, sport, world, sport]

    about_it, other = [await plan(planners.of(each), *numbers) for each in (STORY, WORLD)]
    asked = [(await planners.of(each).draft(numbers, NOW)).asked for each in (STORY, WORLD)]

    assert (marks(about_it), marks(other)) == ("zmppkkp-", "zpp-k-p-")
    assert asked == [list(range(8)), [0, 1, 2, 4, 6]]


async def test_preferences_of_a_newer_version_are_set_aside(store: Store, planners: Planners) -> None:
    await store.server.redis.hset("{profiles}:sets", "9", '{"of a newer version":1}')

    found = await plan(planners.of(WORLD), 9, await number(store), 9 | PERSONAL, 0)

    assert marks(found) == "kpk"
    assert (await plan(planners.of(WORLD), 9, among=set())).ledger[0] is Mark.OUTSIDE
