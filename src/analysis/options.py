"""What a report is asked for beside its metric: which estimate it shows, what has failed, what does not matter."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from src.analysis.failed import Criterion
from src.analysis.records import JobRecord
from src.analysis.stats.estimates import NAMES, Name
from src.config.errors import ConfigError, suggest

# A point of a share is what nobody would change a network for.
_MARGIN_OF_SHARES = 0.01

_KEYS = ("estimate", "failed", "margin")


@dataclass(frozen=True)
class Options:
    """How groups are described and compared.

    Attributes:
        estimate: Stands in sentences and tables, and ranks; None for what suits the values (median, of folds mean).
        failed: Which runs have failed; None for those that are no better than chance.
        margin: Differences of a metric that do not matter; a number is that of the metric that ranks. None for a point
            of a share, and for nothing of other metrics.
    """

    estimate: Name | None = None
    failed: Criterion | None = None
    margin: float | Mapping[str, float] | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Options":
        """Check what stands under ``report`` in the configuration.

        Raises:
            ConfigError: If a value is none that is allowed, or a key is unknown.
        """
        for key in given:
            if key not in _KEYS:
                raise ConfigError(f"report.{key}: unknown key; {suggest(key, _KEYS, prefix='report.')}")
        estimate, failed, margin = (given.get(key) for key in ("estimate", "failed", "margin"))
        if estimate is not None and estimate not in NAMES:
            raise ConfigError(
                f"report.estimate={estimate}: {_allowed(str(estimate))}, or null for the median (of folds the mean)"
            )
        if failed is not None and not isinstance(failed, str):
            raise ConfigError(f"report.failed={failed}: allowed: a condition such as test/accuracy<0.9, or null")
        return cls(estimate, None if failed is None else Criterion.parse(failed), _margin(margin))

    def with_margin_of(self, jobs: Sequence[JobRecord]) -> "Options":
        """With the margin that the sweep of these jobs was given, where none is asked for here."""
        found = {job.leaves.get("sweep.margin") for job in jobs}
        known = found.pop() if len(found) == 1 else None
        return self if self.margin is not None or not isinstance(known, int | float) else replace(self, margin=known)

    def check_margins(self, metrics: Collection[str]) -> None:
        """Look for names that are no metric.

        Args:
            metrics: Those that there are; empty while nobody knows.

        Raises:
            ConfigError: If a margin is given for another one.
        """
        for name in self.margin if isinstance(self.margin, Mapping) and metrics else ():
            if name not in metrics:
                raise ConfigError(f"report.margin.{name}: no job has this metric; {suggest(name, list(metrics))}")

    def margin_of(self, metric: str, *, ranks: bool, is_share: bool) -> float | None:
        """Differences of a metric that do not matter; None if there are none.

        Args:
            metric: Its name.
            ranks: Whether it is the one that ranks.
            is_share: Whether it is a share of 1.
        """
        own = _MARGIN_OF_SHARES if is_share else None
        if isinstance(self.margin, Mapping):
            return self.margin.get(metric, own)
        return self.margin if ranks and self.margin is not None else own


DEFAULTS = Options()


def _allowed(given: str) -> str:
    hint = suggest(given, list(NAMES))
    return hint if hint.startswith("allowed") else f"{hint} Allowed: {', '.join(NAMES)}"


def _margin(given: Any) -> float | Mapping[str, float] | None:
    if isinstance(given, Mapping):
        return {str(metric): _number(f"report.margin.{metric}", value) for metric, value in given.items()}
    return None if given is None else _number("report.margin", given)


def _number(key: str, given: Any) -> float:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not 0 <= given < float("inf"):
        raise ConfigError(
            f"{key}={given}: allowed: a number from 0 on, of a share 0.01 for one point; or a number for each metric, "
            "such as {test/accuracy: 0.01}"
        )
    return float(given)
