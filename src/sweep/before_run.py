"""What happens before Hydra makes a directory: so a start that is refused leaves none."""

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from src.compat.hydra import hydra_part
from src.config.command.entry import RefusedError
from src.config.command.explain import Source
from src.config.command.paths import in_quotes
from src.config.compose import CONF_DIR, given_overrides, hydra_overrides, set_run_dir
from src.config.errors import ConfigError
from src.config.schema import check_hydra
from src.launch.ranks import be_alone, check_processes
from src.run.directory import RunDir, beside
from src.sweep.jobs import Job
from src.sweep.seeds_until import refuse_until

# Those that run their jobs inside `src.sweep.guard.guarded`.
GUARDED_SWEEPERS = (
    "hydra_plugins.grid_sweeper.grid_sweeper.GridSweeper",
    "hydra_plugins.optuna_sweeper.optuna_sweeper.OptunaSweeper",
)


class BeforeRun(Callback):
    """Refuses what cannot run, and does a dry run.

    Hydra makes it from conf/hydra/default.yaml; sweeps are looked at by `src.sweep.guard`.
    """

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Check the configuration.

        Raises:
            RefusedError: If something is wrong with it.
            SystemExit: After a dry run.
        """
        try:
            _with_home(config, "run")
            _put_beside(config)
            job = _job(config)
            source, hydra_cfg = Source(config.hydra.job.config_name, CONF_DIR), config.hydra
            _check_hydra(config, is_sweep=False)
            refuse_until(job.cfg, "add -m, and give a key several values; or leave it out")
            source.check(job.cfg, choices=hydra_cfg.runtime.choices, overrides=job.overrides)
            be_alone(job.cfg)
            check_processes(job.cfg, hydra_cfg)
        except Exception as error:
            raise RefusedError(error) from error
        if job.cfg.sweep.dry_run:
            from src.sweep.dry_run import dry_run  # and with it torch

            raise SystemExit(dry_run([job]))

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse wrong values, and a sweeper that guards no sweep: it would end well whatever its jobs come to.

        Raises:
            RefusedError: If a value is wrong, or it is none of ours.
        """
        try:
            _with_home(config, "sweep")
            if config.get("reproduce") is not None:
                raise ConfigError("reproduce=DIR runs one run again; leave out -m, and give the directory of a job")
            _check_hydra(config, is_sweep=True)
            _check_guarded(config)
        except Exception as error:
            raise RefusedError(error) from error


def _with_home(config: DictConfig, place: str) -> None:
    """Let ``~`` be the home directory in files too; on a command line it is by now (`src.config.command.paths`)."""
    node: Any = OmegaConf.to_container(config.hydra[place], resolve=False)
    given = str(node["dir"])
    if given.startswith("~"):
        meant = str(Path(given).expanduser())
        with open_dict(config), read_write(config):
            config.hydra[place].dir = meant
            # what the jobs of a sweep are composed from
            config.hydra.overrides.hydra.append(f"hydra.{place}.dir={in_quotes(meant)}")


def _put_beside(config: DictConfig) -> None:
    """Choose the directory of a run that is run again, where the command line does not.

    Raises:
        ConfigError: If the command line says more, as the configuration is the stored one, or there is no run.
    """
    source = config.get("reproduce")
    # one that is no path is refused by the check of all values
    if not isinstance(source, str) or not source.strip():
        return
    if more := [line for line in given_overrides(config.hydra) if not line.startswith("reproduce=")]:
        raise ConfigError(f"reproduce={source} runs what is stored there; leave out {' '.join(more)}")
    given = Path(source).expanduser()
    # before a directory is made for it
    RunDir(given).refuse_no_run("reproduce")
    if not any(line.startswith("hydra.run.dir=") for line in hydra_overrides(config.hydra)):
        with open_dict(config), read_write(config):
            config.hydra.run.dir = str(beside(given))


def _check_guarded(config: DictConfig) -> None:
    target = str(config.hydra.sweeper._target_)
    if target not in GUARDED_SWEEPERS:
        chosen = config.hydra.runtime.choices.get("hydra/sweeper") or target
        raise ConfigError(
            f"hydra/sweeper={chosen}: its sweeps end with status 0 even where jobs have failed; "
            "use hydra/sweeper=grid for all combinations, or hydra/sweeper=optuna for a search"
        )


def _check_hydra(config: DictConfig, *, is_sweep: bool) -> None:
    given = config.hydra.overrides
    overrides = [str(line) for lines in (given.hydra, given.task) for line in OmegaConf.to_container(lines) or []]
    check_hydra(config, is_sweep=is_sweep, overrides=overrides, conf_dir=CONF_DIR)


def _job(config: DictConfig) -> Job:
    cfg = config.copy()
    hydra_cfg = hydra_part(config)
    with open_dict(cfg):
        del cfg["hydra"]
        set_run_dir(cfg, Path(hydra_cfg.hydra.run.dir))
    return Job.of(0, tuple(given_overrides(hydra_cfg.hydra)), cfg, hydra_cfg)
