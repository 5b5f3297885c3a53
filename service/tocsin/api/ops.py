"""The operators' calls: is it up, how deep are the queues, what do the push services answer."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import BaseModel

from tocsin import clock
from tocsin.api.call import Call
from tocsin.api.metrics import CONTENT_TYPE, exposition
from tocsin.api.models import Latency, PushServicesView, PushServiceView, QueuesView, QueueView, Ready
from tocsin.api.route import answer
from tocsin.domain.deliveries import Outcome
from tocsin.domain.endpoints import KNOWN_PUSH_SERVICES
from tocsin.domain.errors import Unavailable
from tocsin.domain.progress import percentile

# Less than an answer may take, so that it still says which of the two it is.
PING_SECONDS = 2.0


async def livez(_: Call[BaseModel]) -> web.Response:
    return web.Response(text="ok\n")


async def readyz(call: Call[BaseModel]) -> web.Response:
    """Ready to take alerts: the store answers. A broker that is down delays an alert by seconds and loses none."""
    store, broker = await asyncio.gather(_told(call.services.store.server.ping), _told(call.services.queues.ping))
    if store == "ok":
        setting_up = call.services.setting_up
        store = (setting_up.result() or "ok") if setting_up.done() else "is being set up"
    ready = store == "ok"
    broker = broker.replace("the store does", "does")
    return answer(Ready(ready=ready, checks={"store": store, "broker": broker}), 200 if ready else 503)


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
    states = await call.services.queues.states()
    views = [
        QueueView(
            queue=state.queue,
            waiting=state.waiting,
            in_work=state.in_work,
            oldest_age_seconds=state.oldest_age_seconds,
            throughput_per_second=state.throughput_per_second,
            wake_ups=state.wake_ups,
            paused=False,
        )
        for state in states
    ]
    return answer(QueuesView(queues=views, unaccounted=await call.services.publishing.unaccounted()))


async def push_services(call: Call[BaseModel]) -> web.Response:
    store, now = call.services.store, clock.now()
    counted = await store.processes.total(clock.milliseconds(now))
    subscriptions, held = await store.numbers.counts(), await store.pace.states()
    names = dict.fromkeys((*KNOWN_PUSH_SERVICES, *sorted(subscriptions), *sorted(counted.statuses)))
    views = []
    for name in names:
        state = held.get(name)
        times = {int(bucket): count for bucket, count in counted.latency.get(name, {}).items()}
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        outcomes = counted.outcomes.get(name, Counter[str]())
        view = PushServiceView(
            push_service=name,
            subscriptions=subscriptions.get(name, 0),
            answers={str(outcome): outcomes[outcome] for outcome in Outcome},
            statuses=dict(sorted(counted.statuses.get(name, {}).items())),
            held_until=state.held_until if state else None,
            latency_ms=None if p50 is None or p99 is None else Latency(p50=p50 * 1000, p99=p99 * 1000),
        )
        views.append(view)
    return answer(PushServicesView(push_services=views))
