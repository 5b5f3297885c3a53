"""Starts parts in order, restarts those that die, and ends them all within 10 s."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGTERM

import aiohttp

from tocsin.cli.parts import Part, Running
from tocsin.domain.errors import Misconfigured, Unavailable
from tocsin.store.client import Server

# Parts get this long to end by themselves; then the servers, which had to outlive them, get a little.
END_SECONDS = 7.0
SERVER_END_SECONDS = 2.0
READY_SECONDS = 30.0
_LONGEST_PAUSE = 1.0

Told = Callable[[str], None]


class Supervisor:
    """`told` gets a line for each event that a person should know of."""

    def __init__(self, environment: Mapping[str, str], told: Told, log_dir: Path | None = None) -> None:
        self._environment = dict(environment)
        self._told = told
        self._log_dir = log_dir
        self._running: list[Running] = []
        self._watchers: list[asyncio.Task[None]] = []

    def set_environment(self, **names: str) -> None:
        """For the parts that start from here on."""
        self._environment.update(names)

    def part(self, name: str) -> Running:
        """A part that was started, by its name."""
        return next(running for running in self._running if running.part.name == name)

    async def start(self, parts: Sequence[Part]) -> None:
        """Starts these together and returns when each answers. Raises Misconfigured when one does not."""
        started = []
        for part in parts:
            running = Running(part, self._environment, self._log_dir)
            await running.start()
            self._running.append(running)
            self._watchers.append(asyncio.create_task(self._watch(running)))
            started.append(running)
        await asyncio.gather(*(self._ready(running) for running in started))

    async def _watch(self, running: Running) -> None:
        pause = 0.1
        while True:
            began = time.monotonic()
            code = await running.ended()
            running.deaths += 1
            pause = 0.1 if time.monotonic() - began > 10 else min(_LONGEST_PAUSE, pause * 2)
            self._told(f"{running.part.name} ended with {code}; starting it again")
            await asyncio.sleep(pause)
            running.kill_session()  # children that outlived it must not work beside its successor's
            await running.start()

    async def _ready(self, running: Running) -> None:
        if not running.part.ready_url:
            return
        answers = _server_answers if running.part.is_server else _http_answers
        deadline = time.monotonic() + READY_SECONDS
        while not await answers(running.part.ready_url):
            if time.monotonic() > deadline or running.deaths > 3:
                where = f"; see {self._log_dir / running.part.name}.log" if self._log_dir else ""
                raise Misconfigured(f"{running.part.name} does not start{where}")
            await asyncio.sleep(0.02)

    async def end(self) -> None:
        """Asks all to end, the servers last, and kills what does not."""
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        servers = [running for running in self._running if running.part.is_server]
        await _end([running for running in self._running if not running.part.is_server], END_SECONDS)
        await _end(servers, SERVER_END_SECONDS)


@asynccontextmanager
async def supervised(
    environment: Mapping[str, str], told: Told, log_dir: Path | None = None
) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(environment, told, log_dir)
    try:
        yield supervisor
    finally:
        await asyncio.shield(supervisor.end())


async def _end(group: Sequence[Running], seconds: float) -> None:
    for running in group:
        running.signal(SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(running.ended() for running in group))
    for running in group:
        running.kill_session()
    await asyncio.gather(*(running.ended() for running in group))


async def _server_answers(url: str) -> bool:
    server = Server(url, timeout=1.0)
    try:
        await server.ping()
    except Unavailable:
        return False
    finally:
        await server.close()
    return True


async def _http_answers(url: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=1)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
