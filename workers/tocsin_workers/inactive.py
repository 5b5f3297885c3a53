"""Browsers that nobody has heard of for INACTIVE_DAYS are forgotten: neither they nor their push service did."""

from collections import Counter
from collections.abc import Mapping, Sequence

import structlog

from tocsin.domain.deliveries import UNFINISHED, Mark
from tocsin.domain.errors import UnknownRecord
from tocsin.domain.subscriptions import Address
from tocsin.store.activity import day_of
from tocsin.store.store import Store

log = structlog.get_logger()

# Whoever was sent an alert, or is yet to be, is there.
_SIGNS = (Mark.ACCEPTED, Mark.DEFERRED, *UNFINISHED)
# At least so many, and more than this share of all, wait for so long: a storm, as of those who are called gone (G7).
STORM, STORM_SHARE, STORM_DAYS = 100, 0.1, 30


async def end_inactive(store: Store, inactive_days: int, now_ms: int) -> int:
    """How many were forgotten. Any number may do this at once; 0 days: nobody ever is."""
    if not inactive_days:
        return 0
    today, ended = day_of(now_ms), 0
    alert_ids = await store.alerts.recent_with_ledgers()
    silent, everybody = Counter[str](), 0
    for shard in await store.numbers.shards():
        days = await store.activity.days(shard)
        # Whoever registered before days were kept begins with this one.
        await store.activity.raise_to(shard, [slot for slot, day in days.items() if not day], today)
        everybody += len(days)
        silent[shard] = len(await _silent(store, shard, days, today - inactive_days, alert_ids))
    if await _is_held(store, silent.total(), everybody, today):
        return 0
    for shard in (shard for shard, count in silent.items() if count):
        # Looked at again: with many shards that was a while ago.
        days, alert_ids = await store.activity.days(shard), await store.alerts.recent_with_ledgers()
        slots = await _silent(store, shard, days, today - inactive_days, alert_ids)
        ended += await _end(store, [Address.of(shard, slot) for slot in sorted(slots)], inactive_days, now_ms)
    await store.activity.note_storm(None)
    if ended:
        log.info("inactive browsers were forgotten", browsers=ended)
    return ended


async def _silent(store: Store, shard: str, days: Mapping[int, int], before: int, alert_ids: Sequence[str]) -> set[int]:
    """The slots with somebody of whom nobody heard since the day `before`."""
    silent = {slot for slot, day in days.items() if 0 < day < before}
    if silent:
        ledgers = (await store.ledgers.ledgers(shard, alert_ids)).values()
        silent -= {slot for ledger in ledgers for mark in _SIGNS for slot in ledger.slots(mark)}
    return silent


async def _is_held(store: Store, silent: int, everybody: int, today: int) -> bool:
    """So many at once are less likely readers who all went than a clock that jumped, a backup that was restored, or a
    service that was away itself. So they have some weeks, in which they may be heard of, from when this was noticed."""
    since = await store.activity.storm()
    if since is None or since > today:  # one to come is a clock's that was wrong
        if silent < STORM or silent <= everybody * STORM_SHARE:
            return False
        since = today
        await store.activity.note_storm(since)
    left = (
        STORM_DAYS - (today - since) if silent else 0
    )  # it goes on while any of them is silent, however many came back
    if left > 0:
        log.warning("inactive browsers are not forgotten yet: too many at once", browsers=silent, days=left)
    return left > 0


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
