"""`make faults SEEDS=5`: every fault with so many seeds, each once; what was run before is not run again."""

import argparse
import asyncio
import sys
from pathlib import Path

from rich.console import Console

from faults.catalogue import FAULTS
from faults.lanes import Job, Lanes
from faults.record import append, read, write_table
from faults.run import Result, failures
from faults.towns import clocks_can_move

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "docs" / "figures" / "faults.jsonl"
PAGE = ROOT / "docs" / "reliability.md"
# One seed of five runs with the times of production.
PRODUCTION_EVERY = 5


def main() -> int:
    options = _options()
    console = Console(highlight=False, width=160)
    if not clocks_can_move():
        console.print("[yellow]no libfaketime here: the faults of the clock are left out (Debian: faketime)[/]")
    done = {(result.fault, result.seed) for result in read(options.record)}
    jobs = [
        Job(fault, seed, production=seed % PRODUCTION_EVERY == 0)
        for seed in range(1, options.seeds + 1)
        for fault in FAULTS.values()
        if options.only in fault.name and (clocks_can_move() or not fault.clock) and (fault.name, seed) not in done
    ]
    console.print(f"{len(jobs)} runs to do, {len(done)} done before; the record is {options.record}")
    broken = 0

    def tell(job: Job, result: Result | Exception) -> None:
        nonlocal broken
        if isinstance(result, Result):
            append(options.record, result)
            _tell(result, console)
        else:
            broken += 1
            console.print(f"[red]{job.fault.name}, seed {job.seed}: {type(result).__name__}: {result}[/]")

    asyncio.run(Lanes(jobs, tell, full=not options.short).work(options.lanes))
    results = read(options.record)
    if options.page.exists():
        write_table(options.page, results)
    failed = [result for result in results if failures(result)]
    console.print(f"{len(results)} runs, {len(failed)} in which something did not hold, {broken} that did not end")
    return 1 if failed or broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="so many for each fault")
    parser.add_argument("--only", default="", help="faults whose name holds this")
    parser.add_argument("--lanes", type=int, default=2, help="so many towns side by side")
    parser.add_argument("--short", action="store_true", help="outages as short as in `make test`")
    parser.add_argument("--record", type=Path, default=RECORD, help="JSON lines; delete it to begin anew")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the table goes")
    return parser.parse_args()


def _tell(result: Result, console: Console) -> None:
    recovery = "" if result.recovery is None else f"{result.recovery:.1f} s"
    console.print(
        f"{result.fault:46} seed {result.seed:<3} {result.eligible:5,} eligible  {result.missed} missed  "
        f"{result.duplicates:3} of {result.allowed:4} duplicates  recovery {recovery:7}  took {result.seconds:5.1f} s"
    )
    for wrong in failures(result):
        console.print(f"  [red]{wrong}[/]")


if __name__ == "__main__":
    sys.exit(main())
