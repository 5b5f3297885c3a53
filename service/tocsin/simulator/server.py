"""The simulator as a whole: push services, real browsers' protocols and the control interface, started and stopped."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from tocsin.simulator.authority import Authority
from tocsin.simulator.autopush import Autopush
from tocsin.simulator.browsers import Browsers
from tocsin.simulator.control import Control
from tocsin.simulator.faults import Faults
from tocsin.simulator.gcm import MCS_HOST, Gcm
from tocsin.simulator.listener import Listener
from tocsin.simulator.log import Log
from tocsin.simulator.messages import Receptions
from tocsin.simulator.payload import Payloads
from tocsin.simulator.push_service import PushService, World
from tocsin.simulator.services import HOSTS, PushServiceName

# A WebSocket that does not answer the closing frame is not waited for any longer.
SHUTDOWN_SECONDS = 1.0


class Simulator:
    """Everything on loopback; `async with Simulator(folder) as simulator`. Port 0 is any free port."""

    def __init__(
        self,
        folder: Path,
        host: str = "127.0.0.1",
        control_port: int = 0,
        autopush_port: int = 0,
        push_ports: Mapping[PushServiceName, int] | None = None,
    ) -> None:
        self._host = host
        self._control_port, self._autopush_port = control_port, autopush_port
        self._push_ports = dict(push_ports or {})
        self._authority = Authority(folder)
        self._world = World(Browsers(), Receptions(), Faults(), Log(), Payloads())
        self._listeners: dict[PushServiceName, Listener] = {}
        self._runners: list[web.AppRunner] = []
        self.ca_file = self._authority.ca_file
        self.control_url = ""
        self.autopush_url = ""
        self.chromium_switches: list[str] = []
        self._gcm = Gcm(self._world)

    @property
    def connect_to(self) -> str:
        """Where the push services' names lead, as TOCSIN_PUSH_CONNECT_TO wants it: `name:443:host:port,…`."""
        return ",".join(
            f"{name}:443:{self._host}:{listener.port}"
            for push_service, listener in self._listeners.items()
            for name in HOSTS[push_service]
        )

    async def start(self) -> None:
        for name in PushServiceName:
            listener = Listener(
                PushService(name, self._world), self._authority, self._host, self._push_ports.get(name, 0)
            )
            self._listeners[name] = listener
            await listener.start()
        autopush = await self._serve(Autopush(self._world).application(), self._autopush_port)
        gcm = await self._serve(self._gcm.application(), 0)
        mcs = await self._gcm.start(self._host, self._authority.server_context(MCS_HOST))
        self.chromium_switches = Gcm.switches(f"http://{self._host}:{gcm}", mcs)
        control = await self._serve(Control(self._world, self._listeners).application(), self._control_port)
        self.autopush_url = f"ws://{self._host}:{autopush}/"
        self.control_url = f"http://{self._host}:{control}"

    async def stop(self) -> None:
        await self._gcm.stop()
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        for listener in self._listeners.values():
            await listener.stop()
        self._listeners.clear()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _serve(self, application: web.Application, port: int) -> int:
        """Serve an application; the port it got."""
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, self._host, port).start()
        address: tuple[str, int] = runner.addresses[0]
        return address[1]


async def run_simulator(
    folder: Path, *, control_port: int = 0, autopush_port: int = 0, ready_file: Path | None = None
) -> None:
    """Run until cancelled or told to end by SIGTERM; `ready_file` is there while it listens."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    try:
        async with Simulator(folder, control_port=control_port, autopush_port=autopush_port) as simulator:
            if ready_file is not None:
                _write_ready(ready_file, simulator)
            await ended.wait()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        if ready_file is not None:
            _remove(ready_file)


def _write_ready(file: Path, simulator: Simulator) -> None:
    """Written beside and renamed, so that whoever waits for the file finds it whole."""
    ready = {
        "control_url": simulator.control_url,
        "autopush_url": simulator.autopush_url,
        "chromium_switches": simulator.chromium_switches,
        "ca_file": str(simulator.ca_file),
        "connect_to": simulator.connect_to,
    }
    unfinished = file.with_name(f"{file.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(ready))
    unfinished.replace(file)


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)
