"""The sender for the hot path: HTTP/2 of our own, many requests in one write; libcurl where that does not do."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import structlog

from tocsin.domain.deliveries import Answer, Failure
from tocsin.push.batch import Batch
from tocsin.push.curl_sender import CONNECT_SECONDS, HOST_CONNECTIONS, MAX_HOSTS, STREAMS, CurlSender
from tocsin.push.guard import Guard
from tocsin.push.http2_connection import Request
from tocsin.push.http2_dial import Dialler
from tocsin.push.http2_heads import Head
from tocsin.push.http2_host import Counts, Http2Host, Limits
from tocsin.push.sender import Envelope, OnAnswer
from tocsin.push.trust import ca_bundle
from tocsin.settings import Settings

log = structlog.get_logger()

# Hosts that are left to libcurl. More than there are push services, or somebody plays with us: begun anew.
_MOST_REFUSED = 1_024
_SWEEP_SECONDS = 25.0

# What every endpoint looks like. Whatever else may be a URL is libcurl's to understand, or to refuse.
_PLAIN_URL = re.compile(
    r"https://([a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?(?::(?:[0-5]?[0-9]{1,4}|6[0-4][0-9]{3}))?)(/[!\"$-\[\]-~]{0,4095})"
)
_VISIBLE = re.compile(r"[ -~]{0,4096}")


class Http2Sender:
    """The options are those of `CurlSender`, which takes a push service that does not speak HTTP/2, or with which ours
    was at odds, from then on. `connections` and `requests` count those of both."""

    def __init__(
        self,
        *,
        ca_bundle: Path,
        guard: Guard,
        request_seconds: float = 10.0,
        connect_seconds: float = CONNECT_SECONDS,
        host_connections: int = HOST_CONNECTIONS,
        streams: int = STREAMS,
    ) -> None:
        self._request_seconds = request_seconds
        self._limits = Limits(min(connect_seconds, request_seconds), host_connections, streams)
        self._dialler = Dialler(ca_bundle, guard)
        self._curl = CurlSender(
            ca_bundle=ca_bundle,
            guard=guard,
            request_seconds=request_seconds,
            connect_seconds=connect_seconds,
            host_connections=host_connections,
            streams=streams,
        )
        self._hosts: dict[str, Http2Host] = {}
        self._refused: set[str] = set()
        self._by_curl: dict[asyncio.Task[None], Batch] = {}
        self._counts = Counts()
        self._home: asyncio.AbstractEventLoop | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    @classmethod
    def from_settings(cls, settings: Settings) -> "Http2Sender":
        """Raises Misconfigured for certificates or targets that cannot be used."""
        return cls(
            ca_bundle=ca_bundle(settings.push_ca_file, settings.data_dir),
            guard=Guard(settings.push_connect_to),
            request_seconds=settings.request_seconds,
        )

    @property
    def connections(self) -> int:
        return self._counts.connections + self._curl.connections

    @property
    def requests(self) -> int:
        return self._counts.requests + self._curl.requests

    async def send(self, envelopes: Sequence[Envelope], on_answer: OnAnswer | None = None) -> list[Answer]:
        """See `Sender`. Raises RuntimeError after `close`, and in another loop than the first; and what
        `on_answer` raises, after giving up the rest."""
        loop = self._check_usable()
        if not envelopes:
            return []
        batch = Batch(len(envelopes), on_answer)
        batch.timer = loop.call_later(self._limits.connect_seconds, self._wait_no_longer, batch)
        try:
            self._spread(envelopes, batch)
            await batch.done
        finally:
            batch.timer.cancel()
            if batch.left:
                self._give_up(batch)
        return batch.answers

    async def close(self) -> None:
        """What is under way gets the answer Failure.BROKEN: whether it arrived is not known. Again: nothing."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self._curl.close()
        for host in list(self._hosts.values()):
            host.settle(await host.close(), Failure.BROKEN)
        self._hosts.clear()
        await asyncio.gather(*self._by_curl, return_exceptions=True)
        self._dialler.close()

    def _check_usable(self) -> asyncio.AbstractEventLoop:
        if self._closed:
            raise RuntimeError("the sender is closed")
        running = asyncio.get_running_loop()
        if self._home not in (None, running):
            raise RuntimeError("a sender belongs to the event loop that it first sent in")
        self._home = running
        return running

    def _spread(self, envelopes: Sequence[Envelope], batch: Batch) -> None:
        """Each to its host; all that go to one in this turn of the loop leave together."""
        head: Head = ("", 0, "", None)
        touched: dict[str, Http2Host] = {}
        odd: list[Request] = []
        is_plain = False
        for number, envelope in enumerate(envelopes):
            url, authorization, _, ttl, urgency, collapse_key = envelope
            if (authorization, ttl, urgency, collapse_key) != head:
                head = (authorization, ttl, urgency, collapse_key)
                is_plain = _is_plain(head)
            matched = _PLAIN_URL.fullmatch(url) if is_plain else None
            if matched is None:
                odd.append(Request(batch, number, b"", head, envelope))
                continue
            authority = matched[1]
            request = Request(batch, number, matched[2].encode("ascii"), head, envelope)
            host = touched.get(authority)
            if host is None:
                if authority in self._refused:
                    odd.append(request)
                    continue
                host = touched[authority] = self._hosts.get(authority) or self._host_for(authority)
                host.wake()
            host.add(request)
        self._leave_to_curl(odd)

    def _host_for(self, authority: str) -> Http2Host:
        if len(self._hosts) >= MAX_HOSTS:
            self._close_an_idle_host()
        host = Http2Host(authority, self._dialler, self._limits, self._counts, self._refuse)
        self._hosts[authority] = host
        if self._sweeper is None:
            self._sweep()
        return host

    def _close_an_idle_host(self) -> None:
        for authority, host in self._hosts.items():
            if host.is_idle:
                del self._hosts[authority]
                host.shut()
                return

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        for host in self._hosts.values():
            host.rest(loop.time())
        self._sweeper = loop.call_later(_SWEEP_SECONDS, self._sweep)

    def _wait_no_longer(self, batch: Batch) -> None:
        """G5: what has not been started by now never is."""
        for host in list(self._hosts.values()):
            host.settle(host.forget(batch), Failure.TIMEOUT)
        seconds = self._request_seconds - self._limits.connect_seconds
        batch.timer = asyncio.get_running_loop().call_later(seconds, self._listen_no_longer, batch)

    def _listen_no_longer(self, batch: Batch) -> None:
        silent = asyncio.get_running_loop().time() - self._request_seconds / 2
        for host in list(self._hosts.values()):
            host.settle(host.give_up(batch, heard_since=silent), Failure.TIMEOUT)

    def _give_up(self, batch: Batch) -> None:
        """Of a cancelled or failed batch: streams are reset, all else goes on."""
        for host in list(self._hosts.values()):
            host.give_up(batch)
        for task in [task for task, whose in self._by_curl.items() if whose is batch]:
            task.cancel()

    def _refuse(self, authority: str, requests: Sequence[Request], reason: str) -> None:
        if authority not in self._refused:
            if len(self._refused) >= _MOST_REFUSED:
                self._refused.clear()
            self._refused.add(authority)
            log.warning("push service left to libcurl", host=authority, reason=reason)
        self._leave_to_curl(requests)

    def _leave_to_curl(self, requests: Sequence[Request]) -> None:
        batches: dict[Batch, list[Request]] = {}
        for request in requests:
            batches.setdefault(request.batch, []).append(request)
        for batch, its in batches.items():
            task = asyncio.get_running_loop().create_task(self._send_by_curl(batch, its))
            self._by_curl[task] = batch
            task.add_done_callback(self._by_curl.pop)

    async def _send_by_curl(self, batch: Batch, requests: Sequence[Request]) -> None:
        left = set(range(len(requests)))

        def heard(place: int, answer: Answer) -> None:
            left.discard(place)
            batch.take(requests[place].number, answer)

        if not self._closed:
            waited = asyncio.get_running_loop().time() - batch.began
            try:
                await self._curl.send([request.envelope for request in requests], heard, waited)
            except Exception as error:  # noqa: BLE001 (nobody awaits this task, and whoever sends waits for every answer)
                # Without its text, which may quote an endpoint.
                log.error("libcurl could not send", error=type(error).__name__)  # noqa: TRY400
        for place in sorted(left):
            heard(place, Answer(0, Failure.BROKEN))


def _is_plain(head: Head) -> bool:
    """Nothing in it would end a header and begin another."""
    authorization, _, urgency, collapse_key = head
    return all(_VISIBLE.fullmatch(value) for value in (authorization, urgency, collapse_key or ""))
