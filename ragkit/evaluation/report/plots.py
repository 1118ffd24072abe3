"""Plots as SVG texts. Pure: numbers in, markup out; every text is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil

_WIDTH = 640  # of a plot, in its own units, as all numbers below
_LEFT = 220  # for names
_ROW = 22


def bars(values: Sequence[tuple[str, float, str]], top: float) -> str:
    """(name, length from 0 to `top`, what is written at its end) a bar."""
    parts = []
    for row, (name, value, shown) in enumerate(values):
        length = (_WIDTH - _LEFT - 70) * value / (top or 1)
        y = row * _ROW
        parts.append(_text(_LEFT - 8, y + 15, name, "end"))
        parts.append(f'<rect x="{_LEFT}" y="{y + 4}" width="{length:.1f}" height="14" class="bar"/>')
        parts.append(_text(_LEFT + length + 6, y + 15, shown))
    return _svg(len(values) * _ROW, parts)


def intervals(values: Sequence[tuple[str, float, float, float, str]]) -> str:
    """(name, difference, low, high, what is written beside it), all on one scale around 0."""
    reach = max((abs(bound) for _, _, low, high, _ in values for bound in (low, high)), default=0) or 1
    half = (_WIDTH - _LEFT - 110) / 2
    middle = _LEFT + half

    def at(value: float) -> float:
        return middle + half * value / reach

    height = len(values) * _ROW
    parts = [f'<line x1="{middle}" x2="{middle}" y1="0" y2="{height}" class="axis"/>']
    for row, (name, value, low, high, shown) in enumerate(values):
        y = row * _ROW + 11
        look = "clear" if low > 0 or high < 0 else "unclear"
        parts.append(_text(_LEFT - 8, y + 4, name, "end"))
        parts.append(f'<line x1="{at(low):.1f}" x2="{at(high):.1f}" y1="{y}" y2="{y}" class="{look}"/>')
        parts.append(f'<circle cx="{at(value):.1f}" cy="{y}" r="4" class="{look}"/>')
        parts.append(_text(_WIDTH - 104, y + 4, shown))
    return _svg(height, parts)


def curves(lines: Mapping[str, Sequence[float]], unit: str) -> str:
    """For each name its values in rising order, from the first to the last of the questions."""
    height, top = 180, max((max(values) for values in lines.values() if values), default=0) or 1
    left, width = 70, _WIDTH - 160
    parts = [
        f'<line x1="{left}" x2="{left + width}" y1="{height}" y2="{height}" class="axis"/>',
        _text(left - 6, height, "0", "end"),
        _text(left - 6, 12, f"{top:.0f} {unit}", "end"),
    ]
    for number, (name, values) in enumerate(lines.items()):
        ordered = sorted(values)
        kept = [ordered[ceil(len(ordered) * step / 100) - 1] for step in range(1, 101)]
        points = " ".join(
            f"{left + width * step / 100:.1f},{height - (height - 10) * value / top:.1f}"
            for step, value in enumerate(kept, 1)
        )
        parts.append(f'<polyline points="{points}" class="line{number % 2}"/>')
        parts.append(_text(left + width + 4, height - (height - 10) * kept[-1] / top + 4, name))
    parts += [_text(left + width * at / 100, height + 16, f"{at} %", "middle") for at in (50, 95)]
    return _svg(height + 22, parts)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img">{"".join(parts)}</svg>'
