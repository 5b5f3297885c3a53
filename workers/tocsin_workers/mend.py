"""What no single hand can be relied on to finish, looked at about once a minute."""

from tocsin.domain.deliveries import Mark
from tocsin.store.numbers import shards_below
from tocsin_workers.runtime import Runtime


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
                if gone.since_ms <= before:
                    await store.subscriptions.delete_quarantined(gone.address, now_ms)


async def find_deferred(runtime: Runtime) -> None:
    """A round is due wherever anybody waits: a worker may have died between planning and saying so."""
    store = runtime.store
    now = await store.runs.now()
    for alert_id in await store.alerts.deferring():
        for push_service, bound in (await store.runs.bounds(alert_id)).items():
            for shard in shards_below(push_service, bound):
                if await store.runs.round_is_known(shard):
                    continue
                ledgers = await store.ledgers.ledgers(shard, [alert_id])
                if any(True for ledger in ledgers.values() for _ in ledger.slots(Mark.DEFERRED)):
                    await store.runs.defer(shard, now)
