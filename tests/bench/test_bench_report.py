"""Ratios, goals and plots from rounds that are given."""

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from tocsin.bench.charts import percentiles_chart, throughput_chart
from tocsin.bench.client import percentiles
from tocsin.bench.job import Result
from tocsin.bench.machine import describe
from tocsin.bench.measure import Measured, Sample, Wish
from tocsin.bench.plan import ASYNC, FRESH, GO, LEGS, NODE
from tocsin.bench.processes import Cpus
from tocsin.bench.report import Report, report

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def a_sample(rate: float, sink_busy: float = 0.2, others: float = 0.0) -> Sample:
    seconds = 1_000 / rate
    result = Result(messages=1_000, seconds=seconds, percentiles=[seconds * n / 100 for n in range(101)])
    return Sample(result, seconds, seconds * sink_busy, seconds * others, "nginx")


def a_report(rates: dict[str, list[float]], **changes: float) -> Report:
    samples = {leg.name: [a_sample(rate, **changes) for rate in rates.get(leg.name, [100.0])] for leg in LEGS}
    missing = {GO: "apt install golang-go"}
    del samples[GO]
    measured = Measured(samples, missing, {}, dict.fromkeys(samples, "1.0"))
    return report(measured, Wish(1_000, 3, 100, 1_000, 30, None), describe(Cpus(1, 0), {}), NOW)


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """Both were slow in the second round: the rates' medians would say 800/100."""
    told = a_report({FRESH: [800, 60, 900], ASYNC: [100, 10, 150]})

    [row] = [row for row in told.rows if row.name == FRESH]
    assert row.messages_per_second == pytest.approx(800)
    assert row.ratio_to_pywebpush_async == pytest.approx(6)
    [goal] = [goal for goal in told.goals if (goal.row, goal.against) == (FRESH, ASYNC)]
    assert goal.reached
    assert goal.ratio == pytest.approx(6)


def test_what_is_not_installed_is_listed() -> None:
    told = a_report({})

    [row] = [row for row in told.rows if row.name == GO]
    assert (row.state, row.messages_per_second, row.note) == ("not_installed", None, "apt install golang-go")
    [goal] = [goal for goal in told.goals if (goal.row, goal.against) == (FRESH, GO)]
    assert goal.reached is None


@pytest.mark.parametrize(
    ("changes", "said"), [({"sink_busy": 0.95}, "the sink was 95% busy"), ({"others": 0.3}, "30%")]
)
def test_what_spoils_a_figure_is_said(changes: dict[str, float], said: str) -> None:
    assert any(said in warning for warning in a_report({}, **changes).warnings)
    assert a_report({}).warnings == []


@pytest.mark.parametrize("chart", [throughput_chart, percentiles_chart])
def test_plots_are_svg_and_name_every_row(chart: "object") -> None:
    told = a_report({NODE: [1_234.0]})

    assert callable(chart)
    text = chart(told)

    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert all(row.name in text for row in told.rows if row.state == "measured")
    assert GO not in text
    assert "no push service promises this rate" in text


def test_percentiles() -> None:
    moments = [10.0 + n for n in range(1, 201)]

    found = percentiles(moments, 10.0)

    assert (found[0], found[1], found[50], found[99], found[100]) == (1, 2, 100, 198, 200)
