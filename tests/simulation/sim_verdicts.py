"""What a judge says in the end, and what it asks the contract."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from sim_news import SITE_ZONE, News

import oracle
from crowd import Wants


@dataclass
class Verdicts:
    """`faults` are sentences on the first few of them."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    latest: float = 0.0

    def fault(self, kind: str, sentence: str) -> None:
        self.counts[kind] += 1
        if len(self.faults) < 20:
            self.faults.append(f"{kind}: {sentence}")

    def add(self, other: "Verdicts") -> None:
        self.counts.update(other.counts)
        self.faults = (self.faults + other.faults)[:20]
        self.latest = max(self.latest, other.latest)


def uncapped(news: News, wants: Wants | None, at: datetime) -> oracle.Answer:
    if wants is None:
        return oracle.Answer("outside")
    return oracle.answer(news.as_asked, {**wants, "daily_cap": None}, at, SITE_ZONE)


def asked_again(news: News, wants: Wants | None, at: datetime) -> oracle.Answer:
    """Of one who was deferred: all else is asked when the quiet hours are over."""
    until = None if wants is None else oracle.quiet_until(news.as_asked, wants, at, SITE_ZONE)
    return oracle.Answer("defer", "quiet_hours", until) if until else uncapped(news, wants, at)
