"""Browsers that alerts have not reached for INACTIVE_DAYS are forgotten, where they did not call in all that time.

Silence counts only where something could have been heard: from the first alert that did not arrive to the last one. Who
waits for the biggest news and is sent nothing for years is not silent.
"""

from collections import Counter
from collections.abc import Collection, Mapping

import structlog

from tocsin.domain.deliveries import UNFINISHED, Mark
from tocsin.domain.errors import UnknownRecord
from tocsin.domain.subscriptions import Address
from tocsin.store.activity import UNREACHED, day_of
from tocsin.store.prekeys import Prekeys
from tocsin.store.store import Store

log = structlog.get_logger()

# Whoever was sent an alert, or is yet to be, is there.
_SIGNS = (Mark.ACCEPTED, Mark.DEFERRED, *UNFINISHED)
# At least so many, and more than this share of all, wait for so long: a storm, as of those who are called gone (G7).
STORM, STORM_SHARE, STORM_DAYS = 100, 0.1, 30


async def end_inactive(store: Store, prekeys: Prekeys, inactive_days: int, now_ms: int) -> int:
    """How many were forgotten; `now_ms` is by the store's clock. Any number may do this at once; 0 days: nobody ever
    is."""
    if not inactive_days:
        await store.activity.note_storm(None)  # one of long ago would let the next pass
        return 0
    runs, ended = await store.activity.runs(), 0
    silent, everybody = Counter[str](), 0
    for shard in await store.numbers.shards():
        silence = await store.activity.silence(shard)
        everybody += silence.everybody
        silent[shard] = len(await _silent(store, shard, silence.since, inactive_days, runs))
    if await _is_held(store, silent.total(), everybody, day_of(now_ms)):
        return 0
    for shard in (shard for shard, count in silent.items() if count):
        # Looked at again: with many shards that was a while ago.
        since, runs = (await store.activity.silence(shard)).since, await store.activity.runs()
        slots = await _silent(store, shard, since, inactive_days, runs)
        ended += await _end(store, prekeys, shard, {slot: since[slot] for slot in sorted(slots)}, now_ms)
    await store.activity.note_storm(None)
    if ended:
        log.info("inactive browsers were forgotten", browsers=ended)
    return ended


async def _silent(
    store: Store, shard: str, since: Mapping[int, int], inactive_days: int, runs: Mapping[str, int]
) -> Collection[int]:
    """The slots that another alert did not reach so many days after the first; `runs` are days by alert."""
    newest = max(runs.values(), default=0)
    silent = {slot for slot, day in since.items() if newest - day > inactive_days}
    if not silent:
        return silent
    ledgers = await store.ledgers.ledgers(shard, list(runs))
    last: dict[int, int] = {}
    for alert_id, ledger in ledgers.items():
        silent.difference_update(*(ledger.slots(mark) for mark in _SIGNS))
        for slot in (slot for mark in UNREACHED for slot in ledger.slots(mark)):
            last[slot] = max(last.get(slot, 0), runs[alert_id])
    return {slot for slot in silent if last.get(slot, 0) - since[slot] > inactive_days}


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


async def _end(store: Store, prekeys: Prekeys, shard: str, since: Mapping[int, int], now_ms: int) -> int:
    ended = 0
    for slot, day in since.items():
        address = Address.of(shard, slot)
        try:
            record = await store.subscriptions.record_at(address)
            kept = await store.subscriptions.get(record.digest) if record else None
        except UnknownRecord:
            log.error("record in an unknown form", shard=shard, slot=slot)  # noqa: TRY400
            continue
        if kept is None or kept.address != address or kept.seen >= day:  # it came back since
            continue
        if await store.subscriptions.delete_silent(kept, now_ms):
            await prekeys.drop(address)
            ended += 1
    return ended
