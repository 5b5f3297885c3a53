"""Old ledgers are forgotten: what was sent to whom is kept for the last 50 alerts or 30 days, whichever is less. Of
those that are kept, what nobody changes any more is packed."""

from tocsin import clock
from tocsin.store.activity import day_of
from tocsin.store.numbers import shards_below
from tocsin.store.store import Store

# So many ledgers are packed in a round of mending and a few more; a tenth of a millisecond each.
_LEDGERS_A_ROUND = 5_000


async def trim(store: Store, now_ms: int) -> None:
    """Any number may do this at once. The run goes last: it says where the ledgers are."""
    for alert_id in await store.alerts.with_old_ledgers(now_ms):
        bounds = await store.runs.bounds(alert_id)
        began_at = (await store.alerts.get(alert_id)).began_at
        if began_at is not None:
            await store.activity.note(alert_id, bounds, day_of(clock.milliseconds(began_at)))
        await store.failures.forget_alert(alert_id)
        await store.ledgers.drop(alert_id, bounds)
        await store.runs.drop(alert_id)
        await store.alerts.ledgers_dropped(alert_id)


async def pack(store: Store, now_ms: int) -> None:
    """Any number may do this at once, and be killed at it: what is left is packed the next time."""
    packed = 0
    for alert_id in await store.packing.due(now_ms):
        if packed >= _LEDGERS_A_ROUND:
            return
        bounds = await store.runs.bounds(alert_id)
        await store.packing.pack(alert_id, bounds)
        packed += sum(len(shards_below(*each)) for each in bounds.items())
