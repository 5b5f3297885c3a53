"""The record of all runs, one JSON line each, and the table that is made of it."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from statistics import median

from faults.catalogue import FAULTS
from faults.run import Result, failures

COLUMNS = (
    "Fault",
    "Runs",
    "Failed",
    "Missed",
    "Duplicates (allowed)",
    "Recovery: median",
    "worst",
    "bound",
    "with a lease of 30 s",
    "bound",
)
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


def read(file: Path) -> list[Result]:
    if not file.exists():
        return []
    return [Result(**json.loads(line)) for line in file.read_text("utf-8").splitlines() if line.strip()]


def append(file: Path, result: Result) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(result)) + "\n")


def table(results: Iterable[Result]) -> str:
    """Recovery with the times of the tests, and apart from it with those of production."""
    by_fault: dict[str, list[Result]] = {}
    for result in results:
        by_fault.setdefault(result.fault, []).append(result)
    rows = [f"| {' | '.join(COLUMNS)} |", f"| --- |{' ---: |' * (len(COLUMNS) - 1)}"]
    rows += [_row(name, by_fault[name]) for name in FAULTS if name in by_fault]
    return "\n".join(rows)


def _row(name: str, runs: list[Result]) -> str:
    quick = [run for run in runs if not run.production]
    production = [run for run in runs if run.production]
    cells = [
        name,
        str(len(runs)),
        str(sum(bool(failures(run)) for run in runs)),
        str(sum(run.missed for run in runs)),
        f"{sum(run.duplicates for run in runs):,} ({sum(run.allowed for run in runs):,})",
        _seconds([median(found)] if (found := _recoveries(quick)) else []),
        _seconds(_recoveries(quick)),
        _seconds(run.bound for run in quick),
        _seconds(_recoveries(production)),
        _seconds(run.bound for run in production),
    ]
    return f"| {' | '.join(cells)} |"


def _recoveries(runs: Iterable[Result]) -> list[float]:
    return [run.recovery for run in runs if run.recovery is not None]


def _seconds(found: Iterable[float | None]) -> str:
    known = [each for each in found if each is not None]
    return f"{max(known):.1f} s" if known else "–"


def write_table(page: Path, results: list[Result]) -> None:
    """Between the two marks of the page."""
    text = page.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{after}", "utf-8")
