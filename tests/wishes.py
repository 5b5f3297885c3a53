"""Preferences, alerts and moments for property tests: everything at once, and clock changes far oftener than in life.

All of it is JSON, as it comes from outside; the moments are aware.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

from tocsin.domain.alerts import AlertDraft
from tocsin.domain.preferences import Preferences

TOPICS = ["world", "sport", "culture", "politics"]
STORIES = ["aleppo", "budget", "election"]
LANGUAGES = [None, "en", "en-GB", "EN-us", "de", "pt-BR", "pt-PT"]
# Clocks that change in the north and the south, by half an hour, over midnight, never, and far from any hour.
ZONES = ["Europe/London", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Asia/Tokyo",
         "Asia/Kathmandu", "Pacific/Chatham", "America/St_Johns", "Africa/Casablanca", "UTC"]  # fmt: skip
ALL_ZONES = sorted(available_timezones())
HOUR = timedelta(hours=1)

levels = st.sampled_from(["flash", "breaking", "update"])
topics = st.lists(st.sampled_from(TOPICS), max_size=3, unique=True)
zones = st.sampled_from(ZONES) | st.sampled_from(ALL_ZONES)
walls = st.builds(
    "{:02}:{:02}".format,
    st.sampled_from([22, 23, 0, 1, 2, 3, 7]) | st.integers(0, 23),
    st.sampled_from([0, 30]) | st.integers(0, 59),
)


def hours(zone: st.SearchStrategy[str | None]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"start": walls, "end": walls},
        optional={
            "wake_for": st.none() | levels,
            "then": st.sampled_from(["defer", "drop"]),
            "time_zone": zone,
        },
    ).filter(lambda given: given["start"] != given["end"])


@st.composite
def preferences(draw: st.DrawFn, zone: str, now: datetime) -> dict[str, Any]:
    """For one who lives by this clock, and whose pauses end around now."""
    mostly = st.none() | st.just(zone)
    near = st.builds(lambda ms: now + timedelta(milliseconds=ms), st.sampled_from([-1, 0, 1, -86_400_000, 86_400_000]))
    moment = near.map(lambda at: at.isoformat().replace("+00:00", "Z"))
    story = st.sampled_from(STORIES)
    choices = st.lists(
        story | st.fixed_dictionaries({"story": story, "until": st.none() | moment}),
        max_size=2,
        unique_by=lambda choice: choice if isinstance(choice, str) else choice["story"],
    )
    of_cap = {"flash_exempt": st.booleans(), "time_zone": mostly}
    parts = {
        "topics": topics,
        "min_level": levels,
        "topic_levels": st.dictionaries(st.sampled_from(TOPICS), levels, max_size=2),
        "time_zone": mostly,
        "quiet_hours": st.none() | hours(mostly),
        "daily_cap": st.none() | st.fixed_dictionaries({"count": st.integers(0, 3)}, optional=of_cap),
        "snoozed_until": st.none() | st.none() | moment,
        "muted_stories": st.just([]) | choices,
        "followed_stories": choices,
        "language": st.sampled_from(LANGUAGES),
    }
    return draw(st.fixed_dictionaries({}, optional=parts))


alerts = st.fixed_dictionaries(
    {"topics": st.lists(st.sampled_from(TOPICS), min_size=1, max_size=3, unique=True), "level": levels},
    optional={
        "story": st.none() | st.sampled_from(STORIES),
        "language": st.sampled_from(LANGUAGES),
        "follows_up": st.booleans(),
    },
)


@cache
def changes(zone: str, year: int) -> list[datetime]:
    """The moments of a year at which the clocks of a zone change, to the hour."""
    info, first = ZoneInfo(zone), datetime(year, 1, 1, tzinfo=UTC)
    days = [first + timedelta(days=day) for day in range(367)]
    offsets = [day.astimezone(info).utcoffset() for day in days]
    changed = [day for day, before, after in zip(days, offsets, offsets[1:], strict=False) if before != after]
    return [
        day + hour * HOUR
        for day in changed
        for hour in range(24)
        if (day + hour * HOUR).astimezone(info).utcoffset() != (day + (hour + 1) * HOUR).astimezone(info).utcoffset()
    ]


@st.composite
def places(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and a moment there; most of the moments lie around a change of clocks, where there is one."""
    zone, year = draw(zones), draw(st.integers(1990, 2036))
    near = changes(zone, year)
    start = draw(st.sampled_from(near)) if near and draw(st.integers(0, 4)) else datetime(year, 3, 1, tzinfo=UTC)
    minutes = draw(st.integers(-30 * 60, 30 * 60) | st.integers(-120, 180))
    return zone, start + timedelta(minutes=minutes, seconds=draw(st.sampled_from([0, 59])))


def parsed(wants: dict[str, Any]) -> Preferences:
    return Preferences.model_validate(wants)


def drafted(alert: dict[str, Any]) -> AlertDraft:
    words = {"headline": "News", "url": "https://news.example.com/"}
    return AlertDraft.model_validate({**words, **{name: alert[name] for name in alert if name != "follows_up"}})
