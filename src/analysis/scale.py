"""What is known about metrics from their names: which way is better, and how a number is shown."""

import math
from dataclasses import dataclass

from src.config.metrics import LOWER_IS_BETTER, SHARES, split_of, words_of

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
    def of(cls, metric: str) -> "Scale":
        """Look the metric's name up."""
        words = words_of(metric)
        return cls(metric, bool(words & LOWER_IS_BETTER), bool(words & SHARES))

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
        factor = 100 if self.is_share else 1
        value, half = value * factor, None if half_width is None else half_width * factor
        size = max(abs(value), half or 0)
        if size >= 1e6 or (0 < size < 1e-4):
            return f"{value:.3g}" if half is None else f"{value:.3g} ± {half:.2g}"
        if self.is_share:
            decimals = 2 if half is not None and 0 < half < 0.095 else 1
        else:
            decimals = min(max(1 - math.floor(math.log10(half)), 0), 6) if half else 4
        number = f"{value:.{decimals}f}"
        # no minus before a zero
        number = number.lstrip("-") if not number.strip("-0.") else number
        return number if half is None else f"{number} ± {half:.{decimals}f}"
