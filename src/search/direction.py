"""What a search makes of a metric's name: whether more of it is better or worse."""

from typing import Literal

from src.config.errors import ConfigError
from src.config.metrics import HIGHER_IS_BETTER, LOWER_IS_BETTER, better

Direction = Literal["minimize", "maximize"]


def direction(metric: str) -> Direction:
    """Direction of a metric such as `val/loss` or `n_parameters`.

    Raises:
        ConfigError: If the name does not tell.
    """
    told = better(metric)
    if told is not None:
        return "minimize" if told == "min" else "maximize"
    known = ", ".join(sorted(LOWER_IS_BETTER | HIGHER_IS_BETTER))
    raise ConfigError(
        f"hydra.sweeper.objectives: whether to minimize or to maximize {metric} is not known; say it, as in "
        f"hydra.sweeper.objectives={{{metric}: maximize}} (known: {known})"
    )
