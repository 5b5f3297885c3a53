"""How often readers hear of a topic, and in which languages: what a choice means."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tocsin import clock
from tocsin.domain.languages import primary
from tocsin.domain.levels import Level
from tocsin.recent import SHOWN
from tocsin.store.past import Past
from tocsin.store.store import Store

DAYS = 30
# Less says nothing of a month.
LEAST_DAYS = 7

PerDay = dict[Level, float]


@dataclass(frozen=True)
class _Month:
    """`per_day` is None while the site is younger than a week."""

    per_day: Mapping[str, PerDay] | None
    languages: tuple[str, ...]


class Frequency:
    """Of the last 30 days, or the site's life if that is shorter: alerts a day by topic and exact level, and languages.

    Counted up to the full hour and once in it: anybody may ask, and all processes must say the same, or an ETag would
    never hold.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found = _Month(None, ())
        self._until: datetime | None = None
        self._turn = asyncio.Lock()

    async def per_day(self, topic: str) -> PerDay | None:
        """None while the site is younger than a week. An alert with several topics counts for each of them."""
        found = (await self._month()).per_day
        return None if found is None else found.get(topic, dict.fromkeys(Level, 0.0))

    async def languages(self) -> tuple[str, ...]:
        """Those that alerts were marked with, without a country: a reader's choice of `en` takes `en-GB` in."""
        return (await self._month()).languages

    async def _month(self) -> _Month:
        until = clock.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        async with self._turn:
            if self._until != until:
                self._found = await self._count(until)
                self._until = until
            return self._found

    async def _count(self, until: datetime) -> _Month:
        pasts = await self._store.pasts.between(until - timedelta(days=DAYS), until)
        # A correction is no news of its own: it comes in the place of what it corrects.
        shown = [past for past in pasts if past.state in SHOWN and not past.is_follow_up]
        languages = {primary(past.language) for past in shown if past.language}
        first_at = await self._store.pasts.first_at()
        days = (until - first_at).days if first_at else 0
        per_day = None if days < LEAST_DAYS else _per_day(shown, min(days, DAYS))
        return _Month(per_day, tuple(sorted(languages)))


def _per_day(pasts: Iterable[Past], days: int) -> Mapping[str, PerDay]:
    counts = Counter((topic, past.level) for past in pasts for topic in past.topics)
    return {
        topic: {level: round(counts[topic, level] / days, 2) for level in Level}
        for topic in {topic for topic, _ in counts}
    }
