"""What the name of a metric tells: which end of it is the better one; and how its values are written."""

import logging
import re
from typing import Literal

from src.config.errors import ConfigError

log = logging.getLogger(__name__)

Mode = Literal["min", "max"]

# Names that the tasks in src/tasks give, and relatives; every other metric is better the higher it is.
LOWER_IS_BETTER = frozenset({"loss", "mae", "mse", "rmse", "error", "ece", "brier", "parameters", "duration"})
HIGHER_IS_BETTER = frozenset({"accuracy", "acc", "precision", "recall", "f1", "r2"})
SHARES = (HIGHER_IS_BETTER - {"r2"}) | {"chance"}

# Fields of a run's result that may be objectives of a search, beside its metrics.
N_PARAMETERS = "n_parameters"
RECORDED = (N_PARAMETERS, "duration_s")


# What Lightning makes of a name where there are several loaders.
_ONE_OF_MANY = re.compile(r"(.+)/(dataloader_idx_\d+)")


def split_of(metric: str) -> tuple[str, str]:
    """Split and name of a metric: of ``val/loss`` as of ``val_loss``; no split of a name without one."""
    if several := re.fullmatch(_ONE_OF_MANY, metric):
        split, name = split_of(several[1])
        return split, f"{name}/{several[2]}"
    found = re.fullmatch(r"(train|val|test)_(.+)", metric)
    if "/" not in metric and found:
        return found[1], found[2]
    split, _, name = metric.rpartition("/")
    return split, name


def words_of(metric: str) -> set[str]:
    """Words of a metric's name, without its split."""
    several = re.fullmatch(_ONE_OF_MANY, metric)
    return set(re.split(r"\W|_", (several[1] if several else metric).rpartition("/")[2].lower()))


def better(metric: str) -> Mode | None:
    """Which end of a metric is the better one, `min` or `max`, as its name tells; None where it does not.

    A report takes an unknown metric for a score. What keeps weights or ends a training by it may not: it would keep the
    worst without a word.
    """
    words = words_of(metric)
    if words & LOWER_IS_BETTER:
        return "min"
    return "max" if words & HIGHER_IS_BETTER else None


def mode_of(metric: str, mode: str | None, *, key: str, warns: bool = False) -> str:
    """The end of a metric that a callback takes for the better one.

    Args:
        metric: What the callback monitors.
        mode: `min` or `max`, as it was given; None for what the name tells.
        key: Key of the callback in the configuration.
        warns: Whether the log gets a warning where the name tells the other end than ``mode``.

    Raises:
        ConfigError: If nothing tells.
    """
    told = better(metric)
    if mode is None:
        if told is None:
            known = ", ".join(sorted(LOWER_IS_BETTER | HIGHER_IS_BETTER))
            raise ConfigError(
                f"{key}.mode: got null; allowed: min or max, since the name of {key}.monitor={metric} does not tell "
                f"which is better (known: {known})"
            )
        return told
    if warns and told not in (None, mode):
        log.warning(
            "%s.mode=%s takes the worse end of %s for the better one; %s.mode=null is %s", key, mode, metric, key, told
        )
    return mode


def number(value: float) -> str:
    """A metric's value: four decimals, as long as these are digits of it and tell it from 0 and 1.

    Smaller numbers than 0.01, and those of a diverging run, which would need too many columns, have four digits.
    """
    if not value:
        return "0.0000"
    if 0.99 < value < 1:
        return share(value, decimals=4, of=1)
    return f"{value:.4f}" if 0.01 <= abs(value) < 1e6 else f"{value:.4g}"


def objective(name: str, value: float) -> str:
    """What a search looks at: a metric, or a count such as ``n_parameters``."""
    return f"{value:.0f}" if "/" not in name and float(value).is_integer() else number(value)


def with_marks(text: str) -> str:
    """A text with marks for thousands in its whole numbers: ``best, epoch 19,200``."""
    return re.sub(r"\d{4,}", lambda found: f"{int(found[0]):,}", text)


def share(value: float, *, decimals: int = 1, of: int = 100) -> str:
    """A share, in per cent or of another whole; with more decimals where it would be taken for nothing or for all.

    Args:
        value: The share of 1.
        decimals: How many there are else.
        of: The whole.
    """
    # nearer than that is what single precision leaves of 0 and 1
    is_between = 1e-6 < abs(value) < 1 - 1e-6
    while True:
        text = f"{value * of:.{decimals}f}"
        if not is_between or abs(float(text)) not in (0, of):
            return text
        decimals += 1
