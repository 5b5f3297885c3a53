"""`make faults SEEDS=5`: every fault with so many seeds, each once; what was run before is not run again."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from faults.catalogue import FAULTS, Fault
from faults.population import Population
from faults.record import append, read, write_table
from faults.run import Result, failures, run
from faults.towns import Kind, clocks_can_move, town_of

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "docs" / "figures" / "faults.jsonl"
PAGE = ROOT / "docs" / "reliability.md"
# One seed of five runs with the times of production.
PRODUCTION_EVERY = 5

Job = tuple[Fault, int]


def main() -> int:
    options = _options()
    console = Console(highlight=False)
    if not clocks_can_move():
        console.print("[yellow]no libfaketime here: the faults of the clock are left out (Debian: faketime)[/]")
    done = {(result.fault, result.seed) for result in read(options.record)}
    towns: dict[Kind, list[Job]] = {}
    for seed in range(1, options.seeds + 1):
        for fault in FAULTS.values():
            wanted = options.only in fault.name and (clocks_can_move() or not fault.clock)
            if wanted and (fault.name, seed) not in done:
                kind = Kind(production=seed % PRODUCTION_EVERY == 0, clock=fault.clock)
                towns.setdefault(kind, []).append((fault, seed))
    left = sum(len(jobs) for jobs in towns.values())
    console.print(f"{left} runs to do, {len(done)} done before; the record is {options.record}")
    for kind, jobs in sorted(towns.items(), key=lambda each: (each[0].production, each[0].clock)):
        asyncio.run(_all(kind, jobs, options, console))
    results = read(options.record)
    if options.page.exists():
        write_table(options.page, results)
    failed = [result for result in results if failures(result)]
    console.print(f"{len(results)} runs, {len(failed)} in which something did not hold")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="so many for each fault")
    parser.add_argument("--only", default="", help="faults whose name holds this")
    parser.add_argument("--short", action="store_true", help="outages as short as in `make test`")
    parser.add_argument("--record", type=Path, default=RECORD, help="JSON lines; delete it to begin anew")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the table goes")
    return parser.parse_args()


async def _all(kind: Kind, jobs: Sequence[Job], options: argparse.Namespace, console: Console) -> None:
    """In one town after another: one that a fault left broken is given up."""
    left = list(jobs)
    while left:
        with tempfile.TemporaryDirectory(prefix="tocsin-faults-") as folder:
            async with town_of(kind, Path(folder)) as town:
                population = await Population.settle(town)
                while left:
                    fault, seed = left[0]
                    # Taken off first: one that breaks its town twice would otherwise never end.
                    left.pop(0)
                    try:
                        result = await run(
                            fault, seed, town, population, full=not options.short, production=kind.production
                        )
                    except Exception as error:  # noqa: BLE001 (told, and the rest goes on in another town)
                        console.print(f"[red]{fault.name}, seed {seed}: {type(error).__name__}: {error}[/]")
                        break
                    append(options.record, result)
                    _tell(result, console)


def _tell(result: Result, console: Console) -> None:
    recovery = "" if result.recovery is None else f"{result.recovery:.1f} s"
    console.print(
        f"{result.fault:48} seed {result.seed:<3} {result.eligible:5} eligible  {result.missed} missed  "
        f"{result.duplicates:3} of {result.allowed:4} duplicates  recovery {recovery:7}  took {result.seconds:5.1f} s"
    )
    for wrong in failures(result):
        console.print(f"  [red]{wrong}[/]")


if __name__ == "__main__":
    sys.exit(main())
