"""Pure: what a dry run came to, drawn as an SVG that any browser shows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate
from typing import Any

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 84, 20, 56, 56
FEN = 100
_GRID = 4
_INK, _PALE, _GIVEN, _EXPECTED, _BUDGET = "#1f2933", "#d9dee4", "#c2410c", "#1d4ed8", "#6b7280"


@dataclass(frozen=True, slots=True)
class Curve:
    """A line over the days, in the asset's own unit."""

    name: str
    colour: str
    values: Sequence[int]
    is_dashed: bool = False


def spending_svg(report: dict[str, Any], campaign: str, asset: str) -> str:
    """What a campaign's draws give of an asset, day by day and added up, against what its odds make
    on the average, and against its budget. ValueError where it draws nothing of it."""
    costs = [c for c in report["costs"] if c["campaign"] == campaign and c["asset"] == asset]
    if not costs:
        raise ValueError(f"{campaign} gives no {asset}")
    days = sorted({cost["on"] for cost in costs})
    curves = [
        Curve("概率期望 expected", _EXPECTED, _added(costs, days, "expected"), is_dashed=True),
        Curve("实际发放 given", _GIVEN, _added(costs, days, "drawn")),
    ]
    budgets = {
        b["allowed"] for b in report["budgets"] if (b["campaign"], b["asset"]) == (campaign, asset)
    }
    curves += [Curve("预算 budget", _BUDGET, [allowed] * len(days)) for allowed in budgets]
    return _chart(f"{campaign}: {asset}", asset, days, curves)


def _added(costs: Sequence[dict[str, Any]], days: Sequence[str], name: str) -> list[int]:
    by_day = {cost["on"]: cost[name] for cost in costs}
    return list(accumulate(by_day.get(day, 0) for day in days))


def _chart(title: str, asset: str, days: Sequence[str], curves: Sequence[Curve]) -> str:
    step_value = _round_step(max(max(curve.values) for curve in curves) / _GRID)
    most = step_value * _GRID
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(place: int) -> float:
        return LEFT + across * place / max(len(days) - 1, 1)

    def y(value: float) -> float:
        return TOP + down * (1 - value / most)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{_INK}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15" font-weight="600">{escape(title)}</text>',
    ]
    for step in range(_GRID + 1):
        value = step_value * step
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
            f'stroke="{_PALE}"/><text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">'
            f"{_amount(value, asset)}</text>"
        )
    parts += [
        f'<text x="{x(place):.1f}" y="{HEIGHT - BOTTOM + 22}" text-anchor="middle">'
        f"{days[place][5:]}</text>"
        for place in _ticks(len(days))
    ]
    for number, curve in enumerate(curves):
        points = " ".join(f"{x(i):.1f},{y(value):.1f}" for i, value in enumerate(curve.values))
        dash = ' stroke-dasharray="7 5"' if curve.is_dashed else ""
        at = LEFT + 190 * number
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{curve.colour}" '
            f'stroke-width="2.5"{dash}/>'
            f'<line x1="{at}" x2="{at + 26}" y1="38" y2="38" stroke="{curve.colour}" '
            f'stroke-width="2.5"{dash}/><text x="{at + 33}" y="42">{curve.name}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _round_step(least: float) -> int:
    """The next of 1, 1.5, 2, 3, 5, 8 times a power of ten that is not less."""
    power = int(10 ** max(math.floor(math.log10(max(least, 10))) - 1, 0))
    return next(tens * power for tens in (10, 15, 20, 30, 50, 80, 100) if tens * power >= least)


def _ticks(count: int) -> list[int]:
    step = max(1, -(-count // 8))
    return list(range(0, count, step))


def _amount(value: float, asset: str) -> str:
    return f"{value / FEN:,.0f} 元" if asset == "CASH" else f"{value:,.0f}"
