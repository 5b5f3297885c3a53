"""`decide`: every rule of the contract, and their order."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tocsin.domain.decisions import (
    OUTSIDE,
    SEND,
    Audience,
    Decision,
    Limit,
    Reason,
    Verdict,
    decide,
    limit,
    quiet_until,
)
from tocsin.domain.levels import Level
from tocsin.domain.preferences import Preferences

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SEVEN = datetime(2026, 3, 2, 7, tzinfo=UTC)
NIGHT = datetime(2026, 3, 1, 23, tzinfo=UTC)
HOURS = {"start": "22:00", "end": "07:00"}
ORDER = ["update", "breaking", "flash"]


def wants(**given: Any) -> Preferences:
    return Preferences.model_validate({"topics": ["world"], **given})


def alert(level: str = "breaking", **given: Any) -> Audience:
    return Audience(given.pop("topics", {"world"}), Level(level), **given)


def skip(reason: Reason) -> Decision:
    return Decision(Verdict.SKIP, reason)


@pytest.mark.parametrize(
    ("audience", "preferences", "expected"),
    [
        (alert("flash"), Preferences(), OUTSIDE),
        (alert("flash"), wants(topics=["sport"]), OUTSIDE),
        (alert("update"), wants(), SEND),
        (alert("update"), wants(min_level="breaking"), skip(Reason.LEVEL)),
        # A topic's own level beats the general one, both ways.
        (alert("update"), wants(min_level="flash", topic_levels={"world": "update"}), SEND),
        (alert(), wants(topic_levels={"world": "flash"}), skip(Reason.LEVEL)),
        # One followed topic that admits the level is enough.
        (
            alert(topics={"world", "sport"}),
            wants(topics=["world", "sport"], topic_levels={"sport": "flash"}),
            SEND,
        ),
        # A level for a topic that is not followed says nothing.
        (
            alert("update", topics={"world", "sport"}),
            wants(topics=["sport"], min_level="flash", topic_levels={"world": "update"}),
            skip(Reason.LEVEL),
        ),
        # A followed story makes the audience without a topic, and admits all levels.
        (alert("update", story="aleppo"), wants(topics=[], min_level="flash", followed_stories=["aleppo"]), SEND),
        (alert("update", story="aleppo"), wants(min_level="flash", followed_stories=["aleppo"]), SEND),
        (alert("update", story="budget"), wants(topics=[], followed_stories=["aleppo"]), OUTSIDE),
        (alert("update"), wants(topics=[], followed_stories=["aleppo"]), OUTSIDE),
        (
            alert("update", story="aleppo"),
            wants(topics=[], followed_stories=[{"story": "aleppo", "until": NOW}]),
            OUTSIDE,
        ),
        (
            alert("update", story="aleppo"),
            wants(min_level="flash", followed_stories=[{"story": "aleppo", "until": NOW}]),
            skip(Reason.LEVEL),
        ),
        # Flash does not pass mute and snooze.
        (alert("flash", story="aleppo"), wants(muted_stories=["aleppo"]), skip(Reason.MUTED_STORY)),
        (alert("flash"), wants(snoozed_until=LATER), skip(Reason.SNOOZED)),
        # Both end at their moment, not after it.
        (alert("flash"), wants(snoozed_until=NOW), SEND),
        (alert(story="aleppo"), wants(muted_stories=[{"story": "aleppo", "until": LATER}]), skip(Reason.MUTED_STORY)),
        (alert(story="aleppo"), wants(muted_stories=[{"story": "aleppo", "until": NOW}]), SEND),
        (alert(story="budget"), wants(muted_stories=["aleppo"]), SEND),
        (alert(), wants(muted_stories=["aleppo"]), SEND),
        # Followed and muted at once: muted comes first.
        (alert(story="a"), wants(followed_stories=["a"], muted_stories=["a"]), skip(Reason.MUTED_STORY)),
    ],
)
def test_audience_stories_and_levels(audience: Audience, preferences: Preferences, expected: Decision) -> None:
    assert decide(audience, preferences, NOW) == expected


@pytest.mark.parametrize(
    ("said", "read", "sent"),
    [
        (None, "en", True),
        ("en", None, True),
        ("en", "en", True),
        ("en", "de", False),
        ("en-GB", "en", True),
        ("en", "en-GB", True),
        ("EN-gb", "en-GB", True),
        ("en-GB", "en-US", False),
        ("pt-BR", "pt-PT", False),
        ("zh-Hant-TW", "zh-Hant", True),
        # A prefix of letters is no language.
        ("es", "est", False),
    ],
)
def test_languages(said: str | None, read: str | None, sent: bool) -> None:
    expected = SEND if sent else skip(Reason.LANGUAGE)
    assert decide(alert(language=said), wants(language=read), NOW) == expected


def test_the_order_of_the_rules() -> None:
    """All rules apply at once; each is taken away in its turn, and the next one decides."""
    audience = alert("update", story="aleppo", language="en")
    against: dict[str, Any] = {
        "topics": ["sport"],
        "language": "de",
        "muted_stories": ["aleppo"],
        "snoozed_until": NIGHT + timedelta(hours=1),
        "min_level": "flash",
        "quiet_hours": {**HOURS, "then": "drop"},
        "daily_cap": {"count": 0},
    }
    steps = [("topics", ["world"]), ("language", "en"), ("muted_stories", []), ("snoozed_until", None)]
    steps += [("min_level", "update"), ("quiet_hours", None), ("daily_cap", None)]
    met = []
    for name, harmless in steps:
        decision = decide(audience, Preferences.model_validate(against), NIGHT)
        met.append(decision.reason or decision.verdict)
        against[name] = harmless
    assert met == ["outside", "language", "muted_story", "snoozed", "level", "quiet_hours", "daily_cap"]
    assert decide(audience, Preferences.model_validate(against), NIGHT) == SEND


@pytest.mark.parametrize("level", ORDER)
@pytest.mark.parametrize("wake_for", [None, *ORDER])
def test_who_is_woken(level: str, wake_for: str | None) -> None:
    preferences = wants(quiet_hours={**HOURS, "wake_for": wake_for})
    wakes = wake_for is not None and ORDER.index(level) >= ORDER.index(wake_for)
    expected = SEND if wakes else Decision(Verdict.DEFER, Reason.QUIET_HOURS, SEVEN)
    assert decide(alert(level), preferences, NIGHT) == expected
    assert quiet_until(alert(level), preferences, NIGHT) == expected.until
    assert decide(alert(level), preferences, SEVEN) == SEND


def test_dropped_in_quiet_hours() -> None:
    assert decide(alert(), wants(quiet_hours={**HOURS, "then": "drop"}), NIGHT) == skip(Reason.QUIET_HOURS)


@pytest.mark.parametrize(
    ("own", "readers", "site", "quiet"),
    [
        (None, None, "UTC", True),
        (None, None, "Asia/Tokyo", False),
        (None, "Asia/Tokyo", "UTC", False),
        ("Europe/London", "Asia/Tokyo", "Asia/Tokyo", True),
        ("Asia/Tokyo", "Europe/London", "UTC", False),
    ],
)
def test_whose_zone(own: str | None, readers: str | None, site: str, quiet: bool) -> None:
    """Quiet hours and cap take their own zone, else the reader's, else the site's. In Tokyo it is 8 o'clock."""
    preferences = wants(
        time_zone=readers,
        quiet_hours={**HOURS, "time_zone": own},
        daily_cap={"count": 1, "time_zone": own},
    )
    audience = alert(site_zone=site)
    assert (decide(audience, preferences, NIGHT).verdict is Verdict.DEFER) is quiet
    first = (NIGHT - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert limit(audience, preferences, NIGHT) == Limit(first if quiet else first + 1, 1)


@pytest.mark.parametrize(
    ("level", "cap", "had", "sent", "counted"),
    [
        ("breaking", {"count": 2}, 1, True, True),
        ("breaking", {"count": 2}, 2, False, True),
        ("breaking", {"count": 2}, 3, False, True),
        ("breaking", {"count": 0}, 0, False, True),
        ("flash", {"count": 2}, 2, False, True),
        ("flash", {"count": 2, "flash_exempt": True}, 2, True, False),
        ("flash", {"count": 0, "flash_exempt": True}, 0, True, False),
        ("breaking", {"count": 2, "flash_exempt": True}, 2, False, True),
        ("breaking", None, 1_000, True, False),
    ],
)
def test_caps(level: str, cap: dict[str, Any] | None, had: int, sent: bool, counted: bool) -> None:
    preferences = wants(daily_cap=cap)
    assert decide(alert(level), preferences, NOW, had) == (SEND if sent else skip(Reason.DAILY_CAP))
    assert (limit(alert(level), preferences, NOW) is not None) is counted


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # Not asked again: topics, language, level, cap.
        ({"topics": [], "language": "de", "min_level": "flash", "daily_cap": {"count": 0}}, SEND),
        ({"muted_stories": ["aleppo"]}, skip(Reason.MUTED_STORY)),
        ({"snoozed_until": NIGHT + timedelta(hours=1)}, skip(Reason.SNOOZED)),
        ({"quiet_hours": HOURS}, Decision(Verdict.DEFER, Reason.QUIET_HOURS, SEVEN)),
        # Whoever had the original is told, if later, even where other alerts are dropped.
        ({"quiet_hours": {**HOURS, "then": "drop"}}, Decision(Verdict.DEFER, Reason.QUIET_HOURS, SEVEN)),
        ({"quiet_hours": {**HOURS, "wake_for": "update"}}, SEND),
    ],
)
def test_follow_ups(given: dict[str, Any], expected: Decision) -> None:
    audience = alert("update", story="aleppo", language="en", follows_up=True)
    preferences = wants(**given)
    assert decide(audience, preferences, NIGHT, had_today=9) == expected
    assert limit(audience, preferences, NIGHT) is None


def test_levels_admit_what_is_as_big_or_bigger() -> None:
    admitted = {(str(least), str(level)) for least in Level for level in Level if least.admits(level)}
    assert admitted == {(least, level) for at, least in enumerate(ORDER) for level in ORDER[at:]}
