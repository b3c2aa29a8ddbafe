"""What all charts of the page share: a colour and a shape per group, axes, numbers."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

from src.analysis.scale import Scale
from src.analysis.summary import RankedGroup, Summary
from src.plots.palette import PALETTE

# Data and layout as plotly.js takes them: https://plotly.com/javascript/reference/. Plain dictionaries, since
# plotly's own Python classes take longer to import than a page takes to make.
Chart: TypeAlias = dict[str, Any]

MANY = 2000
"""Jobs beyond which charts show some of them, and the page holds the rows of its table compressed (`many`)."""

# Without yellow, which is too weak for a line on white.
COLORS = PALETTE[:6]
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
OTHER = "#9AA0A6"
# Colours of report.css, which differ by day and night; charts.js looks them up.
INK, PAPER, GRID = "var(--ink)", "var(--paper)", "var(--fine)"

# Steps of an axis from one labelled end to the other, at most.
_N_STEPS = 6

# Numbers nearer to zero, or further away than its inverse, have no round ones around them.
_TINY = 1e-290


@dataclass(frozen=True)
class Series:
    """A group as it is drawn.

    Attributes:
        ranked: The group.
        color: Of its own for the best few groups, else grey.
        symbol: Shape of its points.
        is_own: Whether colour and shape stand for this group alone.
    """

    ranked: RankedGroup
    color: str
    symbol: str
    is_own: bool

    @property
    def label(self) -> str:
        """What tells the group from the others."""
        return self.ranked.group.label


def all_series(summary: Summary) -> list[Series]:
    """Groups in their order, the best ones with a colour each, which is the same in all charts."""
    own = [Series(*look, is_own=True) for look in zip(summary.groups, COLORS, SYMBOLS, strict=False)]
    return [*own, *(Series(ranked, OTHER, "circle", is_own=False) for ranked in summary.groups[len(own) :])]


def chart_layout(**changes: Any) -> dict[str, Any]:
    """Look of a chart; nothing is dragged, so that a finger scrolls the page."""
    return {
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "margin": {"l": 60, "r": 16, "t": 30, "b": 46},
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
        **changes,
    }


def axis(title: str = "", **changes: Any) -> dict[str, Any]:
    """Look of an axis."""
    name = {"text": _safe(title), "font": {"size": 13}, "standoff": 6}
    lines = {"gridcolor": GRID, "linecolor": OTHER, "tickcolor": OTHER, "zeroline": False}
    ticks = {"tickfont": {"size": 12}, "ticks": "outside", "automargin": True}
    return {"title": name, **lines, **ticks, **changes}


def metric_axis(metric: str, values: Iterable[float], *, ends: Iterable[float] | None = None) -> dict[str, Any]:
    """Axis of a metric: per cent for shares, logarithmic where values differ by orders of magnitude.

    Args:
        metric: What it shows.
        values: What decides how it is divided.
        ends: What it must reach to; the values where None.
    """
    scale, found = Scale.of(metric), list(values)
    reach = found if ends is None else list(ends)
    if scale.is_share:
        return with_ends(axis(scale.words, tickformat=".3~%"), reach)
    return with_ends(axis(scale.words, type="log" if spans(found, factor=50) else "linear"), reach)


def with_ends(look: Mapping[str, Any], values: Sequence[float]) -> dict[str, Any]:
    """An axis that begins and ends with a labelled tick, just outside of the values.

    Without values, or with some at the ends of what a float holds, where no round number stands outside, as it is.
    """
    ticks = round_ticks(values, is_log=look.get("type") == "log")
    if not ticks:
        return dict(look)
    low, high = ticks[0], ticks[-1]
    if look.get("type") == "log":
        low, high = math.log10(low), math.log10(high)
        look = {"tickformat": "~g", **look}
    room = 0.03 * (high - low)
    return {**look, "tickvals": ticks, "range": [low - room, high + room]}


def round_ticks(values: Sequence[float], *, is_log: bool) -> list[float]:
    """Round numbers from just below the values to just above; none where there are no such numbers."""
    if not values or any(value and not _TINY < abs(value) < 1 / _TINY for value in values):
        return []
    if is_log:
        # what is not positive has no place there
        return _log_ticks(min(value for value in values if value > 0), max(values))
    return _ticks(min(values), max(values))


def _ticks(low: float, high: float) -> list[float]:
    """At most seven round numbers at even steps around both."""
    width = max(high - low, 1e-9 * abs(high)) if high > low else abs(high) or 1.0
    unit = 10.0 ** math.floor(math.log10(width))
    for step in (unit * times for times in (0.2, 0.25, 0.5, 1, 2, 2.5, 5)):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first <= _N_STEPS:
            break
    return [float(f"{i * step:.12g}") for i in range(first, max(last, first + 1) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten around both, of many every so many; of few those that are 1, 2 and 5 times one."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    if last - first > 2:
        step = math.ceil((last - first) / _N_STEPS)
        return [float(f"1e{i}") for i in range(first, last + step, step)]
    marks = [times * 10.0**i for i in range(first, last + 1) for times in (1, 2, 5)]
    begin = max(i for i, mark in enumerate(marks) if mark <= low * (1 + 1e-9))
    end = min((i for i, mark in enumerate(marks) if mark >= high * (1 - 1e-9)), default=len(marks) - 1)
    return [float(f"{mark:.6g}") for mark in marks[begin : max(end, begin + 1) + 1]]


def spans(values: Sequence[float], *, factor: float) -> bool:
    """Whether positive values differ so much that only a logarithmic axis shows them all."""
    return bool(values) and min(values) > 0 and max(values) >= factor * min(values)


def is_spread(values: Sequence[float]) -> bool:
    """Whether positive values lie over orders of magnitude, not evenly up to the largest with a few near zero."""
    return spans(values, factor=20) and median(values) < max(values) / 4


def as_number(text: str | None) -> float | None:
    """Read a swept value as a finite number, if it is one."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def short(text: str, n: int) -> str:
    """Cut a text to at most `n` letters, as plotly is to show it."""
    return _safe(text if len(text) <= n else f"{text[: n - 1]}…")


def rounded(values: Iterable[float]) -> list[float]:
    """Keep as many digits as a screen can show."""
    return [float(f"{value:.5g}") for value in values]


def thinned(values: Sequence[float], n: int) -> list[float]:
    """At most `n` of the values, from lowest to highest at even steps."""
    ordered = sorted(values)
    if len(ordered) <= n:
        return ordered
    return [ordered[round(i * (len(ordered) - 1) / (n - 1))] for i in range(n)]


def _safe(text: str) -> str:
    # plotly reads a few HTML tags and entities in texts
    return re.sub(r"[<>&]", lambda found: {"<": "&lt;", ">": "&gt;", "&": "&amp;"}[found[0]], text)
