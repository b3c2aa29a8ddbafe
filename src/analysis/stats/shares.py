"""A share of runs and its exact interval (Clopper and Pearson 1934)."""

from src.analysis.stats.interval import LEVEL, Interval


def share_interval(k: int, n: int, level: float = LEVEL) -> Interval | None:
    """Interval of the probability behind k of n independent runs, two-sided: 0 of 8 is 0 to 0.369; None of no run."""
    from scipy.special import betaincinv

    if n == 0:
        return None
    tail = (1 - level) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return Interval(low, high, level)
