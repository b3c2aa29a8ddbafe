"""What the studies have found, as docs/pictures/coverage.png."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.coverage.page import NAIVE, by_n, names
from benchmarks.coverage.results import NUMBERS_OF_SEEDS, ROOT
from benchmarks.coverage.study import Row
from src.plots.style import color, marker

PICTURE = ROOT / "docs" / "pictures" / "coverage.png"


def draw(rows: Sequence[Row]) -> Figure:
    """Coverage, false alarms and power by the number of seeds."""
    figure = Figure(figsize=(12.5, 6.4), dpi=110, layout="constrained")
    held, alarms, power = figure.subplots(1, 3)
    printed = [name for name in names(rows, "coverage") if name not in (NAIVE, "share of runs beyond a number")]
    for i, name in enumerate(printed):
        _line(held, rows, ("coverage", name, "share"), min, color=color(i), marker=marker(i))
    _line(held, rows, ("coverage", NAIVE, "share"), min, "mean ± t, not printed", color="#555555", ls="--")
    _line(held, rows, ("coverage", "median", "level"), min, "what the median's says", color="#555555", ls=":")
    held.axhline(95, color="#555555", lw=1)
    held.set(title="intervals that hold the truth,\non the worst distribution", ylabel="of 100", ylim=(50, 101))
    for i, name in enumerate(name for name in names(rows, "alarms") if not name.startswith("sweep.")):
        _line(alarms, rows, ("alarms", name, "rate"), max, color=color(i), marker=marker(i))
    alarms.axhline(5, color="#555555", lw=1)
    alarms.set(title="false alarms,\non the worst distribution", ylim=(-0.2, 8))
    for i, by in enumerate(names(rows, "power")):
        label = f"{by} point{'' if by == '1' else 's'}"
        _line(power, rows, ("power", by, "better"), np.median, label, color=color(i), marker=marker(i))
        _line(power, rows, ("power", by, "better"), min, f"{label}, where hardest", color=color(i), ls=":")
    power.set(title="differences of accuracy that are found,\non the distribution in the middle", ylim=(-2, 102))
    for axes in (held, alarms, power):
        axes.set_xscale("log", base=2)
        axes.set_xticks(NUMBERS_OF_SEEDS, [str(n) for n in NUMBERS_OF_SEEDS])
        axes.minorticks_off()
        axes.set_xlabel("seeds")
        axes.grid(color="#E4E4E4")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=1, fontsize=8, frameon=False)
    return figure


def _line(
    axes: Axes,
    rows: Sequence[Row],
    what: tuple[str, str, str],
    of: Callable[[Sequence[float]], float],
    label: str | None = None,
    **style: Any,
) -> None:
    """A number over all distributions, in per cent, by the number of seeds."""
    found = {n: values for n in NUMBERS_OF_SEEDS if (values := by_n(rows, *what, n))}
    axes.plot(list(found), [100 * of(values) for values in found.values()], lw=1.5, label=label or what[1], **style)


def write(rows: Sequence[Row]) -> None:
    """Draw it into docs/pictures/."""
    draw(rows).savefig(PICTURE)
