"""A whole Tocsin for tests: `tocsin up` with the simulator, on free ports, in a folder of its own."""

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tocsin.cli.parts import Running, tocsin_part
from tocsin.cli.supervisor import Supervisor
from tocsin.cli.up import running, settings_for_parts
from tocsin.settings import Settings
from tocsin.simulator.client import SimulatorClient
from tocsin.simulator.models import BrowserView
from tocsin.store.client import Server
from tocsin.store.store import Store

ADMIN_KEY = "an-admin-key-for-tests-and-nothing-else"
WAIT_SECONDS = 60.0

ALERT: dict[str, Any] = {
    "headline": "Aid convoy reaches Aleppo",
    "body": "The first in three weeks.",
    "url": "https://news.example.com/aleppo",
    "topics": ["world"],
    "level": "breaking",
}


class Town:
    """`session` calls the API as nobody; `editor` are the headers of one who may do everything; `environment` is what
    the parts were started with, and `folder` holds their logs."""

    def __init__(
        self,
        settings: Settings,
        supervisor: Supervisor,
        store: Store,
        simulator: SimulatorClient,
        ready: dict[str, str],
        environment: Mapping[str, str],
        folder: Path,
    ) -> None:
        self.environment = environment
        self.folder = folder
        self.settings = settings
        self.supervisor = supervisor
        self.store = store
        self.simulator = simulator
        self.ready = ready
        self.session = aiohttp.ClientSession(settings.origin)
        self.editor = {"Authorization": f"Bearer {ADMIN_KEY}"}

    async def clear(self) -> None:
        """No subscriptions, no alerts, no faults. Profiles stay: a process keeps what it read of them."""
        await self.settle()
        redis = self.store.server.redis
        async for key in redis.scan_iter(count=1000):
            if not key.startswith((b"{profiles}", b"{site}:", b"{keys}")):
                await redis.delete(key)
        # Made for readers who are gone; a shard that has enough is looked through once an hour only.
        async with Server(self.settings.prekey_server).redis as prekeys:
            async for key in prekeys.scan_iter(match="*:prekeys:*", count=1000):
                await prekeys.delete(key)
        await self.simulator.clear_faults()
        await self.simulator.delete_browsers()
        await self.simulator.clear_log()

    async def until_back(self) -> None:
        """After a killing: the API answers, and so do its store and its broker."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                try:
                    _, ready = await self.call("GET", "/readyz")
                    if ready.get("checks") == {"store": "ok", "broker": "ok"}:
                        return
                except aiohttp.ClientError:
                    pass  # not listening yet
                await asyncio.sleep(0.05)

    async def settle(self) -> None:
        """Stops whatever is still being sent and waits until nothing is."""
        now_ms = 0
        for alert_id in await self.store.alerts.open_ids():
            await self.store.alerts.stop(alert_id, now_ms)
        async with asyncio.timeout(WAIT_SECONDS):
            while await self.store.alerts.open_ids():
                await asyncio.sleep(0.05)

    async def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        async with self.session.request(method, path, json=body, headers=headers) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else {}

    async def subscribe(
        self, count: int, preferences: dict[str, Any] | None = None, push_services: str | dict[str, float] = "fcm"
    ) -> list[BrowserView]:
        """Simulated browsers, registered through the API."""
        _, site = await self.call("GET", "/v1/site")
        views = await self.simulator.create_browsers(count, push_services, site["application_server_key"])
        for first in range(0, count, 50):
            await asyncio.gather(*(self.register(view, preferences) for view in views[first : first + 50]))
        return views

    async def register(self, view: BrowserView, preferences: dict[str, Any] | None = None) -> dict[str, Any]:
        body = {
            "subscription": view.subscription.model_dump(mode="json"),
            "preferences": {"topics": ["world"]} if preferences is None else preferences,
        }
        status, registered = await self.call("POST", "/v1/subscriptions", body)
        assert status in (200, 201), registered
        return registered

    async def send(self, **changes: Any) -> dict[str, Any]:
        """Queues an alert; the answer's body."""
        headers = {**self.editor, "Idempotency-Key": secrets.token_urlsafe(16)}
        status, alert = await self.call("POST", "/v1/alerts", {**ALERT, **changes}, headers)
        assert status == 202, alert
        return alert

    async def draft(self, **changes: Any) -> dict[str, Any]:
        headers = {**self.editor, "Idempotency-Key": secrets.token_urlsafe(16)}
        status, alert = await self.call("POST", "/v1/alerts", {**ALERT, "state": "draft", **changes}, headers)
        assert status == 201, alert
        return alert

    async def read(self, alert_id: str) -> dict[str, Any]:
        status, alert = await self.call("GET", f"/v1/alerts/{alert_id}", headers=self.editor)
        assert status == 200, alert
        return alert

    async def ended(self, alert_id: str, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """The alert when nothing is left to be done for it; checks its account at every look."""
        async with asyncio.timeout(seconds):
            while True:
                alert = await self.read(alert_id)
                assert_account(alert["progress"])
                if alert["ended_at"] is not None:
                    return alert
                await asyncio.sleep(0.05)

    async def progress_until(self, alert_id: str, wanted: Any) -> dict[str, Any]:
        """The first progress of which `wanted(progress)` is true."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                progress: dict[str, Any] = (await self.read(alert_id))["progress"]
                if wanted(progress):
                    return progress
                await asyncio.sleep(0.02)

    async def got(self, alert_id: str, views: Sequence[BrowserView]) -> list[int]:
        """How often each browser decrypted the alert, by its own record."""
        received = await self.simulator.received(alert_id)
        return [received.get(view.id, 0) for view in views]

    def part(self, name: str) -> Running:
        return self.supervisor.part(name)


PARTS = ("accepted", "gone", "rejected", "expired", "stopped", "opted_out", "set_aside", "deferred", "retrying",
         "pending", "unaccounted")  # fmt: skip


def assert_account(progress: dict[str, Any]) -> None:
    """`eligible` is the sum of its parts, for all and for each push service, and nobody is unaccounted for."""
    for counts in (progress, *progress["by_push_service"].values()):
        assert counts["eligible"] == sum(counts[name] for name in PARTS), counts
        assert counts["unaccounted"] == 0, counts


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def open_town(
    folder: Path, more_environment: Mapping[str, str] | None = None, **given: str | int
) -> AsyncIterator[Town]:
    """Everything at work; `given` are settings by their names, `more_environment` goes to all but the simulator."""
    quick = {"lease_seconds": "3", "request_seconds": "1.5", "reconcile_seconds": "0.5", "retry_seconds": "0.2"}
    off = {
        "subscribe_rate": "off",
        "alert_rate": "off",
        "link_check": "off",
        "admin_key": ADMIN_KEY,
        "worker_processes": 1,
    }
    settings, environment = settings_for_parts(**{"data_dir": folder, "port": free_port(), **quick, **off, **given})
    more = dict(more_environment or {})
    environment.update(more)
    ready_file = folder / "simulator.json"

    async def simulator_first(supervisor: Supervisor) -> None:
        words = ("--folder", str(folder / "simulator"), "--ready-file", str(ready_file))
        supervisor.set_environment(**dict.fromkeys(more, ""))
        await supervisor.start([tocsin_part("simulator", "simulator", *words)])
        async with asyncio.timeout(WAIT_SECONDS):
            while not ready_file.exists():
                await asyncio.sleep(0.02)
        told = json.loads(ready_file.read_text())
        environment.update(TOCSIN_PUSH_CONNECT_TO=told["connect_to"], TOCSIN_PUSH_CA_FILE=told["ca_file"])
        supervisor.set_environment(**environment)

    async with running(settings, lambda _: None, environment, folder, simulator_first) as supervisor:
        ready = json.loads(ready_file.read_text())
        async with (
            SimulatorClient(ready["control_url"]) as simulator,
            Store(settings) as store,
        ):
            town = Town(settings, supervisor, store, simulator, ready, environment, folder)
            try:
                yield town
            finally:
                await town.session.close()
