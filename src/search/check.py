"""Does a job of a search measure and report what the search needs, in the place where it looks?"""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from src.config.errors import ConfigError
from src.config.metrics import RECORDED
from src.search.options import SearchOptions
from src.search.space import Space

_PRUNING = "src.callbacks.pruning.Pruning"


# How a job's directory may be called that is its number, and where a run leaves its files by default.
_NUMBER = ("${hydra.job.num}", "${hydra:job.num}")
_THERE = ("${hydra:runtime.output_dir}", "${hydra.runtime.output_dir}")


def refuse_other_places(config: DictConfig) -> None:
    """Refuse directories of one's own: a search finds what a trial has measured under the trial's number.

    Args:
        config: What the command line of the search composes to, with the `hydra` node.

    Raises:
        ConfigError: If a key asks for one.
    """
    tree: Any = OmegaConf.to_container(config, resolve=False)
    asked = {
        "hydra.sweep.subdir": (tree["hydra"]["sweep"]["subdir"], _NUMBER),
        "run_dir": (tree.get("run_dir"), (None, *_THERE)),
    }
    for key, (given, allowed) in asked.items():
        if given not in allowed:
            raise ConfigError(
                f"{key}: got {given}; each trial of a search has its number as its directory, below "
                f"hydra.sweep.dir=...; leave {key} out"
            )


def refuse_searched_seed(options: SearchOptions, space: Space) -> None:
    """Refuse to search a seed that each trial is repeated with.

    Args:
        options: Options of the search.
        space: What is searched.

    Raises:
        ConfigError: If both are asked for.
    """
    if options.n_seeds > 1 and "seed" in space.searched:
        raise ConfigError(
            f"seed={space.texts['seed']}: hydra.sweeper.n_seeds={options.n_seeds} repeats each trial with so many "
            "seeds, which are not searched; give the first of them, such as seed=0, or leave n_seeds out"
        )


def check_job(cfg: DictConfig, options: SearchOptions) -> None:
    """Look at a job before any training.

    Args:
        cfg: Configuration of a job.
        options: Options of the search.

    Raises:
        ConfigError: If an objective is not measured, or trials are to be pruned and no callback asks the pruner.
    """
    if options.prunes and not any(node and node._target_ == _PRUNING for node in cfg.callbacks.values()):
        raise ConfigError(
            "hydra/sweeper/pruner: pruning needs the callback callbacks.pruning, which callbacks=default has; "
            f"add it with +callbacks.pruning._target_={_PRUNING}"
        )
    # torch and Lightning, which stay out of what composes only
    from src.build import build_data, build_task

    try:
        names = build_task(cfg, build_data(cfg).spec).metric_names()
    except Exception:  # whatever a network or data set of one's own raises on these values, its trial records
        return
    for name in options.objectives:
        if name not in names and name not in RECORDED:
            raise ConfigError(
                f"hydra.sweeper.objectives: {name} is not measured; allowed: {', '.join([*names, *RECORDED])}"
            )
