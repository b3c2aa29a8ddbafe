"""What is known about metrics from their names: which way is better, and how a number is shown."""

import math
from dataclasses import dataclass

from src.config.metrics import LOWER_IS_BETTER, SHARES, number, share, split_of, words_of

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
        if not half_width:
            written = _unsigned_zero(share(value) if self.is_share else number(value))
            return written if half_width is None else f"{written} ± {'0.0' if self.is_share else '0.0000'}"
        factor = 100 if self.is_share else 1
        value, half = value * factor, half_width * factor
        size = max(abs(value), half)
        if size >= 1e6 or (0 < size < 1e-4):
            return f"{value:.3g} ± {half:.2g}"
        decimals = min(max(1 - math.floor(math.log10(half)), 0), 6)
        if self.is_share:
            decimals = 2 if half < 0.095 else 1
        return f"{_unsigned_zero(f'{value:.{decimals}f}')} ± {half:.{decimals}f}"


def _unsigned_zero(text: str) -> str:
    return text.lstrip("-") if not text.strip("-0.") else text
