"""What no single hand can be relied on to finish, looked at about once a minute."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import structlog

from tocsin import clock
from tocsin.domain.deliveries import Mark
from tocsin.domain.errors import Unavailable, UnknownRecord
from tocsin.store.numbers import shards_below
from tocsin_workers.close import settle_deferred
from tocsin_workers.inactive import end_inactive
from tocsin_workers.runtime import Runtime
from tocsin_workers.trim import pack, trim

log = structlog.get_logger()

# Ledgers are read for so many shards at once: with 20 alerts 2 MB.
_SHARDS_AT_ONCE = 100
_INACTIVE_EVERY_SECONDS = 3_600.0


async def mend(runtime: Runtime) -> None:
    """All of it. A step that fails keeps none of the others from being done."""
    now_ms, store = clock.milliseconds(clock.now()), runtime.store

    async def deferred() -> None:
        await settle_deferred(runtime, await find_deferred(runtime))

    steps: dict[str, Callable[[], Awaitable[object]]] = {
        "trim": lambda: trim(store, now_ms),
        "pack": lambda: pack(store, now_ms),
        "subscriptions": lambda: store.subscriptions.mend(now_ms),
        "quarantines": lambda: end_quarantines(runtime, now_ms),
        "inactive": lambda: inactive(runtime),
        "deferred": deferred,
        "processes": lambda: store.processes.fold_ended(now_ms),
    }
    for name, step in steps.items():
        try:
            await step()
        except Unavailable as error:
            log.warning("not mended", step=name, error=error.detail)
        except Exception:
            log.exception("not mended", step=name)


async def inactive(runtime: Runtime) -> None:
    """Once an hour: it looks at every shard, and counts in days."""
    if time.monotonic() - runtime.looked_for_inactive_at >= _INACTIVE_EVERY_SECONDS:
        now_ms = clock.milliseconds(await runtime.store.runs.now())
        await end_inactive(runtime.store, runtime.prekeys, runtime.settings.inactive_days, now_ms)
        runtime.looked_for_inactive_at = time.monotonic()


async def end_quarantines(runtime: Runtime, now_ms: int) -> None:
    """Deletes those whom a push service called gone a while ago, where no storm of them speaks against it (G7)."""
    store = runtime.store
    before = now_ms - int(runtime.settings.quarantine_seconds * 1000)
    storms = await store.pace.storms()
    for push_service, bound in (await store.numbers.bounds()).items():
        if push_service in storms:
            continue
        for shard in shards_below(push_service, bound):
            for gone in await store.quarantine.of(shard):
                if gone.since_ms > before:
                    continue
                try:
                    if await store.subscriptions.delete_quarantined(gone.address, now_ms):
                        await runtime.prekeys.drop(gone.address)
                except (UnknownRecord, ValueError):
                    log.error("record in an unknown form", shard=shard, slot=gone.address.slot)  # noqa: TRY400


async def find_deferred(runtime: Runtime) -> Counter[str]:
    """A round is due wherever anybody waits: a worker may have died between planning and saying so.

    Gives how many wait for each alert.
    """
    store = runtime.store
    alert_ids = await store.alerts.deferring()
    bounds = [await store.runs.bounds(alert_id) for alert_id in alert_ids]
    waiting: Counter[str] = Counter()
    for push_service in sorted({name for each in bounds for name in each}):
        shards = shards_below(push_service, max(each.get(push_service, 0) for each in bounds))
        known = await store.runs.shards_of_round(push_service)
        for first in range(0, len(shards), _SHARDS_AT_ONCE):
            found = await _waiting_in(runtime, shards[first : first + _SHARDS_AT_ONCE], alert_ids)
            for shard, here in found.items():
                waiting.update(here)
                # Asked once more, since this was a while ago where there are many shards.
                if shard not in known and not await store.runs.round_is_known(shard):
                    await store.runs.defer(shard, await store.runs.now())
    return waiting


async def _waiting_in(runtime: Runtime, shards: Sequence[str], alert_ids: Sequence[str]) -> dict[str, Counter[str]]:
    """For each of these shards with anybody deferred, how many wait for which alert."""
    found = {}
    for shard, ledgers in zip(shards, await runtime.store.ledgers.of_shards(shards, alert_ids), strict=True):
        here = Counter({alert_id: ledger.count(Mark.DEFERRED) for alert_id, ledger in ledgers.items()})
        if here.total():
            found[shard] = here
    return found
