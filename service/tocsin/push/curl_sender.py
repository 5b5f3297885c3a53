"""The sender for the hot path: libcurl, many HTTP/2 streams on few connections, all on one asyncio loop."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pycurl

from tocsin.domain.deliveries import Answer, Failure
from tocsin.push.batch import Batch
from tocsin.push.curl_loop import CurlLoop
from tocsin.push.curl_request import CurlRequest
from tocsin.push.guard import Guard
from tocsin.push.sender import Envelope, OnAnswer
from tocsin.push.trust import ca_bundle
from tocsin.settings import Settings

# With the wait for a free stream: a request that began to wait before a stop starts at most so long after it (G5).
CONNECT_SECONDS = 1.5
# Most in flight are 1,000 (the setting WINDOW), which fill ten connections; a service may allow fewer streams on each.
# libcurl opens the next one when the last is full: at 30 ms an answer, one gives 2,700 a second, ten 20,300 (measured).
HOST_CONNECTIONS = 16
# What RFC 9113 §6.5.2 recommends as the least; a push service that says less is heard.
STREAMS = 100
# `.notify.windows.com` stands for dozens of hosts; one that is not in use is closed for the next.
MAX_HOSTS = 64


class CurlSender:
    """`connections` counts those opened so far by requests that ended, `requests` those that got an answer or failed.

    `ca_bundle` comes from `trust`; `request_seconds` is the most for one request, its wait for a connection and its
    connecting included; `host_connections` is the most to one push service, `streams` the most requests on each.
    """

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
        self._guard = guard
        self._request_seconds = request_seconds
        self._connect_seconds = min(connect_seconds, request_seconds)
        self._options = _easy_options(ca_bundle, guard)
        self._multi_options = _multi_options(host_connections, streams)
        # One for each host: libcurl keeps a single queue of those who wait for a connection and moves up only its head,
        # so that in a shared one a silent push service held up all others until their time ran out (tested).
        self._loops: dict[str, CurlLoop] = {}
        self._home: asyncio.AbstractEventLoop | None = None
        self._idle: list[CurlRequest] = []
        self._under_way: dict[pycurl.Curl, _Place] = {}
        self._closed = False
        self.connections = 0
        self.requests = 0

    @classmethod
    def from_settings(cls, settings: Settings) -> "CurlSender":
        """Raises Misconfigured for certificates or targets that cannot be used."""
        return cls(
            ca_bundle=ca_bundle(settings.push_ca_file, settings.data_dir),
            guard=Guard(settings.push_connect_to),
            request_seconds=settings.request_seconds,
        )

    async def send(
        self, envelopes: Sequence[Envelope], on_answer: OnAnswer | None = None, waited: float = 0.0
    ) -> list[Answer]:
        """See `Sender`. Raises RuntimeError after `close`, and in another loop than the first; and what
        `on_answer` raises, after giving up the rest. `waited` is how long, in seconds, they have waited elsewhere."""
        self._check_usable()
        if not envelopes:
            return []
        batch = Batch(len(envelopes), on_answer)
        try:
            for number, envelope in enumerate(envelopes):
                self._start(envelope, batch, number, waited)
            await batch.done
        finally:
            self._give_up(batch)
        return batch.answers

    async def close(self) -> None:
        """What is under way gets the answer Failure.BROKEN: whether it arrived is not known. Again: nothing."""
        self._closed = True
        for easy, place in list(self._under_way.items()):
            self._forget(easy)
            place.batch.take(place.number, Answer(0, Failure.BROKEN))
        for loop in self._loops.values():
            loop.close()
        self._loops.clear()
        for request in self._idle:
            request.easy.close()
        self._idle.clear()

    def _check_usable(self) -> None:
        if self._closed:
            raise RuntimeError("the sender is closed")
        running = asyncio.get_running_loop()
        if self._home not in (None, running):
            raise RuntimeError("a sender belongs to the event loop that it first sent in")
        self._home = running

    def _start(self, envelope: Envelope, batch: Batch, number: int, waited: float) -> None:
        # Only to tell hosts apart: libcurl reads the URL, and refuses what is none.
        host = envelope.url[8:].partition("/")[0]
        loop = self._loops.get(host) or self._loop_for(host)
        request = self._idle.pop() if self._idle else CurlRequest(self._options, self._guard)
        request.load(envelope)
        request.limit(self._connect_seconds - waited, self._request_seconds - waited)
        easy = request.easy
        loop.add(easy)
        self._under_way[easy] = _Place(request, loop, batch, number)

    def _loop_for(self, host: str) -> CurlLoop:
        if len(self._loops) >= MAX_HOSTS:
            self._close_an_idle_loop()
        loop = self._loops[host] = CurlLoop(self._done, self._multi_options)
        return loop

    def _close_an_idle_loop(self) -> None:
        for host, loop in self._loops.items():
            if loop.is_idle:
                loop.close()
                del self._loops[host]
                return

    def _done(self, easy: pycurl.Curl, code: int) -> None:
        request, _, batch, number = self._under_way.pop(easy)
        self.requests += 1
        self.connections += request.connections()
        answer = request.answer(code)
        self._idle.append(request)
        batch.take(number, answer)

    def _give_up(self, batch: Batch) -> None:
        """Takes a cancelled or failed batch's requests out of libcurl: their streams are reset, the rest goes on."""
        if batch.left:
            for easy in [easy for easy, place in self._under_way.items() if place.batch is batch]:
                self._forget(easy)

    def _forget(self, easy: pycurl.Curl) -> None:
        place = self._under_way.pop(easy)
        place.loop.remove(easy)
        self.connections += place.request.connections()
        self._idle.append(place.request)


class _Place(NamedTuple):
    """Where a request under way belongs."""

    request: CurlRequest
    loop: CurlLoop
    batch: Batch
    number: int


def _easy_options(ca_bundle: Path, guard: Guard) -> dict[int, object]:
    """What holds for every request."""
    options: dict[int, object] = {
        pycurl.POST: 1,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTPS,
        pycurl.FOLLOWLOCATION: 0,
        # Proxy variables are ignored: through a proxy the guard would see the proxy's address only.
        pycurl.PROXY: "",
        pycurl.NOPROXY: "*",
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_2TLS,
        pycurl.PIPEWAIT: 1,
        pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
        pycurl.SSL_VERIFYPEER: 1,
        pycurl.SSL_VERIFYHOST: 2,
        pycurl.CAINFO: str(ca_bundle),
        # pycurl's own names every library and its version.
        pycurl.USERAGENT: "Tocsin",
        pycurl.TCP_KEEPALIVE: 1,
        pycurl.NOSIGNAL: 1,
    }
    if guard.connect_to:
        options[pycurl.CONNECT_TO] = list(guard.connect_to)
    return options


def _multi_options(host_connections: int, streams: int) -> dict[int, int]:
    return {
        pycurl.M_PIPELINING: pycurl.PIPE_MULTIPLEX,
        pycurl.M_MAX_HOST_CONNECTIONS: host_connections,
        pycurl.M_MAX_CONCURRENT_STREAMS: streams,
        # Kept for reuse; by default libcurl keeps four for each request ever added, however few hosts there are.
        pycurl.M_MAXCONNECTS: 8 * host_connections,
    }
