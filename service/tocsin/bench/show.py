"""The report for a person: one table, the goals, the machine."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from tocsin.bench.report import GoalResult, Report, Row


def show(report: Report, console: Console) -> None:
    table = Table(
        Column("sender", no_wrap=True),
        *(
            Column(title, justify="right")
            for title in ("messages/s", "lowest–highest", "µs CPU", "× async", "sink busy")
        ),
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for row in report.rows:
        table.add_row(*_cells(row))
    console.print(table)
    for row in report.rows:
        if row.state != "measured":
            said = "not installed" if row.state == "not_installed" else "failed"
            console.print(f"{row.name} {said}: {row.note}", highlight=False, markup=False)
    for goal in report.goals:
        console.print(_goal(goal), highlight=False)
    for line in [*report.machine.lines, *_legs(report)]:
        console.print(line, highlight=False, markup=False)
    for warning in report.warnings:
        console.print(f"[yellow]{warning}[/]", highlight=False)
    console.print("× async: times pywebpush-async, the median of the rounds' own ratios.", highlight=False)
    console.print(report.statement)


def _cells(row: Row) -> list[str]:
    if row.messages_per_second is None:
        return [row.name, "not installed" if row.state == "not_installed" else "failed", "", "", "", ""]
    return [
        row.name,
        f"{row.messages_per_second:,.0f}",
        f"{row.lowest:,.0f}–{row.highest:,.0f}",
        "–" if row.cpu_microseconds_per_message is None else f"{row.cpu_microseconds_per_message:,.1f}",
        "–" if row.ratio_to_pywebpush_async is None else f"{row.ratio_to_pywebpush_async:.2f}",
        "–" if row.sink_busy is None else f"{row.sink_busy:.0%}",
    ]


def _goal(goal: GoalResult) -> str:
    what = f"{goal.row} / {goal.against}: at least {goal.wanted:g}"
    if goal.ratio is None:
        return f"[dim]{what}: not measured[/]"
    by_cpu = "" if goal.cpu_ratio is None else f" ({goal.cpu_ratio:.2f} by CPU time)"
    if goal.reached:
        return f"[green]{what}: reached, {goal.ratio:.2f}[/]{by_cpu}"
    return f"[red]{what}: {goal.ratio:.2f}, short by {1 - goal.ratio / goal.wanted:.0%}[/]{by_cpu}"


def _legs(report: Report) -> Iterator[str]:
    """With what was sent, where it differs from leg to leg."""
    for row in report.rows:
        if row.state == "measured" and row.delay_ms:
            yield f"{row.name}: {row.in_flight:,} in flight, answered after {row.delay_ms} ms (the sink is {row.sink})"
