"""Recipients that were set aside: to look at, and to have tried again."""

from aiohttp import web
from pydantic import BaseModel

from tocsin import clock
from tocsin.api.call import Call
from tocsin.api.models import FailureList, FailureView
from tocsin.api.route import answer
from tocsin.api.services import Services
from tocsin.domain.errors import Conflict, UnknownRecord
from tocsin.domain.subscriptions import public_id
from tocsin.store.failures import Failure

SHOWN = 200


async def list_failures(call: Call[BaseModel]) -> web.Response:
    failures = await call.services.store.failures.latest(SHOWN)
    return answer(FailureList(failures=[await _view(call.services, failure) for failure in failures]))


async def replay(call: Call[BaseModel]) -> web.Response:
    """The recipient is pending again, and the alert at work with it."""
    services, store = call.services, call.services.store
    failure = await store.failures.get(call.path["id"])
    status = await store.alerts.get(failure.alert_id)
    if not await store.runs.can_reopen(failure.alert_id):
        raise Conflict(f"the alert is {status.state} and its time is over")
    if not await store.ledgers.pend_again(failure.alert_id, failure.address):
        raise Conflict("this recipient was settled since")
    await store.runs.reopen(failure.alert_id, failure.address.shard)
    await store.failures.forget([failure.id])
    services.wake_ups.deliver_soon(status.alert.queue)
    return answer(await _view(services, failure), 202)


async def _view(services: Services, failure: Failure) -> FailureView:
    try:
        record = await services.store.subscriptions.record_at(failure.address)
    except (UnknownRecord, ValueError):  # it may be here just because nobody could read it, and must not hide the rest
        record = None
    return FailureView(
        id=failure.id,
        alert=failure.alert_id,
        push_service=failure.address.push_service,
        subscription=public_id(record.digest) if record else None,
        reason=failure.reason,
        at=clock.from_milliseconds(failure.at_ms),
    )
