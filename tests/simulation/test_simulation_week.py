"""A week of news: every browser gets what it wants, when it wants it, once, and nothing else.

800 browsers in `make test`; `make week` lives through the same week with 100,000 (BROWSERS=...) and tells how far.
"""

import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from rich.console import Console
from sim_judge import Judge, Verdicts
from sim_news import BEGIN, END, QUARTERS, SEND_AT_AHEAD, Change, News, a_week_of_news, changes_of_mind
from sim_push import Cipher, note_turns
from sim_world import World

from crowd import TOPICS, Crowd
from simulated_clock import SimClock
from tocsin import clock
from tocsin.publishing import account
from tocsin.settings import Settings

BROWSERS = int(os.environ.get("BROWSERS", "800"))
# Whoever waits at the end of the week gets it on the day after.
DRAINED = END + timedelta(hours=30)

console = Console()
Event = tuple[datetime, Callable[[], Awaitable[None]]]


@pytest.mark.timeout(max(300, BROWSERS // 14))  # `make week` takes half an hour
async def test_a_week(servers: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    sim_clock, started = SimClock(), time.monotonic()
    sim_clock.install(monkeypatch)
    Cipher().install(monkeypatch)
    note_turns(monkeypatch)
    crowd, news = Crowd(1, QUARTERS, sets=400), a_week_of_news(2)
    world = await World.open(servers, sim_clock, BEGIN)
    try:
        await world.settle_in(crowd, BROWSERS, TOPICS)
        changes = changes_of_mind(3, BROWSERS, crowd)
        await world.live(events(world, news, changes, crowd), DRAINED)
        left, lived = await left_over(world), time.monotonic() - started
        verdicts = judge(world, news)
        rest = ", ".join(f"{name} {count}" for name, count in left.items())
        console.print(
            f"a week, {BROWSERS:,} browsers, {len(news)} alerts: {told(verdicts)}, {rest}; "
            f"latest {verdicts.latest:.1f} s after quiet hours; lived in {lived:.0f} s, "
            f"judged in {time.monotonic() - started - lived:.0f} s",
            soft_wrap=True,
        )
    finally:
        await world.close()
    assert not verdicts.faults, verdicts.faults
    assert left == dict.fromkeys(LEFT, 0)
    assert min(verdicts.counts[name] for name in ("sent", "single", "deferred", "summaries")) > BROWSERS // 20


FAULTS = ("against", "missed", "doubled", "late")


def told(verdicts: Verdicts) -> str:
    return ", ".join(f"{name} {verdicts.counts[name]:,}" for name in ("sent", "deferred", "summaries", *FAULTS))


def events(world: World, news: list[News], changes: list[Change], crowd: Crowd) -> list[Event]:
    """Everything that anybody does in the week."""
    found: list[Event] = []

    def at(moment: datetime, act: Callable[[], Awaitable[None]]) -> None:
        found.append((moment, act))

    for change in changes:
        at(change.at, lambda change=change: world.change(change, crowd))  # type: ignore[misc]
    for number, each in enumerate(news):
        at(each.at, lambda each=each, number=number: publish(world, each, number, crowd))  # type: ignore[misc]
        if "send_at" in each.draft and each.root is None:
            at(each.at - SEND_AT_AHEAD, lambda each=each: world.queue(each))  # type: ignore[misc]
        if each.stop_after:
            at(each.at + each.stop_after, lambda each=each: world.stop(each))  # type: ignore[misc]
    return found


async def publish(world: World, news: News, number: int, crowd: Crowd) -> None:
    if news.in_flight or news.begun < END:
        return  # sent with another one
    if news.draft.get("undo_seconds") and news.root is None:
        await world.queue(news)  # it is stopped before it begins
        return
    sent = len(world.receptions)
    await world.send(news, crowd)
    if BROWSERS > 10_000:
        took = (news.ended - news.begun).total_seconds()
        what = f"{clock.now():%a %H:%M} alert {number}, {news.draft['level']}"
        console.print(f"{what}: {len(world.receptions) - sent:,} in {took:.0f} s; {len(world.receptions):,} so far")


def judge(world: World, news: list[News]) -> Verdicts:
    whole, by_id = Verdicts(), {each.id: each for each in news}
    got, notices = world.receptions.by_browser(), world.receptions.notices
    for reader, versions in world.versions.items():
        mine = [(each, notices[each.what]) for each in got.get(reader, ())]
        whole.add(Judge(reader, versions, mine, by_id).judge(news, DRAINED))
    return whole


LEFT = ("unaccounted", "set_aside", "deferred", "retrying", "pending")


async def left_over(world: World) -> dict[str, int]:
    """What the accounts say of readers for whom something is still to be done."""
    total: Counter[str] = Counter()
    for alert_id in await world.store.alerts.recent_with_ledgers():
        total.update((await account(world.store, await world.store.alerts.get(alert_id))).whole.counts())
    return {name: total[name] for name in LEFT}
