"""Whether a reader gets an alert, and why not: one pure function that sending, estimating and history share."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import product
from typing import NamedTuple

from tocsin.domain.levels import Level
from tocsin.domain.personal import Personal
from tocsin.domain.preferences import Preferences
from tocsin.domain.stories import names


class Verdict(StrEnum):
    SEND = "send"
    DEFER = "defer"
    SKIP = "skip"
    OUTSIDE = "outside"  # not in the audience at all: counted nowhere


class Reason(StrEnum):
    """Why a follower is skipped or has to wait; the names are those of `progress.skipped`."""

    LANGUAGE = "language"
    MUTED_STORY = "muted_story"
    SNOOZED = "snoozed"
    LEVEL = "level"
    QUIET_HOURS = "quiet_hours"
    DAILY_CAP = "daily_cap"


@dataclass(frozen=True)
class Decision:
    """`until` is when a deferred reader is asked about again."""

    verdict: Verdict
    reason: Reason | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Audience:
    """What of an alert its readers' preferences look at.

    `follows_up` is a correction or a retraction: it goes to those who had the alert that it is about, so topics,
    language, level and cap are not asked again. `site_zone` is the time zone of readers who named none.
    """

    topics: Collection[str]
    level: Level
    story: str | None = None
    language: str | None = None
    follows_up: bool = False
    site_zone: str = "UTC"


class Limit(NamedTuple):
    """A reader's cap: the own day, as days since 1970, and how many alerts it may hold."""

    day: int
    most: int


@dataclass(frozen=True, eq=False)
class Standing:
    """What is personal of a reader's preferences, as far as one alert at one moment looks at it: one of eight, so that
    whoever decides for many need not do so for each."""

    snoozed: bool
    followed: bool  # the alert's story
    muted: bool


_EVERY = tuple(Standing(snoozed, followed, muted) for muted, followed, snoozed in product((False, True), repeat=3))
_WITHOUT_STORY = _EVERY[:2]
NOTHING_PERSONAL = _EVERY[0]

SEND = Decision(Verdict.SEND)
OUTSIDE = Decision(Verdict.OUTSIDE)


def decide(alert: Audience, preferences: Preferences, now: datetime, had_today: int = 0) -> Decision:
    """`decide_as` for a whole set of preferences."""
    return decide_as(standing(alert, preferences, now), alert, preferences, now, had_today)


def decide_as(
    personal: Standing, alert: Audience, preferences: Preferences, now: datetime, had_today: int = 0
) -> Decision:
    """The first rule that applies decides; the order is a contract.

    Of `preferences` nothing that is personal is looked at. `now` is aware. `had_today` counts what the reader's cap
    counted on the reader's own day, without this alert. Of a follow-up the caller says who is in the audience.
    """
    if not alert.follows_up and (outside := _outside(personal, alert, preferences)):
        return outside
    if personal.muted:
        return _skip(Reason.MUTED_STORY)
    if personal.snoozed:
        return _skip(Reason.SNOOZED)
    if not alert.follows_up and not _level_admitted(personal, alert, preferences):
        return _skip(Reason.LEVEL)
    if until := quiet_until(alert, preferences, now):
        if preferences.quiet_hours and preferences.quiet_hours.then == "drop" and not alert.follows_up:
            return _skip(Reason.QUIET_HOURS)
        return Decision(Verdict.DEFER, Reason.QUIET_HOURS, until)
    cap = limit(alert, preferences, now)
    if cap is not None and had_today >= cap.most:
        return _skip(Reason.DAILY_CAP)
    return SEND


def standing(alert: Audience, personal: Preferences | Personal, now: datetime) -> Standing:
    """Only what is personal of preferences is looked at."""
    snoozed = personal.is_snoozed(now)
    if alert.story is None:
        return _WITHOUT_STORY[snoozed]
    followed, muted = personal.followed_stories, personal.muted_stories
    at = snoozed + 2 * names(followed, alert.story, now) + 4 * names(muted, alert.story, now)
    return _EVERY[at]


def standings(alert: Audience) -> Sequence[Standing]:
    """All that readers can stand in: an alert without a story is neither followed nor muted."""
    return _WITHOUT_STORY if alert.story is None else _EVERY


def quiet_until(alert: Audience, preferences: Preferences, now: datetime) -> datetime | None:
    """The end of the quiet hours that keep this alert from the reader now; None where nothing does."""
    hours = preferences.quiet_hours
    if hours is None or (hours.wake_for is not None and hours.wake_for.admits(alert.level)):
        return None
    return hours.quiet_until(now, hours.time_zone or preferences.time_zone or alert.site_zone)


def limit(alert: Audience, preferences: Preferences, now: datetime) -> Limit | None:
    """None where this alert does not count under the reader's cap."""
    cap = preferences.daily_cap
    if cap is None or alert.follows_up or (cap.flash_exempt and alert.level is Level.FLASH):
        return None
    return Limit(cap.day(now, preferences.time_zone or alert.site_zone), cap.count)


def _outside(personal: Standing, alert: Audience, preferences: Preferences) -> Decision | None:
    if not personal.followed and not any(topic in preferences.topics for topic in alert.topics):
        return OUTSIDE
    if alert.language and preferences.language and not _same_language(alert.language, preferences.language):
        return _skip(Reason.LANGUAGE)
    return None


def _level_admitted(personal: Standing, alert: Audience, preferences: Preferences) -> bool:
    if personal.followed:
        return True
    followed = (topic for topic in alert.topics if topic in preferences.topics)
    return any(preferences.least_level(topic).admits(alert.level) for topic in followed)


def _same_language(one: str, other: str) -> bool:
    """`en` and `en-GB` are the same to a reader, `pt-BR` and `pt-PT` are not (RFC 4647 §3.3.1, both ways)."""
    mine, theirs = one.lower().split("-"), other.lower().split("-")
    return all(left == right for left, right in zip(mine, theirs, strict=False))


def _skip(reason: Reason) -> Decision:
    return Decision(Verdict.SKIP, reason)
