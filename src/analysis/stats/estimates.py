"""A group in numbers: its values, quartiles, and three ways to say where they lie, each with what is sure of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, get_args

import numpy as np

from src.analysis.stats import betting, bootstrap, folds, orders
from src.analysis.stats.interval import Interval
from src.analysis.varying.units import SEED, Unit

Name: TypeAlias = Literal["median", "iqm", "mean"]
NAMES: tuple[Name, ...] = get_args(Name)
WORDS: dict[Name, str] = {"median": "median", "iqm": "interquartile mean", "mean": "mean"}


@dataclass(frozen=True)
class Estimate:
    """Where the values of a group lie.

    Attributes:
        name: Which estimate it is.
        value: The number.
        interval: What is sure of it; None where nothing is.
        n: Number of seeds, draws or folds.
    """

    name: Name
    value: float
    interval: Interval | None
    n: int

    @property
    def words(self) -> str:
        """Its name as one says it."""
        return WORDS[self.name]


@dataclass(frozen=True)
class Distribution:
    """The values of a group by one metric, one per seed, draw or fold.

    Of folds only the mean has an interval, since their values depend on each other; of a metric without bounds the mean
    has none, since no interval holds it whatever the distribution.

    Attributes:
        values: In no order that matters; at least one.
        unit: What they are values of.
        bounds: The lowest and the highest that the metric can be; None where there are none.
    """

    values: tuple[float, ...]
    unit: Unit = SEED
    bounds: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a distribution has at least one value, got none")

    @property
    def n(self) -> int:
        """Number of values."""
        return len(self.values)

    @cached_property
    def quartiles(self) -> tuple[float, float, float]:
        """The values below which a quarter, a half and three quarters lie."""
        low, middle, high = np.quantile(self.values, (0.25, 0.5, 0.75)).tolist()
        return low, middle, high

    @cached_property
    def median(self) -> Estimate:
        """The median, with the interval of order statistics."""
        interval = None if self._depend else orders.median_interval(self.values)
        return Estimate("median", orders.median(self.values), interval, self.n)

    @cached_property
    def iqm(self) -> Estimate:
        """The interquartile mean, with a bootstrap interval from twelve values on."""
        interval = None if self._depend else bootstrap.interquartile_interval(self.values)
        return Estimate("iqm", bootstrap.interquartile_mean(self.values), interval, self.n)

    @cached_property
    def mean(self) -> Estimate:
        """The mean: of folds with the corrected interval, of independent values within bounds with that by betting."""
        return Estimate("mean", float(np.mean(self.values)), self._mean_interval(), self.n)

    def of(self, name: Name) -> Estimate:
        """The estimate of a name."""
        found: Estimate = getattr(self, name)
        return found

    @property
    def default(self) -> Name:
        """The median; the mean where values depend on each other."""
        return "mean" if self._depend else "median"

    @property
    def _depend(self) -> bool:
        return self.unit.noun == "fold"

    def _mean_interval(self) -> Interval | None:
        # a metric that is called a share and is none has no bounds
        bounds = (
            self.bounds if self.bounds and all(self.bounds[0] <= x <= self.bounds[1] for x in self.values) else None
        )
        if self._depend:
            return _within(folds.corrected_interval(self.values, self.unit.overlap), bounds)
        return betting.mean_interval(self.values, bounds) if bounds else None


def distribution(
    values: Sequence[float], unit: Unit = SEED, bounds: tuple[float, float] | None = None
) -> Distribution | None:
    """Describe values; None without any."""
    return Distribution(tuple(values), unit, bounds) if values else None


def _within(interval: Interval | None, bounds: tuple[float, float] | None) -> Interval | None:
    if interval is None or bounds is None:
        return interval
    return Interval(max(interval.low, bounds[0]), min(interval.high, bounds[1]), interval.level)
