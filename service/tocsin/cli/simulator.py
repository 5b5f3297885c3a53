"""`tocsin simulator`: the simulated push services alone, for a rehearsal of one's own."""

import asyncio
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console


def switches(ready: Mapping[str, Any]) -> str:
    """What Chromium is started with, as a shell takes it."""
    return f"SWITCHES={shlex.quote(' '.join(ready['chromium_switches']))}"


async def simulate(
    folder: Path, control_port: int, autopush_port: int, ready_file: Path | None, console: Console
) -> None:
    """Runs until it is asked to stop; tells the settings that lead a Tocsin here."""
    from tocsin.simulator.server import run_simulator  # noqa: PLC0415 (the demo has it in a process of its own)

    folder = folder.resolve()
    ready = ready_file or folder / "ready.json"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ready.unlink(missing_ok=True)
    task = asyncio.create_task(
        run_simulator(folder, control_port=control_port, autopush_port=autopush_port, ready_file=ready)
    )
    while not ready.exists() and not task.done():
        await asyncio.sleep(0.02)
    if not task.done():
        told = json.loads(ready.read_text())
        console.print(f"TOCSIN_PUSH_CONNECT_TO={told['connect_to']}", highlight=False, soft_wrap=True)
        console.print(f"TOCSIN_PUSH_CA_FILE={told['ca_file']}", highlight=False, soft_wrap=True)
        console.print(
            f"control: {told['control_url']}   Firefox's dom.push.serverURL: {told['autopush_url']}", soft_wrap=True
        )
        console.print(switches(told), highlight=False, soft_wrap=True)
    await task
