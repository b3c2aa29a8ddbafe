"""Are the objectives of a search measured by its jobs?"""

from collections.abc import Iterable

from hydra.utils import instantiate
from omegaconf import DictConfig

from src.errors import ConfigError

# What result.json holds beside the metrics.
_RECORDED = ("n_parameters", "duration_s")


def check_objectives(objectives: Iterable[str], cfg: DictConfig) -> None:
    """Look before any training whether a job measures what the search is to optimise.

    Args:
        objectives: Names, such as `test/accuracy` or `n_parameters`.
        cfg: Configuration of a job.

    Raises:
        ConfigError: If one is not measured.
    """
    # torch and Lightning, which a repeated search that is complete does without
    from src.build import build_task

    try:
        names = build_task(cfg, instantiate(cfg.data).spec).metric_names()
    # values that do not go together: this trial fails, and tells why; another one may not
    except Exception:
        return
    for name in objectives:
        if name not in names and name not in _RECORDED:
            raise ConfigError(
                f"hydra.sweeper.objectives: {name} is not measured; allowed: {', '.join([*names, *_RECORDED])}"
            )
