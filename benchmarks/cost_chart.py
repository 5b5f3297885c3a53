"""What a message costs by the size of the audience, drawn from the figures of `whole_path.py`, as SVG."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 860, 420, 70, 40, 96, 76
_LINES = {1: ("with prekeys", "var(--c0)"), 0: ("encrypted on the spot", "var(--c1)")}
# Readable on white and on black: the page's own setting chooses.
_STYLE = """
svg { --ground: #ffffff; --ink: #1c2430; --faint: #5d6876; --line: #dde2e8; --c0: #1f5fbf; --c1: #c2620a;
  font: 14px system-ui, -apple-system, "Segoe UI", sans-serif; }
@media (prefers-color-scheme: dark) { svg { --ground: #12161c; --ink: #e8ecf1; --faint: #9aa6b4; --line: #2c343f;
  --c0: #6ea8ff; --c1: #ffb066; } }
text { fill: var(--ink); } .faint { fill: var(--faint); font-size: 12px; } .title { font-size: 17px; font-weight: 600; }
.grid { stroke: var(--line); } .curve { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
"""


def cost_chart(rows: Sequence[dict[str, Any]], foot: str) -> str:
    """`rows` are those of alerts to everybody; of several for one size the last, since the first alert after a start
    also opens connections."""
    costs = {
        prekeys: {row["readers"]: sum(row["cpu_us_a_message"].values()) for row in rows if row["prekeys"] == prekeys}
        for prekeys in _LINES
    }
    audiences = sorted({readers for line in costs.values() for readers in line})
    top = math.ceil(max(cost for line in costs.values() for cost in line.values()) / 50) * 50
    parts = [_grid_across(cost, top) for cost in range(0, top + 1, 50)]
    parts += [_grid_up(readers, audiences) for readers in audiences]
    for number, (prekeys, (name, colour)) in enumerate(_LINES.items()):
        parts += _line(costs[prekeys], audiences, top, colour)
        parts.append(f'<path class="curve" style="stroke:{colour}" d="M{_LEFT + 220 * number} 66h26"/>')
        parts.append(f'<text x="{_LEFT + 220 * number + 34}" y="71">{name}</text>')
    return _svg(parts, foot)


def _x(readers: int, audiences: Sequence[int]) -> float:
    low, high = math.log10(audiences[0]), math.log10(audiences[-1])
    share = (math.log10(readers) - low) / (high - low) if high > low else 0.5
    return _LEFT + 20 + share * (_WIDTH - _LEFT - _RIGHT - 60)


def _y(cost: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - cost / top * (_HEIGHT - _TOP - _BOTTOM)


def _grid_across(cost: int, top: int) -> str:
    y = _y(cost, top)
    label = f'<text class="faint" x="{_LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{cost}</text>'
    return f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>{label}'


def _grid_up(readers: int, audiences: Sequence[int]) -> str:
    x, bottom = _x(readers, audiences), _HEIGHT - _BOTTOM
    label = f'<text class="faint" x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{readers:,} readers</text>'
    return f'<path class="grid" d="M{x:.1f} {_TOP}V{bottom}"/>{label}'


def _line(costs: dict[int, float], audiences: Sequence[int], top: float, colour: str) -> list[str]:
    points = [(_x(readers, audiences), _y(cost, top), cost) for readers, cost in sorted(costs.items())]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    return [
        f'<polyline class="curve" style="stroke:{colour}" points="{path}"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" style="fill:{colour}"/>' for x, y, _ in points),
        *(f'<text x="{x:.1f}" y="{y - 11:.1f}" text-anchor="middle">{cost:.0f} µs</text>' for x, y, cost in points),
    ]


def _svg(parts: Sequence[str], foot: str) -> str:
    title = "CPU of the whole machine for one message, by the size of the audience"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
            f"<title>{title}</title><style>{_STYLE}</style>",
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="var(--ground)"/>',
            f'<text class="title" x="20" y="32">{title}</text>',
            *parts,
            f'<text class="faint" x="20" y="{_HEIGHT - 14}">{escape(foot)}</text>',
            "</svg>\n",
        ]
    )
