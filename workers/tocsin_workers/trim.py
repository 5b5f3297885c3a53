"""Old ledgers are forgotten: what was sent to whom is kept for the last 50 alerts or 30 days, whichever is less. Of
those that are kept, what nobody changes any more is packed."""

from tocsin.store.store import Store


async def trim(store: Store, now_ms: int) -> None:
    """Any number may do this at once. The run goes last: it says where the ledgers are."""
    for alert_id in await store.alerts.with_old_ledgers(now_ms):
        await store.ledgers.drop(alert_id, await store.runs.bounds(alert_id))
        await store.runs.drop(alert_id)
        await store.alerts.ledgers_dropped(alert_id)


async def pack(store: Store, now_ms: int) -> None:
    """Any number may do this at once, and be killed at it: what is left is packed the next time."""
    for alert_id in await store.packing.due(now_ms):
        await store.packing.pack(alert_id, await store.runs.bounds(alert_id))
