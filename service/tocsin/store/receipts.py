"""Receipts: counts with the alert; where each browser's own are kept, one byte for each slot beside the ledger.

They are no part of an alert's account: a browser says them, and nobody can prove them. So the counts are increments,
which a broken connection may repeat, and a process that is killed takes those of its last second with it. The bytes
are set once and dropped with the ledger; an alert without ledgers takes no receipt any more.
"""

from collections.abc import Mapping, Sequence

from tocsin.domain.deliveries import OUTCOMES
from tocsin.domain.receipts import BITS, Event, events_of
from tocsin.domain.subscriptions import Address
from tocsin.store.alerts import LEDGERS, PREFIX, alert_key
from tocsin.store.client import Argument, Server, answering
from tocsin.store.ledgers import ledger_key, receipts_key

# Hash, what became of receipts → how many, ever.
_TOLD = PREFIX + "receipts"
FATES = ("counted", "unknown", "shed")

# Whoever was planned to get an alert may have it on screen before the window is recorded, or where its answer was lost.
_MAY_HAVE_IT = "".join(mark for marks in OUTCOMES.values() for mark in marks)


class Receipts:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def add(self, told: Mapping[str, Mapping[Event, int]], unknown: int, shed: int) -> frozenset[str]:
        """Adds to the counts of those alerts that have ledgers; what names another is counted as unknown, with
        `unknown` that were so before, and leaves nothing else. Gives all alerts that have ledgers."""
        arguments: list[Argument] = [unknown, shed]
        for alert_id, counts in told.items():
            arguments += [alert_id, *(counts.get(event, 0) for event in Event)]
        keys = [LEDGERS, _TOLD, *map(alert_key, told)]
        return frozenset(row.decode() for row in await self._server.run("count_receipts", keys, *arguments))

    async def record(self, address: Address, alert_id: str, event: Event) -> bool:
        """Notes it for one browser; False where it was noted before, or the alert was never meant for it."""
        keys = [ledger_key(address.shard, alert_id), receipts_key(address.shard, alert_id)]
        return bool(await self._server.run("record_receipt", keys, address.slot, BITS[event], _MAY_HAVE_IT))

    async def of(self, address: Address, alert_ids: Sequence[str]) -> dict[str, list[Event]]:
        """What one browser told, by alert."""
        if not alert_ids:
            return {}
        async with answering(), self._server.redis.pipeline(transaction=False) as pipe:
            for alert_id in alert_ids:
                pipe.getrange(receipts_key(address.shard, alert_id), address.slot, address.slot)
            rows = await pipe.execute()
        return {alert_id: events_of(row[0]) for alert_id, row in zip(alert_ids, rows, strict=True) if row and row[0]}

    async def fates(self) -> dict[str, int]:
        """How many receipts were counted, named an alert that we do not know (any more), or were turned away."""
        async with answering():
            counts = await self._server.redis.hmget(_TOLD, FATES)
        return {fate: int(count or 0) for fate, count in zip(FATES, counts, strict=True)}
