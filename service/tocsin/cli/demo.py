"""`tocsin demo`: everything, with simulated push services and browsers, and one alert sent."""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from tocsin.cli.parts import tocsin_part
from tocsin.cli.rehearsal import Rehearsal
from tocsin.cli.signals import told_to_end
from tocsin.cli.simulator import switches
from tocsin.cli.supervisor import Supervisor
from tocsin.cli.up import first_key, running, settings_for_parts
from tocsin.domain.errors import Invalid
from tocsin.domain.origins import parse_origin
from tocsin.settings import PREFIX, Settings


@asynccontextmanager
async def simulated(
    settings: Settings, environment: Mapping[str, str], folder: Path, console: Console
) -> AsyncIterator[dict[str, Any]]:
    """All parts, with the simulator in place of the push services; gives the simulator's addresses."""
    ready_file = folder / "simulator.json"
    words = ("--folder", str(folder / "simulator"), "--ready-file", str(ready_file))

    async def simulator_first(supervisor: Supervisor) -> None:
        await supervisor.start([tocsin_part("simulator", "simulator", *words)])
        while not ready_file.exists():
            await asyncio.sleep(0.02)
        ready = json.loads(ready_file.read_text())
        supervisor.set_environment(TOCSIN_PUSH_CONNECT_TO=ready["connect_to"], TOCSIN_PUSH_CA_FILE=ready["ca_file"])

    def told(line: str) -> None:
        console.print(f"[yellow]{line}[/]")

    async with running(settings, told, environment, folder, simulator_first):
        yield json.loads(ready_file.read_text())


async def demo(browsers: int, once: bool, port: int | None, origins: Sequence[str], console: Console) -> bool:
    """False if anybody is unaccounted for, or a browser got what it did not want."""
    allowed_origins = _checked(origins)
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-") as name, _world_of_its_own(name, console):
        folder = Path(name)
        settings, environment = settings_for_parts(
            data_dir=name, port=port, subscribe_rate="off", allowed_origins=allowed_origins
        )
        console.print("Starting servers, API, workers, beat and simulator …")
        async with simulated(settings, environment, folder, console) as ready:
            key = await first_key(settings) or ""
            async with Rehearsal(settings, key, ready["control_url"], console) as rehearsal:
                good = await rehearsal.play(browsers)
            if once:
                return good
            _tell_addresses(console, settings, key, ready)
            await told_to_end(console)
            return True


def _checked(origins: Sequence[str]) -> str | None:
    try:
        return ",".join(map(parse_origin, origins)) or None
    except ValueError as error:
        raise Invalid.at("--allow-origin", str(error)) from None


@contextmanager
def _world_of_its_own(folder: str, console: Console) -> Iterator[None]:
    """No setting of a real Tocsin reaches the demo: it would alert real readers through simulated push services, which
    know nothing of them, answer 404, and so end their subscriptions."""
    ignored = sorted(name for name in os.environ if name.upper().startswith(PREFIX))
    for name in ignored:
        del os.environ[name]
    if ignored:
        told = f"The demo takes no settings; ignored: {', '.join(ignored)}"
        console.print(told, style="yellow", markup=False, highlight=False)
    before = Path.cwd()
    os.chdir(folder)  # where there is no tocsin.toml
    try:
        yield
    finally:
        os.chdir(before)


def _tell_addresses(console: Console, settings: Settings, key: str, ready: Mapping[str, Any]) -> None:
    console.print()
    console.print(f"  Readers   {settings.url}/", highlight=False)
    console.print(f"  Console   {settings.url}/console#key={key}", highlight=False, soft_wrap=True)
    console.print(f"  Ops       {settings.url}/ops#key={key}", highlight=False, soft_wrap=True)
    console.print(f"  API       {settings.url}/docs", highlight=False)
    console.print(f"  Key       {key}", highlight=False, soft_wrap=True)
    console.print(f"  Simulator {ready['control_url']}/summary", highlight=False)
    console.print(f"  Firefox   subscribes here with dom.push.serverURL = {ready['autopush_url']}", highlight=False)
    console.print(f"  Chromium  subscribes here with {switches(ready)}", highlight=False, soft_wrap=True)
    console.print(f"            and with {ready['ca_file']} trusted", highlight=False, soft_wrap=True)
    console.print("\nCtrl-C ends everything.")
