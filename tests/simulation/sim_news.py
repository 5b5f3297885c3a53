"""A week of news and of readers who change their minds, drawn by chance and always the same.

Alerts come some minutes after a quarter of an hour, since quiet hours, pauses and days end at quarters in every time
zone: what is being sent then is not overtaken by the clock.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from crowd import LANGUAGES, STORIES, TOPICS, Crowd, Wants

# Europe changes its clocks on the Sunday, at 01:00 UTC.
BEGIN = datetime(2026, 10, 20, tzinfo=UTC)
DAYS = 7
END = BEGIN + timedelta(days=DAYS)
SITE_ZONE = "Europe/London"
QUARTER = timedelta(minutes=15)
SEND_AT_AHEAD = timedelta(hours=2)
QUARTERS = [(BEGIN + at * QUARTER).isoformat().replace("+00:00", "Z") for at in range(0, DAYS * 96, 5)]

ALERTS = 40


@dataclass
class News:
    """An alert that is to come, or its follow-up; `begun` and `ended` are when it was really sent, `id` what it became.

    `stop_after` is for one that is stopped; `root` is the news that is corrected.
    """

    at: datetime
    draft: Wants
    root: "News | None" = None
    retracts: bool = False
    in_flight: bool = False
    stop_after: timedelta | None = None
    id: str = ""
    begun: datetime = END
    ended: datetime = END
    stopped: datetime | None = None
    together_with: "News | None" = None
    follow_ups: list["News"] = field(default_factory=list)

    @property
    def chain(self) -> "News":
        return self.root or self

    @property
    def as_asked(self) -> Wants:
        """For the oracle."""
        return {**self.draft, "follows_up": self.root is not None}

    @property
    def expires(self) -> datetime:
        given = None if self.root is not None else self.draft.get("expires_at")
        return datetime.fromisoformat(given) if given else self.begun + timedelta(hours=24)


@dataclass(frozen=True)
class Change:
    """A reader's new wishes; None: it leaves, or, where it was never there, nothing."""

    at: datetime
    reader: int
    wants: Wants | None


def a_week_of_news(seed: int) -> list[News]:
    chance = random.Random(seed)
    places = sorted(chance.sample(range(2, DAYS * 96 - 40, 1), ALERTS))
    news = [
        News(BEGIN + place * QUARTER + _a_bit(chance), _draft(chance, number)) for number, place in enumerate(places)
    ]
    for number, each in enumerate(news):
        each.draft["level"] = "flash" if number % 13 == 5 else "breaking" if number % 5 in (1, 3) else "update"
    for number in (3, 11, 19, 27):
        news[number].draft["expires_at"] = (news[number].at + timedelta(hours=3)).isoformat()
    for number in (7, 23):
        news[number].draft["send_at"] = news[number].at.isoformat()
    for number in (9, 21, 33):  # stopped while some wait, in the midst of it, and before it began
        news[number].stop_after = {9: timedelta(hours=1), 21: timedelta(0), 33: timedelta(seconds=5)}[number]
    news[33].draft["undo_seconds"] = 15
    pair = News(news[14].at, _draft(chance, ALERTS))
    pair.together_with, news[14].together_with = news[14], pair
    news.append(pair)
    for number, hours in ((1, 0.5), (5, 2), (12, 6), (17, 0), (25, 9), (30, 1), (36, 3)):
        _correct(news, news[number], number, hours)
    _correct(news, news[5], 50, 5)  # once more
    _correct(news, news[30], 51, 4, retracts=True)
    return sorted(news, key=lambda each: each.at)


def _correct(news: list[News], root: News, number: int, hours: float, *, retracts: bool = False) -> None:
    """Hours of 0: while the original is being sent."""
    words = {"headline": f"Corrected: news {number}"}
    follow_up = News(root.at + timedelta(hours=hours), {**root.draft, **words}, root, retracts, in_flight=not hours)
    root.follow_ups.append(follow_up)
    news.append(follow_up)


def _a_bit(chance: random.Random) -> timedelta:
    return timedelta(minutes=4, seconds=chance.randint(0, 120))


def _draft(chance: random.Random, number: int) -> Wants:
    draft: dict[str, Any] = {
        "headline": f"News {number}",
        "url": "https://news.example.com/",
        "topics": sorted(chance.sample(TOPICS, chance.choice([1, 1, 2, 3]))),
        "level": "update",
    }
    if chance.random() < 0.5:
        draft["story"] = chance.choice(STORIES)
    if chance.random() < 0.3:
        draft["language"] = chance.choice(LANGUAGES)
    return draft


def changes_of_mind(seed: int, readers: int, crowd: Crowd) -> list[Change]:
    """Every fifth reader in the week; some of them leave, and some come anew under numbers of their own."""
    chance = random.Random(seed)
    changes = []
    for number in range(readers // 5):
        at = BEGIN + timedelta(seconds=chance.randint(60, DAYS * 86_400 - 60))
        kind = chance.random()
        if kind < 0.1:
            changes.append(Change(at, readers + number, crowd.wants()))
        else:
            wants = None if kind < 0.25 else crowd.wants()
            changes.append(Change(at, chance.randrange(readers), wants))
    return sorted(changes, key=lambda change: change.at)
