"""Which swept value decides: the share of the metric's variance that each explains alone."""

import math
from collections.abc import Sequence

import numpy as np

from src.analysis.page.series import as_number, spans
from src.analysis.page.values import N_BOXES, Swept
from src.analysis.scale import Scale

_N_PARTS = 5  # of a key of many numbers


def importances(swept: Swept) -> list[tuple[str, float]]:
    """Keys with their main effects, 0 to 1, the largest first; those that have too few jobs for their values left out.

    A main effect is the variance between the means at each value over that of all jobs, less what as many random
    values would explain: epsilon squared (Kelley, 1935). Of a metric that differs
    by orders of magnitude it is that of the logarithm.
    """
    is_log = not Scale.of(swept.metric).is_share and spans(swept.y, factor=50)
    y = np.array([math.log10(value) for value in swept.y] if is_log else swept.y)
    total = float(((y - y.mean()) ** 2).sum()) if len(y) else 0.0
    found = {key: _share(y, total, _parts(column)) for key, column in swept.columns.items()} if total else {}
    known = [(key, share) for key, share in found.items() if share is not None]
    return sorted(known, key=lambda item: -item[1])


def _share(y: "np.ndarray[tuple[int], np.dtype[np.float64]]", total: float, parts: Sequence[str]) -> float | None:
    names, place = np.unique(parts, return_inverse=True)
    n, k = len(y), len(names)
    if n <= k:
        return None
    means = np.bincount(place, weights=y) / np.bincount(place)
    within = float(((y - means[place]) ** 2).sum())
    return max(0.0, (total - within - (k - 1) * within / (n - k)) / total)


def _parts(column: Sequence[str]) -> list[str]:
    """Values, or parts with about as many jobs each where they are many numbers."""
    x = [value for text in column if (value := as_number(text)) is not None]
    if len(x) < len(column) or len(set(x)) <= N_BOXES:
        return list(column)
    ends = np.quantile(x, np.arange(1, _N_PARTS) / _N_PARTS)
    return [str(part) for part in np.searchsorted(ends, x)]
