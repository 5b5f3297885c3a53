"""Whether a reader gets an alert, and why not: one pure function that sending, estimating and history share."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tocsin.domain.levels import Level
from tocsin.domain.preferences import Preferences


class Verdict(StrEnum):
    SEND = "send"
    SKIP = "skip"
    OUTSIDE = "outside"  # not in the audience at all: counted nowhere


class Reason(StrEnum):
    """Why a follower is skipped; the names are those of `progress.skipped`."""

    LEVEL = "level"


@dataclass(frozen=True)
class Decision:
    verdict: Verdict
    reason: Reason | None = None


@dataclass(frozen=True)
class Audience:
    """What of an alert its readers' preferences look at."""

    topics: Collection[str]
    level: Level


SEND = Decision(Verdict.SEND)
OUTSIDE = Decision(Verdict.OUTSIDE)
SKIP_LEVEL = Decision(Verdict.SKIP, Reason.LEVEL)


def decide(alert: Audience, preferences: Preferences, now: datetime) -> Decision:
    """The first rule that applies decides (the order is a contract): audience, level, send.

    `now` is aware; the rules about time (quiet hours, snooze, caps) look at nothing else.
    """
    followed = [topic for topic in alert.topics if topic in preferences.topics]
    if not followed:
        return OUTSIDE
    if not any(preferences.least_level(topic).admits(alert.level) for topic in followed):
        return SKIP_LEVEL
    return SEND
