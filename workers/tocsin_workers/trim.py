"""Old ledgers are forgotten: what was sent to whom is kept for the last 50 alerts or 30 days, whichever is less."""

from tocsin.store.store import Store


async def trim(store: Store, now_ms: int) -> None:
    """Any number may do this at once. The run goes last: it says where the ledgers are."""
    for alert_id in await store.alerts.with_old_ledgers(now_ms):
        await store.ledgers.drop(alert_id, await store.runs.bounds(alert_id))
        await store.runs.drop(alert_id)
        await store.alerts.ledgers_dropped(alert_id)
