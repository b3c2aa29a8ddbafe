"""Whether more of a metric is better or worse, by its name."""

from typing import Literal

from src.errors import ConfigError

Direction = Literal["minimize", "maximize"]

_DIRECTIONS: dict[str, Direction] = {
    "loss": "minimize",
    "mae": "minimize",
    "mse": "minimize",
    "n_parameters": "minimize",
    "duration_s": "minimize",
    "accuracy": "maximize",
    "precision": "maximize",
    "recall": "maximize",
    "f1": "maximize",
    "r2": "maximize",
}


def direction(metric: str) -> Direction:
    """Direction of a metric such as `val/loss` or `n_parameters`.

    Raises:
        ConfigError: If the name does not tell.
    """
    name = metric.rpartition("/")[2]
    if name not in _DIRECTIONS:
        raise ConfigError(
            f"hydra.sweeper.objectives: whether to minimize or to maximize {metric} is not known; say it, as in "
            f"hydra.sweeper.objectives={{{metric}: maximize}} (known: {', '.join(_DIRECTIONS)})"
        )
    return _DIRECTIONS[name]
