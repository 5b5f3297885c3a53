"""The end of an alert: nothing is pending or retrying, and the account is final."""

from collections.abc import Mapping

import structlog

from tocsin import clock
from tocsin.domain.alerts import AlertState
from tocsin.domain.errors import Unavailable
from tocsin.domain.progress import Progress, time_bucket
from tocsin.publishing import account
from tocsin_workers.runtime import Runtime

log = structlog.get_logger()


async def close_if_done(runtime: Runtime, alert_id: str) -> None:
    """Ends an alert with no shard left. Any number may call this at once: one ends it."""
    if await runtime.store.runs.left(alert_id):
        return
    status = await runtime.store.alerts.get(alert_id)
    final = await account(runtime.store, status)
    begins_ms = clock.milliseconds(status.alert.begins_at)
    first = final.whole.first_request_ms
    bucket = None if first is None else time_bucket((first - begins_ms) / 1000)
    now_ms = clock.milliseconds(clock.now())
    if await runtime.store.alerts.close(alert_id, _end_state(final.whole), final.as_json(), now_ms, bucket):
        log.info("alert ended", alert=alert_id, **final.whole.counts())


async def settle_deferred(runtime: Runtime, waiting: Mapping[str, int] | None = None) -> None:
    """Later accounts of the alerts that are closed but for the deferred: the final one where nobody waits any more.

    `waiting` says how many wait for each, where that is known: while these are as many as before, nothing has changed.
    """
    store = runtime.store
    for status in await store.alerts.readable(await store.alerts.deferring()):
        alert_id = status.alert.id
        before = status.interim and status.interim["deferred"]
        if status.ended_at is None or (waiting is not None and before == waiting.get(alert_id, 0)):
            continue
        try:
            await store.alerts.settle(alert_id, (await account(store, status)).as_json())
        except Unavailable:
            raise
        except Exception:
            log.exception("alert not settled", alert=alert_id)


def _end_state(progress: Progress) -> AlertState:
    """`expired` is an alert whose time ran out before anybody had it."""
    outcomes = progress.outcomes
    out_of_time = outcomes["expired"] > 0 and outcomes["accepted"] == 0 and outcomes["deferred"] == 0
    return AlertState.EXPIRED if out_of_time else AlertState.SENT
