"""The connections to one push service's host: as many as its answers keep busy."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from tocsin.domain.deliveries import Answer, Failure
from tocsin.push.batch import Batch
from tocsin.push.http2_connection import Http2Connection, Request
from tocsin.push.http2_dial import Dialler, Undialled
from tocsin.push.http2_replies import BROKEN, CREATED, Reply
from tocsin.push.http2_streams import Ended

log = structlog.get_logger()

# Shorter than what routers and push services forget a silent connection after.
IDLE_SECONDS = 100.0
# A request that a push service says it did not look at is sent so often in all, and not longer than it may wait. Behind
# an nginx that leaves after 50 requests, some of a hundred need five.
_MOST_TRIES = 10
# Where there are connections and another cannot be had.
_NO_MORE_SECONDS = 1.0


@dataclass
class Limits:
    """`connect_seconds` is the most from `send` to the start of a request, `streams` the most requests on each of
    `connections`."""

    connect_seconds: float
    connections: int
    streams: int


@dataclass
class Counts:
    connections: int = 0
    requests: int = 0


class Http2Host:
    """`hand_over` is given the requests that another client is to send, and why, once this host turns out to speak
    HTTP/2 not at all or not with us."""

    def __init__(
        self,
        authority: str,
        dialler: Dialler,
        limits: Limits,
        counts: Counts,
        hand_over: Callable[[str, Sequence[Request], str], None],
    ) -> None:
        name, _, port = authority.partition(":")
        self._name, self._port = name, int(port or 443)
        self._authority = authority
        self._named = name if self._port == 443 else authority
        self._dialler = dialler
        self._limits = limits
        self._counts = counts
        self._hand_over = hand_over
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Request] = deque()
        self._connections: list[Http2Connection] = []
        self._dialling: set[asyncio.Task[None]] = set()
        self._is_woken = False
        self._is_proven = False
        self._grows_from = 0.0
        self._refused = ""

    @property
    def is_idle(self) -> bool:
        return not (self._waiting or self._dialling or any(one.core.under_way for one in self._connections))

    def add(self, request: Request) -> None:
        self._waiting.append(request)

    def wake(self) -> None:
        """Once for all that is added in this turn of the loop, so that it goes out in one write."""
        if not self._is_woken:
            self._is_woken = True
            self._loop.call_soon(self._pump)

    def forget(self, batch: Batch) -> Ended[Request]:
        """The batch's requests that are yet to be started."""
        ended = [(request, BROKEN) for request in self._waiting if request.batch is batch]
        if ended:
            self._waiting = deque(request for request in self._waiting if request.batch is not batch)
        return ended

    def give_up(self, batch: Batch, heard_since: float = 0.0) -> Ended[Request]:
        """All of the batch's requests, with what is known of them. A connection on which some of them were, and nothing
        was heard since then, gets no others: a router has forgotten it, perhaps, and TCP takes a quarter of an hour."""
        ended = self.forget(batch)
        for connection in list(self._connections):
            its = connection.give_up(batch)
            if its and connection.heard_at < heard_since:
                connection.is_retired = True
            ended += its
            self._drop_if_done(connection)
        self.wake()
        return ended

    def rest(self, now: float) -> None:
        """Closes what has not been used for long."""
        for connection in list(self._connections):
            if not connection.core.under_way and now - connection.idle_since > IDLE_SECONDS:
                self._connections.remove(connection)
                connection.close()

    def shut(self) -> Ended[Request]:
        """Closes all, and gives what waited or was under way."""
        for task in self._dialling:
            task.cancel()
        ended = [(request, BROKEN) for request in self._waiting]
        self._waiting.clear()
        for connection in list(self._connections):
            ended += connection.close()
        self._connections.clear()
        return ended

    async def close(self) -> Ended[Request]:
        ended, tasks = self.shut(), list(self._dialling)
        await asyncio.gather(*tasks, return_exceptions=True)
        return ended

    def heard(self, connection: Http2Connection, ended: Ended[Request]) -> None:
        if connection.core.is_at_odds:
            self._refuse("its HTTP/2 and ours do not agree")
        if self._refused:
            connection.is_retired = True
        self._drop_if_done(connection)
        self.settle(ended, Failure.BROKEN)
        if self._waiting:
            self.wake()

    def _drop_if_done(self, connection: Http2Connection) -> None:
        if connection.is_done and connection in self._connections:
            self._connections.remove(connection)
            connection.close()

    def settle(self, ended: Ended[Request], failure: Failure) -> None:
        """Tells each request's batch; `failure` is for those of which no status has come."""
        now = self._loop.time()
        last: Batch | None = None
        created = Answer(201)
        for request, reply in ended:
            if reply is CREATED:
                if request.batch is not last:
                    last = request.batch
                    created = Answer(201, seconds=now - last.began)
                request.batch.take(request.number, created)
            elif not (reply.unprocessed and self._again(request, now)):
                request.batch.take(request.number, _read(reply, failure, now - request.batch.began))
            else:
                continue
            self._counts.requests += 1

    def _again(self, request: Request, now: float) -> bool:
        """Sends a request again that the push service did nothing about (RFC 9113 §8.7)."""
        tries = request.batch.tries.get(request.number, 1)
        if tries >= _MOST_TRIES or self._is_late(request, now):
            return False
        request.batch.tries[request.number] = tries + 1
        self._waiting.appendleft(request)
        return True

    def _is_late(self, request: Request, now: float) -> bool:
        return now - request.batch.began > self._limits.connect_seconds

    def _refuse(self, reason: str) -> None:
        if not self._refused:
            self._refused = reason
            self.wake()

    def _pump(self) -> None:
        self._is_woken = False
        now = self._loop.time()
        late: Ended[Request] = []
        while self._waiting and self._is_late(self._waiting[0], now):
            late.append((self._waiting.popleft(), BROKEN))
        self.settle(late, Failure.TIMEOUT)
        if self._refused:
            requests = list(self._waiting)
            self._waiting.clear()
            self._hand_over(self._authority, requests, self._refused)
            return
        self.rest(now)
        for connection in list(self._connections):
            if not self._waiting:
                return
            connection.take(self._waiting)
        if self._waiting:
            self._grow(now)

    def _grow(self, now: float) -> None:
        """A connection for each hundred that wait; only one to a host of which we do not know yet how it answers."""
        wanted = -(-len(self._waiting) // self._limits.streams) - len(self._dialling)
        spare = self._limits.connections - len(self._connections) - len(self._dialling)
        if not self._is_proven:
            spare = 1 - len(self._dialling)
        elif now < self._grows_from and self._connections:
            spare = 0
        for _ in range(min(wanted, spare)):
            task = self._loop.create_task(self._dial(now))
            self._dialling.add(task)
            task.add_done_callback(self._dialling.discard)

    async def _dial(self, began: float) -> None:
        try:
            await self._connect(began)
        except Exception as error:  # noqa: BLE001 (nobody awaits this task, and whoever sends waits for every answer)
            # Without its text, which may quote what came from outside.
            log.error("no connection to a push service", error=type(error).__name__)  # noqa: TRY400
            self._undialled(began, Failure.CONNECT)

    async def _connect(self, began: float) -> None:
        until = began + self._limits.connect_seconds
        try:
            tls = await self._dialler.dial(self._name, self._port, until)
        except Undialled as undialled:
            self._undialled(began, undialled.failure)
            return
        self._counts.connections += 1
        if tls.protocol != "h2":
            tls.close()
            self._refuse("it speaks no HTTP/2")
            return
        connection = Http2Connection(tls, self._named, self._limits.streams, self)
        try:
            async with asyncio.timeout_at(until):
                is_ready = await connection.ready
        except TimeoutError:
            connection.close()
            self._undialled(began, Failure.TIMEOUT)
            return
        except BaseException:
            connection.close()
            raise
        if not is_ready:
            if not self._refused:
                self._undialled(began, Failure.BROKEN)
            return
        self._is_proven = True
        if connection.is_done:  # it said hello and goodbye
            connection.close()
            self._undialled(began, Failure.BROKEN)
            return
        self._connections.append(connection)
        self.wake()

    def _undialled(self, began: float, failure: Failure) -> None:
        """Fails those that waited for it, unless there are others to wait for."""
        self._grows_from = self._loop.time() + _NO_MORE_SECONDS
        self._loop.call_later(_NO_MORE_SECONDS, self.wake)
        if not self._connections and len(self._dialling) == 1:
            ended = [(request, BROKEN) for request in self._waiting if request.batch.began <= began]
            self._waiting = deque(request for request in self._waiting if request.batch.began > began)
            self.settle(ended, failure)
        self.wake()


def _read(reply: Reply, failure: Failure, seconds: float) -> Answer:
    """A reply that cannot be read is one of which nothing is known: the others of its connection are told all the same,
    and nobody waits for it for ever."""
    try:
        return reply.answer(failure, seconds)
    except Exception as error:  # noqa: BLE001
        # Without its text, which would quote what the push service said.
        log.error("a reply could not be read", status=reply.status, error=type(error).__name__)  # noqa: TRY400
        return Answer(0, Failure.BROKEN, seconds=seconds)
