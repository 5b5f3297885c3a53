"""From the simulator's objects to the control interface's JSON."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic import TypeAdapter

from tocsin.simulator.browsers import Browser
from tocsin.simulator.listener import Listener
from tocsin.simulator.messages import Reception
from tocsin.simulator.models import (
    BrowserDetail,
    BrowserView,
    Keys,
    PushServiceSummary,
    ReceivedMessage,
    Subscription,
    Summary,
)
from tocsin.simulator.push_service import World
from tocsin.simulator.services import PushServiceName

_BROWSER_LIST = TypeAdapter(list[BrowserView])


def view(browser: Browser) -> BrowserView:
    return BrowserView(
        id=browser.id,
        push_service=browser.push_service,
        subscription=_subscription(browser),
        online=browser.online,
        unsubscribed=browser.unsubscribed,
        requests=browser.requests,
        received=browser.received,
    )


def views(browsers: Iterable[Browser]) -> bytes:
    """A JSON list, written without detours: there may be a hundred thousand."""
    return _BROWSER_LIST.dump_json([view(browser) for browser in browsers])


def detail(browser: Browser) -> BrowserDetail:
    messages = [_message(reception) for reception in browser.messages]
    return BrowserDetail(**dict(view(browser)), messages=messages)


def summary(world: World, listeners: Mapping[PushServiceName, Listener]) -> Summary:
    services = {name: _service(world, name, listener) for name, listener in listeners.items()}
    statuses: Counter[str] = Counter()
    for service in services.values():
        statuses.update(service.statuses)
    return Summary(
        browsers=len(world.browsers),
        requests=statuses.total(),
        statuses=dict(statuses),
        first_at=world.log.first_at,
        last_at=world.log.last_at,
        push_services=services,
    )


def _subscription(browser: Browser) -> Subscription:
    keys = browser.keys
    return Subscription(endpoint=browser.endpoint, keys=Keys(**keys) if keys is not None else None)


def _message(reception: Reception) -> ReceivedMessage:
    message = reception.message
    return ReceivedMessage(
        id=message.id,
        accepted_at=message.accepted_at,
        received_at=reception.at,
        ttl=message.ttl,
        urgency=message.urgency,
        topic=message.topic,
        alert=message.payload.alert,
        text=message.payload.text,
        payload=_as_json(message.payload.text),
        problem=message.payload.problem,
    )


def _as_json(text: str | None) -> object:
    try:
        return json.loads(text) if text is not None else None
    except ValueError:
        return None


def _service(world: World, name: PushServiceName, listener: Listener) -> PushServiceSummary:
    statuses = world.log.statuses(name)
    return PushServiceSummary(
        requests=sum(statuses.values()),
        statuses=statuses,
        connections=listener.counts.accepted,
        handshakes=listener.counts.handshakes,
        resumed=listener.counts.resumed,
        open_connections=listener.open_connections,
        tokens=listener.service.vapid.distinct,
    )
