"""The towns that faults need: with times that a test can wait for, or those of production; with a clock that moves."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from town import Town, open_town

HOOKS = Path(__file__).parent / "hooks"
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
PRODUCTION = {"lease_seconds": "30", "request_seconds": "10", "reconcile_seconds": "2", "retry_seconds": "2"}


@dataclass(frozen=True)
class Kind:
    """`production` has the default times; `clock` has one that `set_clock` moves, for all parts but the simulator."""

    production: bool = False
    clock: bool = False


@asynccontextmanager
async def town_of(kind: Kind, folder: Path) -> AsyncIterator[Town]:
    environment = {"PYTHONPATH": os.pathsep.join([str(HOOKS), *filter(None, [os.environ.get("PYTHONPATH")])])}
    environment["FAULTS_POISON"] = str(folder / "poison")
    if kind.clock:
        clock = folder / "clock"
        clock.write_text("+0\n")
        environment |= {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",  # or a change is noticed after 10 s
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    async with open_town(folder, environment, **(PRODUCTION if kind.production else {})) as town:
        yield town


def set_clock(town: Town, seconds: int) -> None:
    """All parts are so far from the true time from here on, the store too; at once, as by a mistaken time server."""
    clock = Path(town.environment["FAKETIME_TIMESTAMP_FILE"])
    new = clock.with_suffix(".new")
    new.write_text(f"{seconds:+d}\n")
    new.replace(clock)


def clocks_can_move() -> bool:
    return sys.platform == "linux" and FAKETIME is not None
