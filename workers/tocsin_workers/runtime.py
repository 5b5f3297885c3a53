"""What a worker process has for as long as it lives: one event loop, made after the fork, and all that hangs on it."""

import asyncio
import ctypes
import gc
import math
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import structlog
from celery import Celery

from tocsin.domain.alerts import Alert
from tocsin.domain.errors import Unavailable
from tocsin.jobs import WakeUps
from tocsin.planning import Planners
from tocsin.push.sender import Sender
from tocsin.push.senders import make_sender
from tocsin.push.vapid import ApplicationServer
from tocsin.push.vapid_keys import ServerKeys
from tocsin.settings import Settings
from tocsin.store.prekeys import Prekeys
from tocsin.store.store import Store
from tocsin_workers.counting import Counting
from tocsin_workers.keyring import Keyrings
from tocsin_workers.letters import Letters
from tocsin_workers.permits import Permits
from tocsin_workers.prekeys import Stock

log = structlog.get_logger()

# Celery ends a process that is not up within four seconds.
_PREPARE_SECONDS = 1.0

# A window makes some thousands of objects, and next to none in circles.
_COLLECT_EVERY = 50_000

# A worker waits longer for the store than a caller would: a store that is restarted is worth waiting for.
STORE_TIMEOUT = 5.0


class Runtime:
    """Owns the store's connections, those to the push services, and what was counted."""

    def __init__(self, settings: Settings, app: Celery, stopping: Callable[[], bool]) -> None:
        self.settings = settings
        self.stopping = stopping
        self.slice_ends = math.inf
        self.store = Store(settings, STORE_TIMEOUT)
        self.sender: Sender = make_sender(settings)
        self.keys = ServerKeys(settings.vapid_file, settings.vapid_subject)
        self.letters = Letters(self.keys, settings)
        self.wake_ups = WakeUps(app)
        self.permits = Permits(settings.window)
        self.planners = Planners(self.store.profiles, self.store.readers)
        self.counting = Counting(self.store.processes, f"{os.getpid()}-{secrets.token_hex(4)}")
        self.prekeys = Prekeys(settings.prekey_server, settings.prekeys)
        self.keyrings = Keyrings(self.prekeys, self.store.prekey_secret, self.counting)
        self.stock = Stock(self.store, self.prekeys, self.keyrings, self.counting, stopping)
        self.mended_at = -math.inf  # by the clock that never goes back
        self.looked_for_inactive_at = -math.inf
        self._alerts: dict[str, Alert] = {}
        self._runner: asyncio.Runner

    @property
    def application_server(self) -> ApplicationServer:
        return self.keys.present

    @classmethod
    def start(cls, settings: Settings, app: Celery, stopping: Callable[[], bool]) -> "Runtime":
        _die_with_parent()
        runner = asyncio.Runner()

        async def make() -> Runtime:
            runtime = cls(settings, app, stopping)
            with suppress(Unavailable, TimeoutError):  # a store that is away will be there later, or be missed then
                async with asyncio.timeout(_PREPARE_SECONDS):
                    await runtime.store.server.prepare()
                    await runtime.prekeys.prepare()
            return runtime

        runtime = runner.run(make())
        # What is there now stays; looking through it again and again took 2 % of a fan-out (perf).
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_EVERY)
        runtime._runner = runner
        return runtime

    def hands_back(self) -> bool:
        """Whether shards are to be handed back after the window at work."""
        return self.stopping() or time.monotonic() > self.slice_ends

    def run(self, job: Coroutine[Any, Any, None]) -> None:
        try:
            self._runner.run(self._unless_overtaken(job))
        except Unavailable as error:
            # Nothing is lost: leases lapse, and the reconciler wakes again for whatever is due.
            log.warning("job given up", error=error.detail)

    async def _unless_overtaken(self, job: Coroutine[Any, Any, None]) -> None:
        """A newer version may have changed the store's form since this process began."""
        try:
            if overtaken := await self.store.schema.overtaken():
                log.error("worker ends", error=overtaken)
                os.kill(os.getppid(), signal.SIGTERM)  # the whole worker: another process of it would do no better
                return
            await job
        finally:
            job.close()

    def end(self) -> None:
        self._runner.run(self.close())
        self._runner.close()

    async def close(self) -> None:
        await self.counting.write()
        await self.sender.close()
        await self.wake_ups.close()
        await self.prekeys.close()
        await self.store.server.close()

    async def alert(self, alert_id: str) -> Alert:
        """Of an alert that is being sent, which never changes, so that it is read once; not of one that still waits."""
        if alert_id not in self._alerts:
            if len(self._alerts) > 100:
                self._alerts.clear()
            self._alerts[alert_id] = (await self.store.alerts.get(alert_id)).alert
        return self._alerts[alert_id]


def _die_with_parent() -> None:
    """A child whose worker was killed must not go on alone, beside the children of the one that takes its place."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
