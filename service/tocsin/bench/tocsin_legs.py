"""Tocsin's own sender, driven as its workers drive it: several windows at once, one `send` for each."""

import asyncio
import base64
import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from py_vapid import Vapid02

from tocsin import clock
from tocsin.bench import plan
from tocsin.bench.job import Job, MakeSender, Recipient
from tocsin.domain.deliveries import Answer
from tocsin.push.curl_sender import CurlSender
from tocsin.push.encryption import derive, encrypt, pad, seal
from tocsin.push.guard import Guard
from tocsin.push.http2_sender import Http2Sender
from tocsin.push.prekeys import Seal, day_of
from tocsin.push.sender import Envelope, Sender
from tocsin.push.vapid import ApplicationServer

# As the setting WINDOW; with fewer in flight, so many windows share them.
_WINDOW = 100
_LANES = 4


class _Reader(NamedTuple):
    """What a worker reads of a subscription's record."""

    endpoint: str
    p256dh: bytes
    auth: bytes


class Unaccepted(Exception):
    """The sink is there to accept: anything else is a fault of the measurement."""


class TocsinLeg:
    """`fresh` derives each message's key while sending; the others take keys made ahead, before the clock starts or,
    with `counts_prekeys`, after. `by_curl` is the sender for services without HTTP/2, and before there was another."""

    def __init__(self, job: Job, *, prekeyed: bool, counts_prekeys: bool = False, by_curl: bool = False) -> None:
        self._in_flight = job.in_flight
        self._prekeyed = prekeyed
        self._counts_prekeys = counts_prekeys
        self._server = ApplicationServer(Vapid02.from_file(str(job.vapid_file)), job.subject)
        sender = CurlSender if by_curl else Http2Sender
        self._sender: Sender = sender(ca_bundle=job.ca_file, guard=Guard([job.connect_to]))
        self._padded = pad(job.payload.encode())
        self._readers: list[_Reader] = []
        self._seal = Seal(secrets.token_bytes(32), b"bench")
        self._entries: list[bytes] = []

    async def prepare(self, recipients: Sequence[Recipient]) -> None:
        self._readers = [
            _Reader(recipient["endpoint"], _decode(recipient["keys"]["p256dh"]), _decode(recipient["keys"]["auth"]))
            for recipient in recipients
        ]
        if self._prekeyed and not self._counts_prekeys:
            self._derive()

    async def send(self, recipients: Sequence[Recipient], accepted: Callable[[], None]) -> None:
        if self._counts_prekeys:
            self._derive()
        size = min(_WINDOW, max(1, self._in_flight // _LANES))
        windows = iter([range(start, min(start + size, len(recipients))) for start in range(0, len(recipients), size)])
        await asyncio.gather(*(self._lane(windows, accepted) for _ in range(max(1, self._in_flight // size))))

    async def close(self) -> None:
        await self._sender.close()

    def _derive(self) -> None:
        """The prekeys as their server keeps them: opening one is part of sending."""
        today = day_of(clock.now())
        self._entries = [
            self._seal.close(derive(reader.p256dh, reader.auth), reader.p256dh, reader.auth, today)
            for reader in self._readers
        ]

    async def _lane(self, windows: Iterator[range], accepted: Callable[[], None]) -> None:
        def heard(_number: int, answer: Answer) -> None:
            if answer.status != 201:
                raise Unaccepted(f"the sink answered {answer.status or answer.failure}")
            accepted()

        for window in windows:
            now = clock.now()
            await self._sender.send([self._envelope(number, now) for number in window], heard)

    def _envelope(self, number: int, now: datetime) -> Envelope:
        endpoint = self._readers[number].endpoint
        return Envelope(
            url=endpoint,
            authorization=self._server.authorization(endpoint[: endpoint.index("/", 8)], now),
            body=self._body(number, now),
            ttl=14_400,
            urgency="high",
            collapse_key="n2vQ0y3mUqk4h8rT1xWbZ6eJ5cLd7pSf",
        )

    def _body(self, number: int, now: datetime) -> bytes:
        reader = self._readers[number]
        if not self._prekeyed:
            return encrypt(self._padded, reader.p256dh, reader.auth)
        key = self._seal.open(self._entries[number], reader.p256dh, reader.auth, day_of(now))
        if key is None:
            raise Unaccepted("a prekey that was just made does not open")
        return seal(key, self._padded)


LEGS: dict[str, MakeSender] = {
    plan.FRESH: partial(TocsinLeg, prekeyed=False),
    plan.PREKEYED: partial(TocsinLeg, prekeyed=True),
    plan.BY_CURL: partial(TocsinLeg, prekeyed=True, by_curl=True),
    plan.INCLUDING: partial(TocsinLeg, prekeyed=True, counts_prekeys=True),
    plan.MANY: partial(TocsinLeg, prekeyed=True),
    plan.MANY_DELAYED: partial(TocsinLeg, prekeyed=True),
}


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
