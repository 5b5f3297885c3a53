"""The operators' calls: is it up, how deep are the queues, what do the push services answer; and what stops or goes."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from aiohttp import web
from pydantic import BaseModel

from tocsin import clock
from tocsin.api.call import Call
from tocsin.api.metrics import CONTENT_TYPE, exposition
from tocsin.api.models import PushServicesView, QueuesView, QueueView, Ready
from tocsin.api.push_services import push_service_view, push_service_views
from tocsin.api.route import answer
from tocsin.api.services import Services
from tocsin.domain.errors import NotFound, Unavailable
from tocsin.domain.queues import QUEUES
from tocsin.store.queues import QueueState

log = structlog.get_logger()

# Less than an answer may take, so that it still says which of the two it is.
PING_SECONDS = 2.0


async def livez(_: Call[BaseModel]) -> web.Response:
    return web.Response(text="ok\n")


async def readyz(call: Call[BaseModel]) -> web.Response:
    """Ready to take alerts: the store answers. A broker that is down delays an alert by seconds and loses none."""
    store, broker = await asyncio.gather(_told(call.services.store.server.ping), _told(call.services.queues.ping))
    if store == "ok":
        store = await _told(partial(_ready_store, call.services))
    ready = store == "ok"
    broker = broker.replace("the store does", "does")
    return answer(Ready(ready=ready, checks={"store": store, "broker": broker}), 200 if ready else 503)


async def _ready_store(services: Services) -> None:
    """Raises Unavailable with the reason."""
    if not services.setting_up.done():
        raise Unavailable("is being set up")
    if wrong := services.setting_up.result() or await services.store.schema.overtaken():
        raise Unavailable(wrong)


async def _told(ping: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(PING_SECONDS):
            await ping()
    except Unavailable as error:
        return error.detail
    except TimeoutError:
        return "does not answer in time"
    return "ok"


async def metrics(call: Call[BaseModel]) -> web.Response:
    return web.Response(body=await exposition(call.services), headers={"Content-Type": CONTENT_TYPE})


async def queues(call: Call[BaseModel]) -> web.Response:
    views = [_queue_view(state) for state in await call.services.queues.states()]
    return answer(QueuesView(queues=views, unaccounted=await call.services.publishing.unaccounted()))


async def pause_queue(call: Call[BaseModel]) -> web.Response:
    """What waits in it stays there, and what is in work ends its window. Alerts are taken as before."""
    queue = _queue(call)
    await call.services.store.pauses.pause(queue)
    log.warning("queue paused", queue=queue, by=call.caller.id)
    return await _queue_answer(call, queue)


async def resume_queue(call: Call[BaseModel]) -> web.Response:
    queue = _queue(call)
    await call.services.store.pauses.resume(queue)
    log.info("queue resumed", queue=queue, by=call.caller.id)
    return await _queue_answer(call, queue)


def _queue(call: Call[BaseModel]) -> str:
    if (queue := call.path["queue"]) not in QUEUES:
        raise NotFound("there is no such queue")
    return queue


async def _queue_answer(call: Call[BaseModel], queue: str) -> web.Response:
    states = await call.services.queues.states()
    return answer(next(_queue_view(state) for state in states if state.queue == queue))


def _queue_view(state: QueueState) -> QueueView:
    return QueueView(
        queue=state.queue,
        waiting=state.waiting,
        in_work=state.in_work,
        oldest_age_seconds=state.oldest_age_seconds,
        throughput_per_second=state.throughput_per_second,
        wake_ups=state.wake_ups,
        paused=state.paused,
    )


async def push_services(call: Call[BaseModel]) -> web.Response:
    return answer(PushServicesView(push_services=await push_service_views(call.services.store)))


async def resume_push_service(call: Call[BaseModel]) -> web.Response:
    """It was stopped, or its breaker is open, and goes on at once. A Retry-After of its own is still kept."""
    name = await _push_service(call)
    await call.services.store.pace.resume(name)
    log.info("push service resumed", push_service=name, by=call.caller.id)
    return await _push_service_answer(call, name)


async def restore_quarantined(call: Call[BaseModel]) -> web.Response:
    """Those whom it called gone are subscribed again, and the storm is over."""
    name = await _push_service(call)
    restored = await call.services.store.storms.restore(name)
    log.warning("quarantine restored", push_service=name, subscriptions=restored, by=call.caller.id)
    return await _push_service_answer(call, name)


async def confirm_gone(call: Call[BaseModel]) -> web.Response:
    """Those whom it called gone are deleted for good, and the storm is over."""
    name, services = await _push_service(call), call.services
    deleted = await services.store.storms.confirm(name, services.prekeys, clock.milliseconds(clock.now()))
    log.warning("quarantine deleted", push_service=name, subscriptions=deleted, by=call.caller.id)
    return await _push_service_answer(call, name)


async def _push_service(call: Call[BaseModel]) -> str:
    return (await push_service_view(call.services.store, call.path["push_service"])).push_service


async def _push_service_answer(call: Call[BaseModel], name: str) -> web.Response:
    return answer(await push_service_view(call.services.store, name))
