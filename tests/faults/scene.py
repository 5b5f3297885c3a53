"""What a fault may use: the town, its readers, a random source of its own, and hands to break things with."""

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from faults.population import Population
from tocsin.cli.parts import Running
from tocsin.simulator.faults import DelayFault, Fault
from town import ALERT, WAIT_SECONDS, Town

PUSH_SERVICES = ("fcm", "mozilla", "apple", "wns")
SENDING = ("worker-priority", "worker-standard")
# So that an alert is long enough on its way to be struck in the midst of it.
DELAY = DelayFault(milliseconds=120)


@dataclass
class Sent:
    """An alert that was asked for; `id` is known once it was answered with 202."""

    body: dict[str, Any]
    key: str
    id: str = ""
    queued_at: float = 0.0
    # Browsers that a fault keeps from getting it, beside those that a push service calls gone.
    excused: set[str] = field(default_factory=set)


@dataclass
class Scene:
    """One fault with one seed. `full` gives outages their full length; `may_repeat` is what G4 allows."""

    town: Town
    population: Population
    rng: Random
    full: bool
    alerts: list[Sent] = field(default_factory=list)
    may_repeat: int = 0
    died: int = 0
    struck_at: float = 0.0
    over_at: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def window(self) -> int:
        return self.town.settings.window

    @property
    def lease(self) -> float:
        return self.town.settings.lease_seconds

    # Alerts

    async def send(self, **changes: Any) -> Sent:
        """Queues an alert; it is in the account from its 202 on."""
        sent = self.draft(**changes)
        status, answer = await self.post(sent)
        assert status == 202, answer
        return sent

    def draft(self, **changes: Any) -> Sent:
        level = self.rng.choice(("update", "breaking", "breaking", "flash"))
        # What most readers get, so that there is much to lose; the others are there to be left in peace.
        more = self.rng.choice(({}, {}, {"story": "aleppo"}, {"language": "en"}, {"language": "de"}))
        body = {**ALERT, **more, "level": level, "headline": f"Struck at {self.rng.random():.6f}", **changes}
        return Sent(body, secrets.token_urlsafe(16))

    async def post(self, sent: Sent) -> tuple[int, dict[str, Any]]:
        """One call for it; whatever is answered with 202 is to be kept. Raises aiohttp.ClientError."""
        headers = {**self.town.editor, "Idempotency-Key": sent.key}
        status, answer = await self.town.call("POST", "/v1/alerts", sent.body, headers)
        if status == 202:
            self.require(sent.id in ("", answer["id"]), "one key made two alerts")
            if not sent.id:
                sent.id, sent.queued_at = answer["id"], time.time()
                self.alerts.append(sent)
        return status, answer

    async def post_until_taken(self, sent: Sent) -> None:
        """As the documentation asks: the same key until there is a 202."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                with suppress(aiohttp.ClientError, ValueError):
                    status, _ = await self.post(sent)
                    if status == 202:
                        return
                await asyncio.sleep(0.05)

    async def under_way(self, **changes: Any) -> Sent:
        """An alert of which the seed has let so many be accepted, and that has some way to go."""
        await self.slow_down()
        sent = await self.send(**changes)
        before = (await self.town.simulator.summary()).requests
        await self.until_requests(before + self.rng.randint(1, len(self.population.eligible(sent.body)) * 2 // 3))
        return sent

    async def slow_down(self, *faults: Fault, push_services: tuple[str, ...] = PUSH_SERVICES) -> None:
        """These faults at these push services, each answering late as well."""
        for name in push_services:
            await self.town.simulator.set_faults(name, DELAY, *faults)

    async def hasten(self) -> None:
        await self.town.simulator.clear_faults()

    async def until_requests(self, count: int) -> None:
        """That so many requests have reached the push services."""
        async with asyncio.timeout(WAIT_SECONDS):
            while (await self.town.simulator.summary()).requests < count:
                await asyncio.sleep(0.01)

    # Processes

    def pid(self, name: str) -> int:
        pid = self.town.part(name).pid
        assert pid is not None
        return pid

    def senders(self) -> list[int]:
        """The processes that send, of all workers."""
        return [child for name in SENDING for child in children(self.pid(name))]

    def kill(self, *pids: int) -> None:
        """Processes that send; each may repeat what it had in flight."""
        self.strike()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.count_dead(len(pids))

    def kill_workers(self, *names: str) -> None:
        """Whole groups, with their children."""
        self.strike()
        for name in names:
            if name in SENDING:
                self.count_dead(len(children(self.pid(name))))
            self.town.part(name).kill_session()

    def count_dead(self, count: int) -> None:
        self.died += count
        self.may_repeat += count * self.window

    @asynccontextmanager
    async def paused(self, *names: str) -> AsyncIterator[None]:
        """SIGSTOP, and SIGCONT at the end of the block, from which recovery counts."""
        pids = [self.pid(name) for name in names]
        self.strike()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            self.over()

    @asynccontextmanager
    async def away(self, name: str) -> AsyncIterator[None]:
        """The part is killed, and what is started in its place does nothing until the block ends."""
        running = self.town.part(name)
        part, running.part = running.part, replace(running.part, argv=["sleep", "1000"])
        self.strike()
        await ended(running)
        try:
            yield
        finally:
            running.part = part
            await ended(running)
            self.over()

    # Moments and findings

    def strike(self) -> None:
        """Now something breaks. Recovery counts from the first strike, or from `over`."""
        self.struck_at = self.struck_at or time.time()
        self.over_at = self.over_at or self.struck_at

    def over(self) -> None:
        """The cause has ended; only now can anything recover."""
        self.over_at = time.time()

    def require(self, held: bool, otherwise: str) -> None:
        if not held:
            self.wrong.append(otherwise)

    async def ops(self, path: str, method: str = "GET") -> dict[str, Any]:
        status, answer = await self.town.call(method, f"/v1/ops/{path}", headers=self.town.editor)
        assert status < 300, answer
        return answer


def children(pid: int) -> list[int]:
    """Of all its threads: Celery starts a pool's first processes from one, and their successors from another."""
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has just ended
            found += [int(child) for child in file.read_text().split()]
    return found


def has_children(running: Running) -> bool:
    """Whether a worker has come so far as to have processes."""
    try:
        return bool(running.pid and children(running.pid))
    except OSError:
        return False


async def ended(running: Running) -> None:
    """Kills the part and waits until its successor is there."""
    before = running.pid
    running.signal(signal.SIGKILL)
    async with asyncio.timeout(WAIT_SECONDS):
        while running.pid == before:
            await asyncio.sleep(0.01)
