"""The preferences' contract (docs/api.md) written down a second time, plainly and slowly, from its words alone.

It knows nothing of Tocsin's code: preferences and alerts are the JSON that readers and editors send, and quiet hours
are found by walking along the wall clock minute by minute. Tests compare the two.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

Json = Mapping[str, Any]

LEVELS = ["update", "breaking", "flash"]
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Answer(NamedTuple):
    """`verdict` is send, defer, skip or outside; `until` is the end of the quiet hours for one who is deferred."""

    verdict: str
    reason: str | None = None
    until: datetime | None = None


def answer(alert: Json, wants: Json, now: datetime, site_zone: str = "UTC", had_today: int = 0) -> Answer:
    """The contract's `decide`; an alert with `follows_up` is a correction or retraction for one who is to be told."""
    follows_up, story = alert.get("follows_up", False), alert.get("story")
    if not follows_up:
        if not _followed(alert, wants, now):
            return Answer("outside")
        if alert.get("language") and wants.get("language") and not _understood(alert["language"], wants["language"]):
            return Answer("skip", "language")
    if _chosen(wants.get("muted_stories", ()), story, now):
        return Answer("skip", "muted_story")
    if wants.get("snoozed_until") and now < _moment(wants["snoozed_until"]):
        return Answer("skip", "snoozed")
    if not follows_up and not any(_as_big(alert["level"], least) for least in _followed(alert, wants, now)):
        return Answer("skip", "level")
    until = quiet_until(alert, wants, now, site_zone)
    if until is not None:
        if wants["quiet_hours"].get("then") == "drop" and not follows_up:
            return Answer("skip", "quiet_hours")
        return Answer("defer", "quiet_hours", until)
    if counts(alert, wants) and had_today >= wants["daily_cap"]["count"]:
        return Answer("skip", "daily_cap")
    return Answer("send")


def _followed(alert: Json, wants: Json, now: datetime) -> list[str]:
    """For whatever of this alert the reader follows, the least level that is wanted of it."""
    wanted = [
        wants.get("topic_levels", {}).get(topic, wants.get("min_level", "update"))
        for topic in alert["topics"]
        if topic in wants.get("topics", ())
    ]
    return wanted + ["update"] * _chosen(wants.get("followed_stories", ()), alert.get("story"), now)


def counts(alert: Json, wants: Json) -> bool:
    """Whether an alert counts under the reader's cap; a correction does not at all."""
    cap = wants.get("daily_cap")
    if not cap or alert.get("follows_up"):
        return False
    return not (cap.get("flash_exempt") and alert["level"] == "flash")


def own_day(wants: Json, now: datetime, site_zone: str = "UTC") -> date:
    """The day of the reader's cap."""
    return now.astimezone(ZoneInfo(_zone(wants, "daily_cap", site_zone))).date()


def quiet_until(alert: Json, wants: Json, now: datetime, site_zone: str = "UTC") -> datetime | None:
    hours = wants.get("quiet_hours")
    if not hours or (hours.get("wake_for") and _as_big(alert["level"], hours["wake_for"])):
        return None
    minute = now.replace(second=0, microsecond=0)
    return quiet_end(hours["start"], hours["end"], _zone(wants, "quiet_hours", site_zone), minute)


def quiet_end(start: str, end: str, zone: str, now: datetime) -> datetime | None:
    """The end of the quiet hours that this minute lies in, None where it lies in none."""
    today = now.astimezone(ZoneInfo(zone)).date()
    nights = [_night(start, end, zone, today + days * DAY) for days in (-1, 0, 1)]
    until = now
    while found := next((last for first, last in nights if first <= until < last), None):
        until = found
    return None if until == now else until


@cache
def _night(start: str, end: str, zone: str, day: date) -> tuple[datetime, datetime]:
    """When the quiet hours of a day begin and end.

    They begin with the first minute at which the clock shows their start or has jumped over it. They end when the
    clock passes their end for the last time: one that goes back to before the end makes the night longer.
    """
    midnight = datetime.combine(day, time(), UTC)
    shown = _walk(zone, midnight - 16 * HOUR, midnight + 3 * DAY + 2 * HOUR)
    starts = datetime.combine(day, time.fromisoformat(start))
    ends = datetime.combine(day if start < end else day + DAY, time.fromisoformat(end))
    begins = next(moment for moment, wall in shown if wall >= starts)
    passes = [moment for (moment, wall), (_, before) in zip(shown[1:], shown, strict=False) if before < ends <= wall]
    return begins, passes[-1]


@lru_cache(64)
def _walk(zone: str, first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
    """Each minute and what a clock on the wall shows then."""
    info = ZoneInfo(zone)
    minutes = (first + number * MINUTE for number in range((last - first) // MINUTE))
    return [(moment, moment.astimezone(info).replace(tzinfo=None)) for moment in minutes]


def _zone(wants: Json, part: str, site_zone: str) -> str:
    zone: str = (wants.get(part) or {}).get("time_zone") or wants.get("time_zone") or site_zone
    return zone


def _chosen(choices: Sequence[Any], story: str | None, now: datetime) -> bool:
    for choice in choices:
        name, until = (choice, None) if isinstance(choice, str) else (choice["story"], choice.get("until"))
        if name == story and (until is None or now < _moment(until)):
            return True
    return False


def _understood(one: str, other: str) -> bool:
    """The same language, or one is a more special form of the other."""
    mine, theirs = f"{one.lower()}-", f"{other.lower()}-"
    return mine.startswith(theirs) or theirs.startswith(mine)


def _as_big(level: str, least: str) -> bool:
    return LEVELS.index(level) >= LEVELS.index(least)


def _moment(text: str | datetime) -> datetime:
    return text if isinstance(text, datetime) else datetime.fromisoformat(text)
