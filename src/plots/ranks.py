"""The critical-difference diagram: average ranks of groups on an axis, and bars under those that are not told apart.

After Demšar (2006, Statistical Comparisons of Classifiers over Multiple Data Sets), figure 1.
"""

from collections.abc import Sequence

from matplotlib.figure import Figure

from src.plots import style
from src.plots.layout import panels


def ranks_figure(
    labels: Sequence[str], ranks: Sequence[float], alike: Sequence[Sequence[int]], *, critical: float, metric: str
) -> Figure:
    """Draw the groups along an axis of ranks, the better half on the left.

    Args:
        labels: Names of the groups.
        ranks: Average rank of each; 1 is best.
        alike: Places in ``labels`` of groups that are not told apart, a bar each.
        critical: The critical difference, drawn above the axis.
        metric: What was ranked.

    Raises:
        ValueError: If there are fewer than two groups.
    """
    k = len(labels)
    if k < 2:
        raise ValueError(f"a diagram of ranks needs two groups or more, got {k}")
    order = sorted(range(k), key=lambda i: ranks[i])
    rows = half = (k + 1) // 2
    depth = 0.5 + 0.28 * len(alike)
    figure, (ax,) = panels(1, size=(4.6, 0.75 + 0.3 * (rows + depth + 0.5)), title="", left=0.1, above=0.1, below=0.1)
    ax.set_xlim(1 - 0.6 * (k - 1), k + 0.6 * (k - 1))
    ax.set_ylim(-depth - rows - 0.5, 1.6)
    ax.axis("off")
    ax.plot([1, k], [0, 0], color=style.INK, lw=1.2)
    for tick in range(1, k + 1):
        ax.plot([tick, tick], [0, 0.15], color=style.INK, lw=1.2)
        ax.text(tick, 0.25, str(tick), ha="center", va="bottom", fontsize=8, color=style.INK)
    shown = min(critical, k - 1)
    ax.plot([1, 1 + shown], [1.05, 1.05], color=style.INK, lw=2)
    ax.text(1 + shown / 2, 1.12, f"critical difference {critical:.2f}", ha="center", va="bottom", fontsize=8)
    for i, bar in enumerate(alike):
        ends = [ranks[each] for each in bar]
        y = -0.35 - 0.28 * i
        ax.plot([min(ends) - 0.03, max(ends) + 0.03], [y, y], color=style.INK, lw=3, solid_capstyle="round")
    for place, i in enumerate(order):
        is_left = place < half
        row = place if is_left else k - 1 - place
        end, y = (0.93 if is_left else k + 0.07), -depth - row - 0.5
        ax.plot([ranks[i], ranks[i], end], [0, y, y], color=style.INK, lw=0.8)
        text = f"{labels[i]}  {ranks[i]:.2f}" if is_left else f"{ranks[i]:.2f}  {labels[i]}"
        side = "right" if is_left else "left"
        ax.text(end + (-0.03 if is_left else 0.03), y, text, ha=side, va="center", fontsize=8, color=style.INK)
    ax.text((1 + k) / 2, -depth - rows - 0.1, f"average rank of {metric}, 1 is best", ha="center", va="top", fontsize=8)
    return figure
