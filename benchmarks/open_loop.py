"""An open-loop HTTP load: requests leave by a schedule, whatever becomes of those before them.

A closed loop waits with its next request until the last one is answered, so a server that stalls for a second delays a
few requests and hides all that would have come. Here each request has its moment, its time counts from that moment,
and so a stall counts for all who came meanwhile.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter

# More than any rate here needs, less than a process may open.
MOST_CONNECTIONS = 600
# Whoever is not answered by then after the last arrival has failed.
PATIENCE_SECONDS = 10.0


@dataclass
class Flow:
    """Requests of one kind, as they go over the wire; `expected` are the statuses of those that were done, `shed` that
    of those that were turned away."""

    name: str
    requests: Iterator[bytes]
    expected: tuple[int, ...]
    rate: float
    shed: int | None = None


@dataclass
class Measured:
    """`seconds` are those of all that were done, from their moments in the schedule; `late` how much later than its
    moment the client itself sent each."""

    seconds: list[float] = field(default_factory=list)
    shed_seconds: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def sent(self) -> int:
        return len(self.seconds) + len(self.shed_seconds) + self.failed.total()

    def ms(self, share: float, of: str = "seconds") -> float:
        """A percentile in milliseconds; endless where nothing was done."""
        values = sorted(getattr(self, of))
        return 1000 * values[min(len(values) - 1, int(share * len(values)))] if values else float("inf")


class _Connection(asyncio.Protocol):
    """One request at a time; keeps no more of an answer than it needs to know where that ends."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._asked: tuple[Flow, float] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, flow: Flow, moment: float, request: bytes) -> None:
        assert self._transport is not None
        self._asked = (flow, moment)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or self._asked is None:
            return
        head = bytes(self._buffer[:end]).lower()
        start = head.find(b"content-length:")
        length = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        self._buffer.clear()
        (flow, moment), self._asked = self._asked, None
        self._load.answered(flow, moment, int(head[9:12]), None if b"connection: close" in head else self)

    def connection_lost(self, _: Exception | None) -> None:
        asked, self._asked = self._asked, None
        self._load.lost(self, asked)


class Load:
    """`await Load(port, flows, seconds).run()` gives what was measured, by flow."""

    def __init__(self, port: int, flows: list[Flow], seconds: float, seed: int = 1) -> None:
        self._port = port
        self._flows = flows
        self._seconds = seconds
        self._chance = random.Random(seed)
        self._idle: list[_Connection] = []
        self._open = 0
        self._waiting: deque[tuple[Flow, float, bytes]] = deque()
        self._measured = {flow.name: Measured() for flow in flows}
        self._left = 0
        self._done = asyncio.Event()
        self._opening: set[asyncio.Task[None]] = set()

    async def run(self) -> dict[str, Measured]:
        arrivals = self._schedule()
        self._left = len(arrivals)
        begun = perf_counter() + 0.05
        for after, flow, request in arrivals:
            moment = begun + after
            while (ahead := moment - perf_counter()) > 0:
                await asyncio.sleep(ahead)
            self._send(flow, moment, request)
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._done.wait()
        except TimeoutError:
            self._measured[self._flows[0].name].failed["no answer"] += self._left
        for connection in self._idle:
            if connection._transport is not None:
                connection._transport.close()
        return self._measured

    def _schedule(self) -> list[tuple[float, Flow, bytes]]:
        """Independent arrivals at each flow's rate (Poisson), made before the clock starts."""
        arrivals = []
        for flow in self._flows:
            moment = self._chance.expovariate(flow.rate)
            while moment < self._seconds:
                arrivals.append((moment, flow, next(flow.requests)))
                moment += self._chance.expovariate(flow.rate)
        return sorted(arrivals, key=lambda arrival: arrival[0])

    def _send(self, flow: Flow, moment: float, request: bytes) -> None:
        if self._idle:
            self._put(self._idle.pop(), flow, moment, request)
            return
        self._waiting.append((flow, moment, request))
        if self._open < MOST_CONNECTIONS:
            self._open += 1
            task = asyncio.create_task(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _put(self, connection: _Connection, flow: Flow, moment: float, request: bytes) -> None:
        self._measured[flow.name].late.append(perf_counter() - moment)
        connection.send(flow, moment, request)

    async def _connect(self) -> None:
        try:
            _, made = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self), "127.0.0.1", self._port
            )
        except OSError as error:
            self._open -= 1
            if self._waiting:
                flow, _, _ = self._waiting.popleft()
                self._fail(flow, type(error).__name__)
            return
        self._rest(made)

    def _rest(self, connection: _Connection) -> None:
        if self._waiting:
            self._put(connection, *self._waiting.popleft())
        else:
            self._idle.append(connection)

    def answered(self, flow: Flow, moment: float, status: int, connection: _Connection | None) -> None:
        measured, took = self._measured[flow.name], perf_counter() - moment
        if status in flow.expected:
            measured.seconds.append(took)
        elif status == flow.shed:
            measured.shed_seconds.append(took)
        else:
            measured.failed[str(status)] += 1
        self._count()
        if connection is not None:
            self._rest(connection)

    def lost(self, connection: _Connection, asked: tuple[Flow, float] | None) -> None:
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        if asked is not None:
            self._fail(asked[0], "connection lost")

    def _fail(self, flow: Flow, why: str) -> None:
        self._measured[flow.name].failed[why] += 1
        self._count()

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._done.set()
