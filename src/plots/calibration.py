"""Whether a classifier is as often right as it is sure: a reliability diagram.

Axes: `n` samples, `b` bins.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from src.plots import style
from src.plots.layout import panels

# Share of the panel that the fullest bin of the lower panel takes.
_ROOM = 1.1


def calibration_figure(sums: NDArray[Any], *, what: str, happens: str, title: str) -> Figure:
    """Draw the share of right answers over their mean confidence, a dot per bin, and below how many samples that are.

    Args:
        sums: Rows: sums of confidences, right answers and samples; a column per bin (3, b).
        what: What the confidence is of, for the horizontal axis.
        happens: What share that is to be, for the vertical axis.
        title: What stands on top of the figure.

    Raises:
        ValueError: If `sums` has another shape, is not finite or holds no sample.
    """
    if sums.ndim != 2 or sums.shape[0] != 3 or not np.isfinite(sums).all() or sums[2].sum() <= 0:
        raise ValueError(f"sums must be finite, (3, b) and of at least one sample, got {sums.shape}")
    confidence, right, n = sums[:, sums[2] > 0]
    legend = [
        Line2D([], [], color="#767676", ls="--", lw=1.2, label="as often right as sure"),
        Line2D([], [], color=style.INK, marker="o", ms=5, lw=1.4, label="test part, a dot per bin"),
    ]
    figure, (above, below) = panels(
        2, size=(4.2, 2.9), title=title, columns=1, shared=False, below=0.65, above=0.15, legend=legend
    )
    above.plot([0, 1], [0, 1], color="#767676", ls="--", lw=1.2)
    above.plot(confidence / n, right / n, color=style.INK, marker="o", ms=5, lw=1.4, clip_on=False)
    above.set(xlim=(0, 1), ylim=(-0.03, 1.03))
    above.set_ylabel(happens, **style.LABEL)
    below.vlines(confidence / n, 0, n / n.sum(), color=style.INK, lw=5)
    below.set(xlim=(0, 1), ylim=(0, _ROOM * float((n / n.sum()).max())))
    below.set_ylabel("share of samples", **style.LABEL)
    for ax in (above, below):
        ax.set_xlabel(what, **style.LABEL)
    return figure
