"""What is known about metrics from their names: which way is better, and how a number is shown."""

import math
from dataclasses import dataclass

from src.config.metrics import LOWER_IS_BETTER, N_PARAMETERS, SHARES, number, share, split_of, words_of

_SPLITS = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class Scale:
    """How to read one metric.

    Attributes:
        metric: Its name, ``split/name``.
        lower_is_better: Whether small numbers are good ones.
        is_share: Whether it is a share of 1, shown in per cent, and its differences in points.
    """

    metric: str
    lower_is_better: bool
    is_share: bool

    @classmethod
    def of(cls, metric: str, *, lower_is_better: bool | None = None) -> "Scale":
        """Look the metric's name up; which way is better may be known already."""
        words = words_of(metric)
        lower = bool(words & LOWER_IS_BETTER) if lower_is_better is None else lower_is_better
        return cls(metric, lower, bool(words & SHARES))

    @property
    def words(self) -> str:
        """Give the metric's name as one says it: test accuracy."""
        split, name = split_of(self.metric)
        return f"{_SPLITS.get(split, split)} {name}".strip()

    @property
    def heading(self) -> str:
        """Give the metric's name with its unit."""
        return f"{self.metric}, %" if self.is_share else self.metric

    def text(self, value: float, half_width: float | None = None) -> str:
        """Write a number, and half the width of its interval where there is one, with the digits that it supports.

        The half-width keeps two digits, and the number as many decimals; a share one decimal, or two if the interval
        is narrower than 0.1 points.
        """
        if self.metric == N_PARAMETERS and not half_width and value.is_integer():
            return f"{value:.0f}"
        if not half_width:
            written = _unsigned_zero(share(value) if self.is_share else number(value))
            return written if half_width is None else f"{written} ± {'0.0' if self.is_share else '0.0000'}"
        factor = 100 if self.is_share else 1
        value, half = value * factor, half_width * factor
        size = max(abs(value), half)
        if size >= 1e6 or (0 < size < 1e-4):
            return f"{value:.3g} ± {half:.2g}"
        decimals = self._decimals(half)
        return f"{_unsigned_zero(f'{value:.{decimals}f}')} ± {half:.{decimals}f}"

    def mean_text(self, mean: float, half_width: float | None = None, *, unit: str = "") -> str:
        """Write a mean and its interval, which of a share ends at 0 and 100 %: "99.5 ± 0.3", "99.8 (99.3 to 100)".

        Args:
            mean: The mean.
            half_width: As in `text`.
            unit: What stands behind numbers.
        """
        low, high = self.bounds(mean, half_width)
        if half_width is None or (low, high) == (mean - half_width, mean + half_width):
            return self.text(mean, half_width) + unit
        decimals = self._decimals(100 * half_width)
        middle, *ends = (
            f"{100 * end:.0f}" if end in (0, 1) and i else _unsigned_zero(f"{100 * end:.{decimals}f}")
            for i, end in enumerate((mean, low, high))
        )
        return f"{middle}{unit} ({' to '.join(ends)}{unit})"

    def bounds(self, mean: float, half_width: float | None) -> tuple[float, float]:
        """Ends of a mean's interval; no share is below 0 or above 1."""
        low, high = mean - (half_width or 0.0), mean + (half_width or 0.0)
        # a metric that is called a share and is none keeps the ends it has
        return (max(low, 0.0), min(high, 1.0)) if self.is_share and 0 <= mean <= 1 else (low, high)

    def _decimals(self, half: float) -> int:
        """Decimals of an interval's half-width, and of what it belongs to."""
        if self.is_share:
            return 2 if half < 0.095 else 1
        return min(max(1 - math.floor(math.log10(half)), 0), 6)


def _unsigned_zero(text: str) -> str:
    return text.lstrip("-") if not text.strip("-0.") else text
