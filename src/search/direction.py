"""What a search makes of a metric's name: whether more of it is better or worse."""

from typing import Literal

from src.analysis.scale import LOWER_IS_BETTER, SHARES, words_of
from src.config.errors import ConfigError

Direction = Literal["minimize", "maximize"]

_HIGHER_IS_BETTER = SHARES | {"r2"}


def direction(metric: str) -> Direction:
    """Direction of a metric such as `val/loss` or `n_parameters`.

    A report takes an unknown metric for a score; a search that did so could spend a night on the worst.

    Raises:
        ConfigError: If the name does not tell.
    """
    words = words_of(metric)
    if words & LOWER_IS_BETTER:
        return "minimize"
    if words & _HIGHER_IS_BETTER:
        return "maximize"
    known = ", ".join(sorted(LOWER_IS_BETTER | _HIGHER_IS_BETTER))
    raise ConfigError(
        f"hydra.sweeper.objectives: whether to minimize or to maximize {metric} is not known; say it, as in "
        f"hydra.sweeper.objectives={{{metric}: maximize}} (known: {known})"
    )
