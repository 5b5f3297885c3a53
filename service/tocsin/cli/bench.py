"""`tocsin bench`: how many messages a second, beside the other senders that are installed."""

import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tocsin import clock
from tocsin.bench.charts import percentiles_chart, throughput_chart
from tocsin.bench.machine import describe
from tocsin.bench.measure import Wish, measure
from tocsin.bench.plan import LEGS
from tocsin.bench.processes import choose_cpus
from tocsin.bench.report import Report, report
from tocsin.bench.show import show
from tocsin.domain.errors import Invalid


async def bench(wish: Wish, json_file: Path | None, plots: Path | None, console: Console) -> bool:
    """False where a sender that is installed failed."""
    _check_writable(json_file, plots)
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as scratch:
        done = await _measured(wish, Path(scratch), console)
    show(done, console)
    if json_file is not None:
        json_file.write_text(done.model_dump_json(indent=2) + "\n")
    if plots is not None:
        (plots / "throughput.svg").write_text(throughput_chart(done))
        (plots / "percentiles.svg").write_text(percentiles_chart(done))
    return all(row.state != "failed" for row in done.rows)


async def _measured(wish: Wish, scratch: Path, console: Console) -> Report:
    cpus = choose_cpus()
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Drawn seldom: the drawing takes time from the sink's CPU.
    with Progress(*columns, console=console, transient=True, refresh_per_second=1) as progress:
        task = progress.add_task("getting ready", total=wish.rounds * len(LEGS))
        begun = 0

        def tell(leg: str) -> None:
            nonlocal begun
            progress.update(task, description=leg, completed=begun)
            begun += 1

        measured = await measure(wish, scratch, cpus, tell)
    return report(measured, wish, describe(cpus, measured.versions), clock.now())


def _check_writable(json_file: Path | None, plots: Path | None) -> None:
    """Before two minutes of measuring, not after."""
    if json_file is not None and (json_file.is_dir() or not json_file.absolute().parent.is_dir()):
        raise Invalid.at("--json", f"{json_file} is no file that can be written")
    if plots is not None:
        try:
            plots.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Invalid.at("--plots", f"{plots}: {error.strerror}") from None
