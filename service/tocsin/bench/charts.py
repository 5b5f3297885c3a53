"""Two plots as SVG: messages a second, and when how many of the messages had been accepted."""

import math
from collections.abc import Iterable, Sequence
from html import escape

from tocsin.bench.plan import MESSAGES
from tocsin.bench.report import Report, Row

_WIDTH = 860
_LEFT = 230
_RIGHT = 110
_TOP = 64
_STEP = 34
_PLOT_HEIGHT = 380
_LEGEND = 250
_COLOURS = 9

# Readable on white and on black: each colour has two values, and the page's own setting chooses.
_STYLE = """
svg { --ground: #ffffff; --ink: #1c2430; --faint: #5d6876; --line: #dde2e8; --ours: #1f5fbf; --theirs: #8a94a1;
  --c0: #1f5fbf; --c1: #0b8a83; --c2: #6b4fc4; --c3: #b3261e; --c4: #c2620a; --c5: #8a6d00; --c6: #2e7d32;
  --c7: #5d6876; --c8: #a2348f; font: 14px system-ui, -apple-system, "Segoe UI", sans-serif; }
@media (prefers-color-scheme: dark) { svg { --ground: #12161c; --ink: #e8ecf1; --faint: #9aa6b4; --line: #2c343f;
  --ours: #6ea8ff; --theirs: #6b7684; --c0: #6ea8ff; --c1: #3fd0c5; --c2: #b09cff; --c3: #ff8a80; --c4: #ffb066;
  --c5: #e6cf5a; --c6: #7fd088; --c7: #9aa6b4; --c8: #ee8fdc; } }
text { fill: var(--ink); } .faint { fill: var(--faint); font-size: 12px; } .title { font-size: 17px; font-weight: 600; }
.grid { stroke: var(--line); } .ours { fill: var(--ours); } .theirs { fill: var(--theirs); }
.spread { stroke: var(--ink); stroke-width: 1.5; } .curve { fill: none; stroke-width: 2.25; stroke-linejoin: round; }
"""


def throughput_chart(report: Report) -> str:
    """Bars on a logarithmic scale, with the spread of the rounds."""
    rows = _measured(report)
    if not rows:
        return _svg(_TOP + 40, "Messages a second", report, [])
    low, high = _decades(rate for row in rows for rate in (min(row.rounds) / 2, *row.rounds))
    span = _WIDTH - _LEFT - _RIGHT

    def x(rate: float) -> float:
        return _LEFT + span * (math.log10(rate) - low) / (high - low)

    bottom = _TOP + _STEP * len(rows)
    parts = [_tick(x(10.0**power), _TOP - 6, bottom, f"{10**power:,}") for power in range(low, high + 1)]
    for number, row in enumerate(rows):
        rate, y = row.messages_per_second or 1, _TOP + _STEP * number
        middle = y + _STEP / 2
        kind = "ours" if row.name.startswith("tocsin") else "theirs"
        parts += [
            f'<text x="{_LEFT - 10}" y="{middle + 5:.1f}" text-anchor="end">{escape(row.name)}</text>',
            f'<rect class="{kind}" x="{_LEFT}" y="{y + 6}" width="{x(rate) - _LEFT:.1f}" height="22" rx="3"/>',
            f'<path class="spread" d="M{x(min(row.rounds)):.1f} {middle}H{x(max(row.rounds)):.1f}"/>',
            f'<text x="{x(max(row.rounds)) + 8:.1f}" y="{middle + 5:.1f}">{rate:,.0f}</text>',
        ]
    return _svg(bottom + 56, "Messages a second, one client core (logarithmic scale)", report, parts)


def percentiles_chart(report: Report) -> str:
    """Lines: how long until n percent of 10,000 messages were accepted, on a logarithmic scale of seconds."""
    rows = sorted((row for row in _measured(report) if row.percentiles), key=lambda row: _seconds(row)[-1])
    if not rows:
        return _svg(_TOP + 40, "Time to the n-th percentile", report, [])
    curves = [_seconds(row) for row in rows]
    low, high = _decades(second for curve in curves for second in (curve[1], curve[-1]))
    left, span, bottom = 60, _WIDTH - 60 - _LEGEND, _TOP + _PLOT_HEIGHT

    def x(seconds: float) -> float:
        return left + span * (math.log10(max(seconds, 10.0**low)) - low) / (high - low)

    parts = [_tick(x(10.0**power), _TOP, bottom, _duration(10.0**power)) for power in range(low, high + 1)]
    for percent in range(0, 101, 25):
        y = bottom - _PLOT_HEIGHT * percent / 100
        parts.append(f'<path class="grid" d="M{left} {y}H{left + span}"/>')
        parts.append(f'<text class="faint" x="{left - 8}" y="{y + 4}" text-anchor="end">{percent} %</text>')
    for number, (row, curve) in enumerate(zip(rows, curves, strict=True)):
        points = " ".join(f"{x(curve[n]):.1f},{bottom - _PLOT_HEIGHT * n / 100:.1f}" for n in range(1, 101))
        colour, y = f"var(--c{number % _COLOURS})", _TOP + 10 + 38 * number
        dash = ' stroke-dasharray="7 4"' if not row.name.startswith("tocsin") else ""
        legend = left + span + 22
        parts += [
            f'<polyline class="curve" style="stroke:{colour}"{dash} points="{points}"/>',
            f'<path class="curve" style="stroke:{colour}"{dash} d="M{legend} {y}h26"/>',
            f'<text x="{legend + 34}" y="{y + 5}" font-size="13">{escape(row.name)}</text>',
            f'<text class="faint" x="{legend + 34}" y="{y + 20}">99 % after {_duration(curve[99])}</text>',
        ]
    return _svg(bottom + 56, f"Until n % of {MESSAGES:,} messages were accepted", report, parts)


def _measured(report: Report) -> list[Row]:
    return [row for row in report.rows if row.messages_per_second]


def _seconds(row: Row) -> list[float]:
    """As long as 10,000 messages would take at this leg's pace: legs differ in length, and wait for prekeys in step."""
    scale = MESSAGES / (row.messages or MESSAGES)
    return [second * scale for second in row.percentiles]


def _decades(values: Iterable[float]) -> tuple[int, int]:
    """The powers of ten below and above all values."""
    logs = [math.log10(value) for value in values if value > 0]
    low, high = math.floor(min(logs)), math.ceil(max(logs))
    return low, max(high, low + 1)


def _tick(x: float, top: float, bottom: float, text: str) -> str:
    label = f'<text class="faint" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{text}</text>'
    return f'<path class="grid" d="M{x:.1f} {top}V{bottom}"/>{label}'


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _svg(height: float, title: str, report: Report, parts: Sequence[str]) -> str:
    foot = f"{report.machine.cpu}, {report.machine.kernel}. {report.statement}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" role="img">'
    return "\n".join(
        [
            head,
            f"<title>{escape(title)}</title><style>{_STYLE}</style>",
            f'<rect width="{_WIDTH}" height="{height:.0f}" fill="var(--ground)"/>',
            f'<text class="title" x="20" y="30">{escape(title)}</text>',
            *parts,
            f'<text class="faint" x="20" y="{height - 12:.0f}">{escape(foot)}</text>',
            "</svg>\n",
        ]
    )
