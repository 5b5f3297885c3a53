"""One push service: judges a request, hands the message to its browser, and answers in the service's own form."""

import secrets
import time
import uuid
from dataclasses import dataclass

from tocsin.simulator.browsers import Browser, Browsers
from tocsin.simulator.checks import refuse
from tocsin.simulator.faults import (
    Disturbance,
    DribbleFault,
    EndlessFault,
    Faults,
    HangFault,
    RedirectFault,
    ResetFault,
    SpoilingFault,
    StatusFault,
    ThrottleFault,
)
from tocsin.simulator.log import Line, Log
from tocsin.simulator.messages import Message, Receptions
from tocsin.simulator.payload import EMPTY, Payload, Payloads
from tocsin.simulator.refusals import ANSWERS, Refusal
from tocsin.simulator.request import Answer, Head, Manner, Reply
from tocsin.simulator.services import HOSTS, PushServiceName
from tocsin.simulator.vapid import Vapid


@dataclass(frozen=True, slots=True)
class World:
    """What all push services share."""

    browsers: Browsers
    receptions: Receptions
    faults: Faults
    log: Log
    payloads: Payloads


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request whose head is there; the fault is chosen now, since one of them does not wait for the body."""

    head: Head
    browser: Browser | None
    disturbance: Disturbance

    @property
    def is_cut_short(self) -> bool:
        fault = self.disturbance.fault
        return isinstance(fault, ResetFault) and fault.when == "mid_request"


class PushService:
    """The rules of one push service; connections are its `Listener`'s."""

    def __init__(self, name: PushServiceName, world: World) -> None:
        self.name = name
        self.vapid = Vapid()
        self._world = world
        self._answers = ANSWERS[name]

    def begin(self, head: Head) -> Exchange:
        host = head.authority.removesuffix(":443")
        browser = self._world.browsers.at(host, head.path) if host in HOSTS[self.name] else None
        target = browser.id if browser is not None else head.path
        return Exchange(head, browser, self._world.faults.choose(target, self.name, time.monotonic()))

    def cut_short(self, exchange: Exchange) -> None:
        """Note a request whose connection is reset before its body was read."""
        self._note(exchange, time.time(), None, EMPTY, None, None)

    def complete(self, exchange: Exchange, body: bytes, size: int) -> Reply:
        """Judge the whole request. `size` counts the bytes that came, of which `body` may keep fewer."""
        now = time.time()
        browser, fault = exchange.browser, exchange.disturbance.fault
        refusal = refuse(exchange.head, size, browser, self.vapid, now)
        message = None
        if refusal is None and browser is not None:
            message = self._message(exchange.head, body, browser, now)
            if fault is None or fault.delivered:
                browser.accept(message, self._world.receptions)
        reply = self._reply(exchange, self._honest_answer(message, refusal))
        is_answered = reply.manner not in {Manner.HANG, Manner.RESET}
        payload = message.payload if message is not None else EMPTY
        sealed = body[:16] + body[-16:] if len(body) == size else None
        self._note(exchange, now, reply.answer.status if is_answered else None, payload, refusal, sealed)
        return reply

    def _message(self, head: Head, body: bytes, browser: Browser, now: float) -> Message:
        payload = browser.read(body, self._world.payloads)
        return Message(
            id=_new_id(self.name),
            accepted_at=now,
            ttl=int(head.headers["ttl"]),
            urgency=head.headers.get("urgency"),
            topic=head.headers.get("topic"),
            payload=payload,
            body=body if browser.needs_body else b"",
        )

    def _honest_answer(self, message: Message | None, refusal: Refusal | None) -> Answer:
        if refusal is not None:
            return self._answers[refusal]
        assert message is not None  # noqa: S101 - a request is refused or it is a message
        return _accepted(self.name, message)

    def _reply(self, exchange: Exchange, honest: Answer) -> Reply:
        fault, delay = exchange.disturbance.fault, exchange.disturbance.delay
        if fault is None:
            return Reply(honest, delay=delay)
        return _spoilt(fault, honest, self._answers[Refusal.THROTTLED], delay)

    def _note(
        self,
        exchange: Exchange,
        now: float,
        status: int | None,
        payload: Payload,
        refusal: Refusal | None,
        sealed: bytes | None,
    ) -> None:
        browser, fault = exchange.browser, exchange.disturbance.fault
        if browser is not None:
            browser.requests += 1
        self._world.log.add(
            Line(
                at=now,
                push_service=self.name,
                browser=browser.id if browser is not None else None,
                status=status,
                alert=payload.alert,
                topic=exchange.head.headers.get("topic"),
                fault=fault.kind if fault is not None else None,
                reason=refusal.name.lower() if refusal is not None else payload.problem,
                sealed=sealed,
            )
        )


def _new_id(push_service: PushServiceName) -> str:
    """Apple names messages by a UUID, the others by something shorter."""
    return str(uuid.uuid4()).upper() if push_service is PushServiceName.APPLE else secrets.token_hex(8).upper()


def _accepted(push_service: PushServiceName, message: Message) -> Answer:
    """201 (RFC 8030 §5), with the name by which the service lets a message be traced."""
    match push_service:
        case PushServiceName.APPLE:
            return Answer(201, (("apns-id", message.id.upper()),))
        case PushServiceName.WNS:
            return Answer(
                201, (("x-wns-msg-id", message.id.replace("-", "")[:16].upper()), ("x-wns-status", "received"))
            )
        case PushServiceName.MOZILLA:
            location = f"https://{HOSTS[push_service][0]}/m/{message.id}"
            return Answer(201, (("location", location), ("ttl", str(message.ttl))))
        case PushServiceName.FCM:
            return Answer(201, (("location", f"https://{HOSTS[push_service][0]}/m/{message.id}"),))


def _spoilt(fault: SpoilingFault, honest: Answer, throttled: Answer, delay: float) -> Reply:
    """The reply that a fault makes in place of the honest answer."""
    match fault:
        case StatusFault():
            headers = tuple((name.lower(), value) for name, value in fault.headers.items())
            return Reply(Answer(fault.status, headers + fault.retry_after_header(), fault.body.encode()), delay=delay)
        case ThrottleFault():
            headers = throttled.headers + fault.retry_after_header()
            return Reply(Answer(throttled.status, headers, throttled.body), delay=delay)
        case RedirectFault():
            return Reply(Answer(fault.status, (("location", fault.location),)), delay=delay)
        case DribbleFault():
            every = fault.every_milliseconds / 1000
            return Reply(Answer(fault.status, (), fault.body.encode()), Manner.DRIBBLE, delay, every)
        case EndlessFault():
            return Reply(Answer(fault.status), Manner.ENDLESS, delay)
        case HangFault():
            return Reply(honest, Manner.HANG)
        case ResetFault():
            return Reply(honest, Manner.RESET, delay)
