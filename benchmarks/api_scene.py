"""A store and an API process on a core of their own, for a load on them."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import aiohttp
from open_loop import Flow, Load, Measured

from tocsin.cli.embedded import embedded_parts
from tocsin.cli.parts import Part, Running
from tocsin.cli.up import settings_for_parts
from tocsin.settings import Settings
from town import ADMIN_KEY, free_port

# The whole of what sheds, switched off: what the same load does to registrations then.
UNSHED = (
    "import sys; from tocsin.api import load; load.MOST_IN_WORK = load.MOST_LAG = 10**9;"
    "from tocsin.cli.main import main; sys.argv = ['tocsin', 'api']; main()"
)


class Scene:
    """A store and an API process on a core of their own."""

    def __init__(self, settings: Settings, processes: list[Running]) -> None:
        self.settings = settings
        self.origin = f"http://127.0.0.1:{settings.port}"
        self._processes = processes

    def cpu_seconds(self) -> float:
        """What API and store have used since they began."""
        ticks = 0
        for process in self._processes:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    async def measure(self, flows: list[Flow], seconds: float) -> tuple[dict[str, Measured], float]:
        """What was measured, and the share of a core that it took."""
        before, begun = self.cpu_seconds(), perf_counter()
        # Each with connections of its own: a reader's registration waits for nobody's receipts on its way to us.
        loads = [Load(self.settings.port, [flow], seconds, seed) for seed, flow in enumerate(flows)]
        found = await asyncio.gather(*(load.run() for load in loads))
        measured = {name: of for one in found for name, of in one.items()}
        return measured, (self.cpu_seconds() - before) / (perf_counter() - begun)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.origin + path, json=body, headers=headers) as reply,
        ):
            return await reply.json()


@asynccontextmanager
async def scene(core: int, shedding: bool = True, **changes: str) -> AsyncIterator[Scene]:
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        given = {"data_dir": folder, "port": port, "admin_key": ADMIN_KEY, "trusted_proxies": "127.0.0.1"}
        settings, environment = settings_for_parts(**given, **changes)
        argv = [sys.executable, "-m", "tocsin.cli.main", "api"] if shedding else [sys.executable, "-c", UNSHED]
        processes = [Running(part, environment, folder) for part in (*embedded_parts(settings), Part("api", argv))]
        try:
            for process in processes:
                await process.start()
                assert process.pid is not None
                os.sched_setaffinity(process.pid, {core})
            at = Scene(settings, processes)
            await ready(at)
            yield at
        finally:
            for process in reversed(processes):
                process.kill_session()
                await process.ended()


async def ready(at: Scene) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                if (await at.call("GET", "/readyz"))["ready"] and (await at.call("GET", "/v1/site"))["topics"]:
                    return
            except (aiohttp.ClientError, KeyError):
                pass
            await asyncio.sleep(0.1)
