"""What all charts of the page share: a colour and a shape per group, axes, numbers."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


def metric_axis(metric: str, values: Iterable[float], **changes: Any) -> dict[str, Any]:
    """Axis of a metric: per cent for shares, logarithmic where values differ by orders of magnitude."""
    scale = Scale.of(metric)
    if scale.is_share:
        return axis(scale.words, tickformat=".3~%", **changes)
    if spans(list(values), factor=50):
        return axis(scale.words, type="log", dtick=1, tickformat="~g", **changes)
    return axis(scale.words, **changes)


def spans(values: Sequence[float], *, factor: float) -> bool:
    """Whether positive values differ so much that only a logarithmic axis shows them all."""
    return bool(values) and min(values) > 0 and max(values) >= factor * min(values)


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
