"""An interval and its level."""

from typing import NamedTuple

LEVEL = 0.95


class Interval(NamedTuple):
    """Ends of an interval, and how sure it is.

    Attributes:
        low: Lower end.
        high: Upper end.
        level: Share of such intervals that hold the truth, at least; `LEVEL` or, where that cannot be reached, less.
    """

    low: float
    high: float
    level: float = LEVEL

    @property
    def is_sure(self) -> bool:
        """Whether its level is the one that is asked for."""
        return self.level >= LEVEL
