"""Whether two groups are practically equal: whether all that is sure of their difference lies within a margin.

The interval of the median difference is to lie within the margin on both sides, as in a test of equivalence (Lakens
2017, Equivalence tests) or in a region of practical equivalence (Kruschke 2018). A median says nothing of rare
losses, so neither group may win by more than the margin on many more seeds than the other.
"""

import numpy as np
from numpy.typing import NDArray

# Of all seeds, how many more one group may win by more than the margin.
LOPSIDED = 0.1


def are_within(
    low: NDArray[np.float64], high: NDArray[np.float64], many: NDArray[np.float64], margin: float
) -> NDArray[np.bool_]:
    """Whether rows of differences are practically none, (b,).

    Args:
        low: Lower end of the interval of each row, (b,).
        high: Upper end, (b,).
        many: The differences, (b, n).
        margin: Differences up to here do not matter.
    """
    lopsided = np.abs((many > margin).mean(1) - (many < -margin).mean(1)) > LOPSIDED
    within: NDArray[np.bool_] = (low >= -margin) & (high <= margin) & ~lopsided
    return within
