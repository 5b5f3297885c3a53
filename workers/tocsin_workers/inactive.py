"""Browsers that nobody has heard of for INACTIVE_DAYS are forgotten: neither they nor their push service did."""

from collections.abc import Sequence

import structlog

from tocsin.domain.deliveries import UNFINISHED, Mark
from tocsin.domain.errors import UnknownRecord
from tocsin.domain.subscriptions import Address
from tocsin.store.activity import day_of
from tocsin.store.store import Store

log = structlog.get_logger()

# Whoever was sent an alert, or is yet to be, is there.
_SIGNS = (Mark.ACCEPTED, Mark.DEFERRED, *UNFINISHED)


async def end_inactive(store: Store, inactive_days: int, now_ms: int) -> int:
    """How many were forgotten. Any number may do this at once; 0 days: nobody ever is."""
    if not inactive_days:
        return 0
    ended, today = 0, day_of(now_ms)
    alert_ids = await store.alerts.recent_with_ledgers()
    for shard in await store.numbers.shards():
        days = await store.activity.days(shard)
        # Whoever registered before days were kept begins with this one.
        await store.activity.raise_to(shard, [slot for slot, day in days.items() if not day], today)
        silent = {slot for slot, day in days.items() if 0 < day < today - inactive_days}
        if silent:
            ledgers = (await store.ledgers.ledgers(shard, alert_ids)).values()
            silent -= {slot for ledger in ledgers for mark in _SIGNS for slot in ledger.slots(mark)}
            ended += await _end(store, [Address.of(shard, slot) for slot in sorted(silent)], inactive_days, now_ms)
    if ended:
        log.info("inactive browsers were forgotten", browsers=ended)
    return ended


async def _end(store: Store, addresses: Sequence[Address], inactive_days: int, now_ms: int) -> int:
    ended = 0
    for address in addresses:
        try:
            record = await store.subscriptions.record_at(address)
            kept = await store.subscriptions.get(record.digest) if record else None
        except UnknownRecord:
            log.error("record in an unknown form", shard=address.shard, slot=address.slot)  # noqa: TRY400
            continue
        # Looked at again: it may have come back since.
        if kept and kept.address == address and 0 < kept.seen < day_of(now_ms) - inactive_days:
            ended += await store.subscriptions.delete(kept, now_ms)
    return ended
