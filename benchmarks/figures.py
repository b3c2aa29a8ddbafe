"""How costs are drawn."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from src.plots.style import color


def cost_curve(counts: Sequence[int], costs: Sequence[float], *, of: str, unit: str, title: str) -> tuple[Figure, Axes]:
    """Cost of one against the number of all, both logarithmic.

    Args:
        counts: How many (m,).
        costs: What each of them costs (m,), in ``unit``.
        of: What is counted.
        unit: Unit of the costs.
        title: What was measured.
    """
    figure = Figure(figsize=(6.4, 3.6), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.loglog(counts, costs, "o-", color=color(0))
    axes.set(xlabel=of, ylabel=unit, title=title)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:g}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.grid(color="#E4E4E4")
    return figure, axes
