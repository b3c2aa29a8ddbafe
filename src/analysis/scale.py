"""What is known about metrics from their names: which way is better, and how a number is shown."""

import math
from dataclasses import dataclass

from src.analysis.stats.interval import Interval
from src.config.metrics import LOWER_IS_BETTER, N_PARAMETERS, SHARES, number, share, split_of, words_of

# Metrics that are not shares and still lie between 0 and 1.
_WITHIN_ONE = frozenset({"ece"})

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

    @property
    def limits(self) -> tuple[float, float] | None:
        """Lowest and highest value that there can be, as the name tells; None where it tells none."""
        return (0.0, 1.0) if self.is_share or words_of(self.metric) & _WITHIN_ONE else None

    def text(self, value: float) -> str:
        """Write a number; a share in per cent, without its sign."""
        if self.metric == N_PARAMETERS and value.is_integer():
            return f"{value:.0f}"
        return _unsigned_zero(share(value) if self.is_share else number(value))

    def with_interval(self, value: float, interval: Interval | None, *, level: bool = False) -> str:
        """Write a number and the ends of its interval with the digits that these support: "99.5 [98.9, 100]".

        Args:
            value: The number.
            interval: None for none.
            level: Whether an interval that is less sure than asked says how sure it is.
        """
        if interval is None:
            return self.text(value)
        middle, low, high = self._written(value, interval)
        how = f" ({percent(interval.level)})" if level and not interval.is_sure else ""
        return f"{middle} [{low}, {high}]{how}"

    def in_words(self, value: float, interval: Interval) -> tuple[str, str]:
        """Write a number, and its interval in words: "99.5" and "95% interval 98.9 to 100"."""
        middle, low, high = self._written(value, interval)
        return middle, f"{percent(interval.level)} interval {low} to {high}"

    def _written(self, value: float, interval: Interval) -> tuple[str, str, str]:
        numbers = (value, interval.low, interval.high)
        # no side that is nothing but rounding
        least = 1e-9 * max(map(abs, numbers))
        sides = [side for side in (value - interval.low, interval.high - value) if side > least]
        if self.is_share:
            decimals = 2 if sides and max(sides) < 0.001 else 1
            middle, *ends = (_unsigned_zero(share(each, decimals=decimals)) for each in numbers)
            low, high = (
                f"{abs(100 * end):.0f}" if end in (0, 1) else text for end, text in zip(numbers[1:], ends, strict=True)
            )
            return middle, low, high
        if not sides:
            written = self.text(value)
            return written, written, written
        size, finest = max(map(abs, numbers)), min(sides)
        if size >= 1e6 or size < 1e-4 or max(sides) > 30 * finest:
            return f"{value:.3g}", f"{interval.low:.3g}", f"{interval.high:.3g}"
        decimals = min(max(1 - math.floor(math.log10(finest)), 0), 4 if size >= 0.01 else 6)
        middle, low, high = (_unsigned_zero(f"{each:.{decimals}f}") for each in numbers)
        return middle, low, high


def percent(level: float) -> str:
    """Write a share in per cent with the digits that it has: "95%", "93.75%"."""
    return f"{100 * level:.6g}%"


def _unsigned_zero(text: str) -> str:
    return text.lstrip("-") if not text.strip("-0.") else text
