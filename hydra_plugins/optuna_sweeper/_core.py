"""From Hydra's objects to `src.search`. The underscore keeps Hydra from importing this at every start."""

import functools
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn
from omegaconf import DictConfig, OmegaConf

from src.config.errors import ConfigError
from src.config.keys import flatten
from src.launch.resources import jobs_at_once, n_cores, visible_gpus

if TYPE_CHECKING:
    from hydra_plugins.optuna_sweeper.optuna_sweeper import OptunaSweeper


def sweep(sweeper: "OptunaSweeper", arguments: Sequence[str]) -> list[Sequence[JobReturn]]:
    """Run a search with the launcher that Hydra has been asked for."""
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError("hydra/sweeper=optuna needs the package optuna: pip install -e .[sweeps]")
    from src.console.place import count, counting
    from src.search.check import check_job, refuse_other_places, refuse_searched_seed
    from src.search.findings import report
    from src.search.options import SearchOptions
    from src.search.search import search
    from src.search.space import read_space
    from src.sweep.guard import guarded

    config, context, launcher = sweeper.config, sweeper.hydra_context, sweeper.launcher
    assert config is not None
    assert context is not None
    assert launcher is not None
    refuse_other_places(config)
    # not `resolve`, which raises where links lead in a circle
    sweep_dir = Path(os.path.realpath(config.hydra.sweep.dir))
    options = SearchOptions.of(
        sweeper.options,
        optimized_metric=config.optimized_metric,
        sweep_dir=sweep_dir,
        n_parallel=_n_parallel(config.hydra.launcher),
        # one that is no seed is refused with the values of the first job
        seed=config.seed if type(config.seed) is int else 0,
    )
    space = read_space(options.params, arguments, context.config_loader)
    refuse_searched_seed(options, space)
    settings = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])

    def compose(overrides: Sequence[str]) -> DictConfig:
        return context.config_loader.load_sweep_config(config, list(overrides))

    @functools.cache
    def keep_command() -> None:
        OmegaConf.save(config, sweep_dir / "multirun.yaml")

    def launch(batch: Sequence[Sequence[str]], first: int) -> Sequence[JobReturn]:
        # not before: a search that is refused leaves the record of the one that is there
        keep_command()
        return launcher.launch(batch, initial_job_idx=first)

    def check(cfg: DictConfig) -> None:
        check_job(cfg, options)

    with guarded(config, check=check), counting():
        count(options.n_trials * options.n_seeds)
        return search(
            options,
            space,
            sweep_dir=sweep_dir,
            settings=flatten(settings),
            compose=compose,
            launch=launch,
            check=check,
            report=report,
        )


def _n_parallel(launcher: DictConfig) -> int:
    """How many jobs a launcher runs at once, where it tells."""
    if "n_jobs" not in launcher:
        return 1
    return jobs_at_once(launcher.n_jobs, cores=n_cores(), gpus=visible_gpus())
