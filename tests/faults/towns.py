"""The towns that faults need: with times that a test can wait for, or those of production; with a clock to be moved."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from faults.scene import ended
from town import Town, open_town

HOOKS = Path(__file__).parent / "hooks"
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
PRODUCTION = {"lease_seconds": "30", "request_seconds": "10", "reconcile_seconds": "2", "retry_seconds": "2"}
CLOCK = "FAKETIME_TIMESTAMP_FILE"


@asynccontextmanager
async def town_of(folder: Path, *, production: bool, **given: str | int) -> AsyncIterator[Town]:
    """`given` are settings by their names, besides."""
    environment = {
        "PYTHONPATH": os.pathsep.join([str(HOOKS), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "FAULTS_POISON": str(folder / "poison"),
        CLOCK: str(folder / "clock"),
        "FAKETIME_NO_CACHE": "1",  # or a change is noticed after 10 s
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    (folder / "clock").write_text("+0\n")
    async with open_town(folder, environment, **(PRODUCTION if production else {}), **given) as town:
        yield town


def set_clock(town: Town, seconds: int) -> None:
    """All parts of ours are so far from the true time from here on, the store too if it is under libfaketime."""
    clock = Path(town.environment[CLOCK])
    new = clock.with_suffix(".new")
    new.write_text(f"{seconds:+d}\n")
    new.replace(clock)


def clocks_can_move() -> bool:
    return sys.platform == "linux" and FAKETIME is not None


@asynccontextmanager
async def movable_clock(town: Town) -> AsyncIterator[None]:
    """The store begins again under libfaketime, and without it afterwards."""
    running = town.part("store")
    part = running.part
    running.part = replace(part, argv=["env", f"LD_PRELOAD={FAKETIME}", *part.argv])
    await ended(running)
    await town.until_back()
    try:
        yield
    finally:
        running.part = part
        set_clock(town, 0)
        await ended(running)
