"""What was measured, as rows, goals and warnings: the one form that the table, the JSON and the plots are made from."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from statistics import median
from typing import Literal

from pydantic import BaseModel

from tocsin.bench.machine import Machine
from tocsin.bench.measure import Measured, Sample, Wish
from tocsin.bench.plan import ASYNC, GOALS, LEGS, Goal, Leg

STATEMENT = "Accepted by a local sink; no push service promises this rate."
# Over these the figures say more about the sink, or about what else ran, than about the client.
_SINK_BUSY = 0.9
_OTHERS_BUSY = 0.1


class Row(BaseModel):
    """One leg: medians of its rounds. `sink_busy` and `others_busy` are shares of a CPU's time, `percentiles[n]` is
    seconds until n percent of `messages` were accepted; `note` says how to install it, or why it failed."""

    name: str
    state: Literal["measured", "not_installed", "failed"]
    note: str = ""
    version: str = ""
    messages_per_second: float | None = None
    lowest: float | None = None
    highest: float | None = None
    ratio_to_pywebpush_async: float | None = None
    cpu_microseconds_per_message: float | None = None
    sink: str = ""
    sink_busy: float | None = None
    others_busy: float | None = None
    messages: int | None = None
    in_flight: int | None = None
    delay_ms: int | None = None
    rounds: list[float] = []
    percentiles: list[float] = []


class GoalResult(BaseModel):
    """`ratio` is the median of the rounds' own ratios; None where one of the two was not measured. `cpu_ratio` is what
    it would be if each had had its CPU for itself and never waited: for a machine that is not quiet."""

    row: str
    against: str
    wanted: float
    ratio: float | None
    cpu_ratio: float | None
    reached: bool | None


class Report(BaseModel):
    measured_at: datetime
    statement: str
    machine: Machine
    rows: list[Row]
    goals: list[GoalResult]
    warnings: list[str]


def report(measured: Measured, wish: Wish, machine: Machine, now: datetime) -> Report:
    rows = [_row(leg, measured, wish) for leg in LEGS]
    return Report(
        measured_at=now,
        statement=STATEMENT,
        machine=machine,
        rows=rows,
        goals=[_goal(goal, measured, {row.name: row for row in rows}) for goal in GOALS],
        warnings=_warnings(rows, machine),
    )


def _row(leg: Leg, measured: Measured, wish: Wish) -> Row:
    if leg.name in measured.missing:
        return Row(name=leg.name, state="not_installed", note=measured.missing[leg.name])
    version = measured.versions[leg.name]
    if leg.name in measured.failed:
        return Row(name=leg.name, state="failed", note=measured.failed[leg.name], version=version)
    samples = measured.samples[leg.name]
    rates = [_rate(sample) for sample in samples]
    return Row(
        name=leg.name,
        state="measured",
        version=version,
        messages_per_second=median(rates),
        lowest=min(rates),
        highest=max(rates),
        ratio_to_pywebpush_async=_ratio(measured, leg.name, ASYNC),
        cpu_microseconds_per_message=_median(samples, lambda it: it.client and it.client / it.result.messages * 1e6),
        sink=samples[0].sink_name,
        sink_busy=_median(samples, lambda it: it.sink and it.sink / it.result.seconds),
        others_busy=_median(samples, lambda it: it.others and it.others / it.result.seconds),
        messages=samples[0].result.messages,
        in_flight=wish.in_flight_many if leg.many else wish.in_flight,
        delay_ms=wish.delay_ms if leg.delayed else 0,
        rounds=rates,
        percentiles=[median(each) for each in zip(*(it.result.percentiles for it in samples), strict=True)],
    )


def _rate(sample: Sample) -> float:
    return sample.result.messages / sample.result.seconds


def _median(samples: Iterable[Sample], value: Callable[[Sample], float | None]) -> float | None:
    """None where the system did not tell."""
    values = [found for found in map(value, samples) if found is not None]
    return median(values) if values else None


def _ratio(measured: Measured, name: str, against: str) -> float | None:
    """Round by round, since what slows the machine for a while slows both."""
    if name in measured.failed or against in measured.failed:
        return None
    pairs = zip(measured.samples.get(name, ()), measured.samples.get(against, ()), strict=False)
    ratios = [_rate(one) / _rate(other) for one, other in pairs]
    return median(ratios) if ratios else None


def _goal(goal: Goal, measured: Measured, rows: Mapping[str, Row]) -> GoalResult:
    ratio = _ratio(measured, goal.row, goal.against)
    ours, theirs = (rows[name].cpu_microseconds_per_message for name in (goal.row, goal.against))
    return GoalResult(
        row=goal.row,
        against=goal.against,
        wanted=goal.factor,
        ratio=ratio,
        cpu_ratio=theirs / ours if ours and theirs else None,
        reached=None if ratio is None else ratio >= goal.factor,
    )


def _warnings(rows: Iterable[Row], machine: Machine) -> list[str]:
    warnings = []
    if not machine.pinned or machine.client_cpu == machine.sink_cpu:
        warnings.append("Client and sink could not be put on CPUs of their own: they took time from each other.")
    warnings += [
        f"{row.name}: the sink was {row.sink_busy:.0%} busy, so this may be the sink's rate."
        for row in rows
        if row.sink_busy is not None and row.sink_busy > _SINK_BUSY
    ]
    most = max((row.others_busy or 0 for row in rows), default=0)
    if most > _OTHERS_BUSY:
        warnings.append(f"Other programs had up to {most:.0%} of the client's CPU: measure on a quiet machine.")
    return warnings
