"""How often readers hear of a topic: what a choice means, in numbers."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tocsin import clock
from tocsin.domain.levels import Level
from tocsin.recent import SHOWN
from tocsin.store.store import Store

DAYS = 30
# Less says nothing of a month.
LEAST_DAYS = 7

PerDay = dict[Level, float]


class Frequency:
    """Alerts a day, by topic and exact level, over the last 30 days or the site's life if that is shorter.

    Counted up to the full hour and once in it: anybody may ask, and all processes must say the same, or an ETag would
    never hold.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: Mapping[str, PerDay] | None = None
        self._until: datetime | None = None
        self._turn = asyncio.Lock()

    async def per_day(self, topic: str) -> PerDay | None:
        """None while the site is younger than a week. An alert with several topics counts for each of them."""
        until = clock.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        async with self._turn:
            if self._until != until:
                self._found = await self._count(until)
                self._until = until
            found = self._found
        return None if found is None else found.get(topic, dict.fromkeys(Level, 0.0))

    async def _count(self, until: datetime) -> Mapping[str, PerDay] | None:
        first_at = await self._store.pasts.first_at()
        days = (until - first_at).days if first_at else 0
        if days < LEAST_DAYS:
            return None
        days = min(days, DAYS)
        pasts = await self._store.pasts.between(until - timedelta(days=days), until)
        # A correction is no news of its own: it comes in the place of what it corrects.
        counts = Counter(
            (topic, past.level)
            for past in pasts
            if past.state in SHOWN and not past.is_follow_up
            for topic in past.topics
        )
        return {
            topic: {level: round(counts[topic, level] / days, 2) for level in Level}
            for topic in {topic for topic, _ in counts}
        }
