"""Tests and intervals that hold however often one looks: for sweeps that add seeds until the answer is clear.

A test at level 5% that is repeated after every batch is wrong far more often than in 5% of the cases. What holds at
all times is an e-process: a bet against the null hypothesis whose fortune, which begins at 1, is a supermartingale if
the hypothesis is true. By Ville's inequality (1939, Étude critique de la notion de collectif) it ever reaches 1/alpha
with a probability of at most alpha, so that one may look after every seed, and stop when one likes.

All that is used of the results is which of two values is the better one, seed by seed, so that nothing depends on
their distribution. For an event whose probability p is 1/2 or less under the null hypothesis, the likelihood ratio of
any larger p is such a process, and so is its mean over the uniform distribution on [1/2, 1]:

    e(w, l) = 2 * integral over p from 1/2 to 1 of (2 p)^w (2 (1 - p))^l
            = 2^(w + l + 1) B(w + 1, l + 1) P(Beta(w + 1, l + 1) > 1/2)

with w wins and l losses (Robbins 1970, Statistical Methods Related to the Law of the Iterated Logarithm, for the
mixture; Ramdas, Grünwald, Vovk and Shafer 2023, Game-Theoretic Statistics and Safe Anytime-Valid Inference, for a
survey). A tie is no bet. Counting what lies above a number in the place of wins tests whether the median is below it,
and the numbers that are not rejected are a confidence sequence of the median (Howard and Ramdas 2022, Sequential
Estimation of Quantiles).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def log_evidence(wins: Counts | int, losses: Counts | int) -> NDArray[np.float64]:
    """Logarithm of the e-process against "wins are as likely as losses or less", for any shape of both.

    Args:
        wins: Number of wins so far.
        losses: Number of losses so far.
    """
    from scipy import special

    w, l = np.asarray(wins, float) + 1, np.asarray(losses, float) + 1  # noqa: E741 - as in the formula
    # P(Beta(w, l) > 1/2), by the symmetry of the incomplete beta function; where it underflows, so does the evidence
    above = special.betainc(l, w, 0.5)
    with np.errstate(divide="ignore"):
        found: NDArray[np.float64] = (w + l - 1) * np.log(2) + special.betaln(w, l) + np.log(above)
    return found


def is_shown(wins: Counts | int, losses: Counts | int, alpha: float) -> NDArray[np.bool_]:
    """Whether wins are shown to be likelier than losses, with an error of at most ``alpha`` over all looks."""
    shown: NDArray[np.bool_] = log_evidence(wins, losses) >= -np.log(alpha)
    return shown


def most_losses(n: int, alpha: float) -> int:
    """How many of n may be losses where wins are still shown to be likelier; -1 where n wins do not show it."""
    losses = np.arange(n + 1)
    shown = is_shown(n - losses, losses, alpha)
    return int(shown.sum()) - 1


def median_interval(values: Sequence[float], alpha: float) -> tuple[float, float]:
    """Confidence sequence of a median: it holds it at all looks, each end with an error of at most ``alpha``.

    Args:
        values: So far, in any order; infinite ones are as good as any.
        alpha: Of each end.

    Returns:
        Two order statistics; infinite ones where there are too few values for any.
    """
    ordered = sorted(values)
    k = most_losses(len(ordered), alpha)
    return (-np.inf, np.inf) if k < 0 else (ordered[k], ordered[-1 - k])


def share_interval(wins: int, n: int, alpha: float) -> tuple[float, float]:
    """Confidence sequence of the probability of a win, with an error of at most ``alpha`` over all looks.

    The numbers p against which the mixture of likelihood ratios over the uniform distribution on [0, 1] stays below
    1/alpha (Robbins 1970).
    """
    from scipy import optimize, special

    if n == 0:
        return 0.0, 1.0
    mixture = float(special.betaln(wins + 1, n - wins + 1)) + math.log(alpha)

    def excess(p: float) -> float:
        return float(special.xlogy(wins, p) + special.xlog1py(n - wins, -p)) - mixture

    best, tiny = wins / n, 1e-12
    low = 0.0 if wins == 0 or excess(tiny) > 0 else float(optimize.brentq(excess, tiny, best))
    high = 1.0 if wins == n or excess(1 - tiny) > 0 else float(optimize.brentq(excess, best, 1 - tiny))
    return low, high
