"""What a search has tried and found.

Axes: `t` trials, `p` searched values, `m` objectives.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from src.plots import style
from src.plots.layout import panels

_DOT: dict[str, Any] = {"marker": "o", "ls": "none", "ms": 5.5, "mec": "white", "mew": 0.5}
_LETTER = 0.085  # inches per letter of 11 points


def history_figure(
    numbers: Sequence[int],
    values: Sequence[float],
    pruned: Sequence[bool],
    *,
    metric: str,
    maximize: bool,
    title: str,
) -> Figure:
    """Draw what each trial has measured, and the best so far.

    Args:
        numbers: Numbers of the trials (t,), ascending.
        values: What they have measured (t,), a pruned one last.
        pruned: Which of them were pruned (t,); these are no candidates for the best.
        metric: Name of what is measured.
        maximize: Whether more is better.
        title: What stands on top of the figure.

    Raises:
        ValueError: If there is no trial, or lengths differ.
    """
    x, y, early = np.asarray(numbers), np.asarray(values, dtype=float), np.asarray(pruned, dtype=bool)
    if len(x) == 0 or not len(x) == len(y) == len(early):
        raise ValueError(f"numbers, values and pruned must be of one length >= 1, got {len(x)}, {len(y)}, {len(early)}")
    worst = -np.inf if maximize else np.inf
    best = (np.maximum if maximize else np.minimum).accumulate(np.where(early, worst, y))
    found = np.isfinite(best)
    lines = [
        Line2D(x[~early], y[~early], label="trial", color=style.color(0), **_DOT),
        Line2D(x[found], best[found], label="best so far", color=style.INK, lw=1.6, drawstyle="steps-post"),
    ]
    if early.any():
        hollow = {**_DOT, "mec": style.color(1), "mew": 1.2}
        lines.append(Line2D(x[early], y[early], label="pruned", mfc="white", **hollow))
    figure, (ax,) = panels(1, size=(6.4, 3.6), title=title, above=0.1, legend=lines)
    for line in lines:
        ax.add_line(line)
    _finish(ax, y, metric)
    ax.set_xlim(x.min() - 0.7, x.max() + 0.7)
    ax.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
    ax.set_xlabel("trial", **style.LABEL)
    return figure


def importances_figure(importances: Mapping[str, Mapping[str, float]], *, title: str) -> Figure:
    """Draw how much of a metric's variance each searched value explains.

    Args:
        importances: By metric (m of them) and searched key (p of them), shares from 0 to 1.
        title: What stands on top of the figure.

    Raises:
        ValueError: If there is nothing to draw.
    """
    keys = list(next(iter(importances.values()), {}))
    if not keys:
        raise ValueError("importances must hold a metric and a searched key")
    # the most important one on top
    keys.sort(key=lambda key: max(shares[key] for shares in importances.values()))
    handles = [
        Line2D([], [], color=style.color(i), marker="s", ls="none", label=metric)
        for i, metric in enumerate(importances)
    ]
    left = 0.35 + _LETTER * max(map(len, keys))
    figure, (ax,) = panels(
        1, size=(4.6, 0.5 + 0.45 * len(keys)), title=title, left=left, above=0.1, legend=handles if handles[1:] else ()
    )
    height = 0.8 / len(importances)
    for i, shares in enumerate(importances.values()):
        for row, key in enumerate(keys):
            bottom = row + 0.4 - (i + 1) * height
            ax.add_patch(Rectangle((0, bottom), shares[key], height * 0.92, color=style.color(i), lw=0))
            ax.text(
                shares[key] + 0.01, bottom + height / 2, f"{shares[key]:.0%}", va="center", size=10, color=style.INK
            )
    ax.set_xlim(0, 1.12)
    ax.set_ylim(-0.6, len(keys) - 0.4)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    ax.set_yticks(range(len(keys)), keys)
    ax.set_xlabel("share of the variance", **style.LABEL)
    return figure


def slices_figure(
    params: Mapping[str, Sequence[Any]],
    values: Sequence[float],
    *,
    choices: Mapping[str, Sequence[Any]],
    log: Sequence[str],
    metric: str,
    title: str,
) -> Figure:
    """Draw a metric over each searched value, a panel each; later trials are darker.

    Args:
        params: By key (p of them) the value of each trial (t,).
        values: What the trials have measured (t,).
        choices: For keys that are no numbers all that could be chosen, from left to right.
        log: Keys whose axis is logarithmic.
        metric: Name of what is measured.
        title: What stands on top of the figure.

    Raises:
        ValueError: If there is nothing to draw.
    """
    y = np.asarray(values, dtype=float)
    if not params or len(y) == 0:
        raise ValueError("params and values must not be empty")
    shades = style.soft_colormap(0)(np.linspace(0.35, 1, len(y)) if len(y) > 1 else [1.0])
    longest = max((len(_short(choice)) for key in params for choice in choices.get(key, ())), default=0)
    below = 0.35 + (_LETTER * 0.8 * longest if longest > 4 else 0)
    figure, axes = panels(len(params), size=(2.5, 3.0), title=title, below=below)
    for ax, (key, column) in zip(axes, params.items(), strict=True):
        x = np.asarray([choices[key].index(value) if key in choices else value for value in column], dtype=float)
        ax.scatter(x, y, c=shades, s=34, edgecolors="white", linewidths=0.5, zorder=2)
        _finish(ax, y, metric if ax is axes[0] else "")
        ax.set_title(key if len(key) < 30 else f"…{key[-28:]}", size=11, color=style.INK)
        if key in choices:
            turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if longest > 4 else {}
            ax.set_xticks(range(len(choices[key])), [_short(choice) for choice in choices[key]], **turned)
            ax.set_xlim(-0.5, len(choices[key]) - 0.5)
        elif key in log:
            ax.set_xscale("log")
            # whole powers of ten: between them labels run into each other
            ax.set_xlim(0.7 * 10 ** np.floor(np.log10(x.min())), 10 ** np.ceil(np.log10(x.max())) / 0.7)
            ax.xaxis.set_minor_formatter(NullFormatter())
    return figure


def pareto_figure(values: ArrayLike, is_best: Sequence[bool], *, metrics: Sequence[str], title: str) -> Figure:
    """Draw trials by two objectives, and those that no other beats in all: the Pareto front.

    Args:
        values: What the trials have measured (t, m); every further objective is drawn over the first.
        is_best: Which trials are on the front (t,).
        metrics: Names of the objectives (m,), at least two.
        title: What stands on top of the figure.

    Raises:
        ValueError: If there are fewer than two objectives, or no trial.
    """
    y, best = np.asarray(values, dtype=float), np.asarray(is_best, dtype=bool)
    if y.ndim != 2 or y.shape[1] < 2 or len(y) == 0:
        raise ValueError(f"values must be of shape (t, m) with t >= 1 and m >= 2, got {y.shape}")
    legend = [
        Line2D([], [], label="trial", color="#9A9A9A", **_DOT),
        Line2D([], [], label="Pareto front", color=style.color(1), **_DOT),
    ]
    # a front of three objectives is a surface, of which a line would tell nothing
    line = "-" if y.shape[1] == 2 else "none"
    figure, axes = panels(y.shape[1] - 1, size=(4.6, 3.8), title=title, above=0.1, legend=legend)
    for ax, k in zip(axes, range(1, y.shape[1]), strict=True):
        front = y[best][np.argsort(y[best, k], kind="stable")]
        ax.add_line(Line2D(y[~best, k], y[~best, 0], color="#9A9A9A", **_DOT))
        ax.add_line(Line2D(front[:, k], front[:, 0], color=style.color(1), lw=1, **{**_DOT, "ls": line, "ms": 7}))
        _finish(ax, y[:, 0], metrics[0] if k == 1 else "")
        if _spreads(y[:, k]):
            ax.set_xscale("log")
        ax.set_xlabel(metrics[k], **style.LABEL)
    return figure


def _finish(ax: Axes, y: NDArray[np.float64], name: str) -> None:
    ax.autoscale_view()
    if _spreads(y):
        ax.set_yscale("log")
    ax.grid(color="#E4E4E4", lw=0.8)
    ax.set_axisbelow(True)
    ax.set_ylabel(name, **style.LABEL)


def _spreads(y: NDArray[np.float64]) -> bool:
    """Whether numbers are positive and orders of magnitude apart: a diverged run would flatten all others."""
    return bool(y.min() > 0 and y.max() > 100 * y.min())


def _short(choice: Any) -> str:
    text = str(choice)
    return text if len(text) <= 20 else f"{text[:19]}…"
