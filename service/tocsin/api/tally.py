"""Receipts on their way to the store: counted here, added there about once a second, in one write."""

import asyncio
from collections import Counter

import structlog

from tocsin.api.load import Load
from tocsin.domain.errors import Unavailable
from tocsin.domain.receipts import Event
from tocsin.store.receipts import Receipts

log = structlog.get_logger()

FLUSH_SECONDS = 1.0
# How many alerts that the store did not name last time may be in here. Made-up ids find no more room than that, and
# take none from alerts that are known.
MOST_UNKNOWN = 1_000


class Tally:
    """Bounded: one counter for each alert, whoever sends how much. It holds nothing about who sent what."""

    def __init__(self, receipts: Receipts, load: Load) -> None:
        self._receipts = receipts
        self._load = load
        self._told: dict[str, Counter[Event]] = {}
        self._known: frozenset[str] = frozenset()
        self._unknown = 0
        self._flushing = asyncio.Lock()

    def add(self, alert_id: str, event: Event) -> None:
        counts = self._told.get(alert_id)
        if counts is None:
            if alert_id not in self._known and len(self._told) >= MOST_UNKNOWN:
                self._unknown += 1
                return
            counts = self._told[alert_id] = Counter()
        counts[event] += 1

    async def flush(self) -> None:
        """Raises Unavailable; what was counted is then counted still. It goes on where its caller is cancelled: half
        way nobody could say whether the counts are in the store."""
        await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        async with self._flushing:
            await self._add_to_store()

    async def _add_to_store(self) -> None:
        told, unknown, shed = self._told, self._unknown, self._load.take_turned_away()
        if not (told or unknown or shed):
            return
        self._told, self._unknown = {}, 0
        try:
            self._known = await self._receipts.add(told, unknown, shed)
        except Unavailable:
            self._put_back(told, unknown, shed)
            raise

    def _put_back(self, told: dict[str, Counter[Event]], unknown: int, shed: int) -> None:
        self._unknown += unknown
        self._load.put_back(shed)
        for alert_id, counts in self._told.items():
            if alert_id in told:
                told[alert_id].update(counts)
            elif alert_id in self._known or len(told) < MOST_UNKNOWN:
                told[alert_id] = counts
            else:
                self._unknown += counts.total()
        self._told = told

    async def keep_flushing(self) -> None:
        """For ever; a store that is down is asked again."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except Unavailable:
                log.debug("receipts wait for the store")
            except Exception:
                log.exception("receipts could not be added")

    async def close(self) -> None:
        try:
            await self.flush()
        except Unavailable:
            receipts = sum(counts.total() for counts in self._told.values())
            log.warning("receipts lost: the store did not answer before the end", receipts=receipts)
