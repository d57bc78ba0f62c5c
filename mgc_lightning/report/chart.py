"""Curves as SVG inside a page, in the page's colours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.report.markup import Html, join, tag

WIDTH, HEIGHT = 360, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 28, 26
MOST_POINTS = 400
"""Of a curve; of more, the mean of neighbours is drawn."""
NOISY = 40
"""Points from which a curve is drawn smoothed, over what it was."""
COLOURS = 6


class Series(NamedTuple):
    """Hold values over steps, in their order.

    Attributes:
        steps: (T,).
        values: (T,).
    """

    steps: Float[NDArray, " T"]
    values: Float[NDArray, " T"]


def line_chart(
    title: str,
    curves: Mapping[str, Series],
    flat: Mapping[str, float] | None = None,
    x: str = "step",
    unit: str = "",
    exact: bool = False,
) -> Html | None:
    """Draw curves, and levels as broken lines; None where nothing is finite.

    The axis of values is logarithmic where all are positive and span more than two decades.

    Args:
        title: above.
        curves: by name; names are shown where there are several.
        flat: levels by name, such as the mean face's.
        x: name of the steps.
        unit: of the values.
        exact: draw what was measured, on an axis without logarithms.

    Example:
        >>> rising = Series(np.arange(3.0), np.array([0.0, 1.0, 4.0]))
        >>> line_chart("loss", {"train": rising}, {"mean face": 2.0})[:23]
        '<figure><svg viewBox="0'
    """
    finite = {name: _finite(series) for name, series in curves.items()}
    finite = {name: series for name, series in finite.items() if len(series.steps)}
    levels = {name: value for name, value in (flat or {}).items() if math.isfinite(value)}
    if not finite:
        return None
    values = np.concatenate([*(series.values for series in finite.values()), np.array(list(levels.values()))])
    log = not exact and bool(values.min() > 0 and values.max() > 100 * values.min())
    steps = np.concatenate([series.steps for series in finite.values()])
    across = _Axis(float(steps.min()), float(steps.max()), _LEFT, WIDTH - _RIGHT)
    up = _Axis(float(values.min()), float(values.max()), HEIGHT - _BOTTOM, _TOP, log)
    drawn: list[object] = [tag("text", f"{title}{f', {unit}' if unit else ''}", x=2, y=14, class_="title")]
    for value in up.ticks():
        y = round(up(value), 1)
        drawn.append(tag("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y, class_="grid-line"))
        drawn.append(tag("text", short_number(value), x=_LEFT - 5, y=y + 4, text_anchor="end"))
    below = {"y": HEIGHT - 9, "text_anchor": "middle"}
    drawn += [tag("text", short_number(value), x=round(across(value), 1), **below) for value in across.ticks(4)]
    drawn.append(tag("text", x, x=WIDTH - _RIGHT, y=14, text_anchor="end"))
    keys: list[Html] = []
    for number, (name, series) in enumerate(finite.items()):
        drawn += _curve(series, across, up, f"k{number % COLOURS}", exact)
        keys.append(_key(name, number))
    for number, (name, value) in enumerate(levels.items(), start=5):
        y = round(up(value), 1)
        path = f"M{_LEFT} {y}L{WIDTH - _RIGHT} {y}"
        drawn.append(tag("path", d=path, class_=f"flat k{number % COLOURS}"))
        keys.append(_key(f"{name} {short_number(value)}", number))
    legend = tag("figcaption", *keys) if len(keys) > 1 else Html("")
    picture = tag("svg", *drawn, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=title)
    return tag("figure", picture, legend)


def short_number(value: float) -> str:
    """Give a number as an axis or a table shows it.

    Example:
        >>> [short_number(value) for value in (0.0, 0.25, 1200.0, 28000.0, 1e-5, 3.0)]
        ['0', '0.25', '1200', '28k', '1e-05', '3']
    """
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.3g}"
    if abs(value) >= 1e4 and value % 1000 == 0:
        return f"{value / 1000:.0f}k"
    return f"{value:.6g}" if abs(value) >= 1000 else f"{value:.4g}"


class _Axis:
    """Map values to px."""

    def __init__(self, low: float, high: float, start: float, end: float, log: bool = False) -> None:
        self.log = log
        low, high = (math.log10(low), math.log10(high)) if log else (low, high)
        if high - low <= 1e-12 * max(1.0, abs(low)):
            low, high = low - (abs(low) / 2 or 0.5), high + (abs(high) / 2 or 0.5)
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        given = math.log10(value) if self.log else value
        return self.start + (given - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, count: int = 6) -> list[float]:
        """Give round values."""
        if self.log:
            found = [10.0**power for power in range(math.ceil(self.low), math.floor(self.high) + 1)]
            return found[:: max(1, len(found) // 5)] if len(found) > 1 else [10**self.low, 10**self.high]
        rough = (self.high - self.low) / count
        size = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * size for factor in (1, 2, 5, 10) if factor * size >= rough)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _finite(series: Series) -> Series:
    keep = np.isfinite(series.steps) & np.isfinite(series.values) & (np.abs(series.values) < 1e300)
    steps, values = series.steps[keep], series.values[keep]
    order = np.argsort(steps, kind="stable")
    steps, values = steps[order], values[order]
    if len(steps) > MOST_POINTS:
        parts = np.array_split(np.arange(len(steps)), MOST_POINTS)
        return Series(*(np.array([array[part].mean() for part in parts]) for array in (steps, values)))
    return Series(steps, values)


def _curve(series: Series, across: _Axis, up: _Axis, colour: str, exact: bool) -> list[Html]:
    def path(values: NDArray, kind: str) -> Html:
        points = (f"{across(s):.1f} {up(v):.1f}" for s, v in zip(series.steps.tolist(), values.tolist(), strict=True))
        return tag("path", d="M" + "L".join(points), class_=kind)

    if exact:
        return [path(series.values, colour)]
    if len(series.steps) < NOISY:
        ends = zip(series.steps.tolist(), series.values.tolist(), strict=True)
        dots = [tag("circle", cx=f"{across(s):.1f}", cy=f"{up(v):.1f}", r=2.2) for s, v in ends]
        return [path(series.values, colour), tag("g", *dots, class_=colour)]
    width = max(3, len(series.values) // 16) | 1
    given = np.log(series.values) if up.log else series.values
    window = np.ones(width)  # shorter at the ends
    smooth = np.convolve(given, window, mode="same") / np.convolve(np.ones_like(given), window, mode="same")
    return [path(series.values, f"raw {colour}"), path(np.exp(smooth) if up.log else smooth, colour)]


def _key(name: str, number: int) -> Html:
    return tag("span", tag("i"), name, class_=f"key k{number % COLOURS}")


def charts(drawn: Sequence[Html | None], small: bool = False) -> Html:
    """Put charts side by side, as many as the page is wide: three, or four small ones."""
    kind = "grid small" if small else "grid"
    return tag("div", join(chart for chart in drawn if chart is not None), class_=kind)
