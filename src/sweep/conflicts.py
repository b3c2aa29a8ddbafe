"""Jobs of a sweep that would write to one directory, or to that of another run: refused before anything is touched."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from src.config.compose import given_overrides
from src.config.errors import ConfigError
from src.run.directory import OtherRunError, RunDir
from src.sweep.jobs import Job, compose_jobs, expand


def refuse_shared_directories(config: DictConfig) -> None:
    """Refuse jobs that would write to one directory.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.

    Raises:
        ConfigError: If two of them would; names both.
    """
    sweep: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    named = any(line.startswith("run_dir=") for line in given_overrides(config.hydra))
    jobs = expand(config)
    if jobs is None or ("hydra.job.num" in str(sweep["subdir"]) and not named):
        # a search numbers its directories itself
        return
    first: dict[Path, Job] = {}
    for job in compose_jobs(config, jobs):
        other = first.setdefault(job.run_dir, job)
        if other is not job:
            raise ConfigError(
                f"jobs {other.number} ({' '.join(other.overrides)}) and {job.number} ({' '.join(job.overrides)}) would "
                f"both write to {job.run_dir}; hydra.sweep.subdir={sweep['subdir']} must tell them apart"
            )


def refuse_other_runs(config: DictConfig) -> None:
    """Refuse a sweep directory whose jobs had other settings.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.

    Raises:
        ConfigError: If one had; names the keys of the first, and counts the others.
    """
    jobs, sweep_dir = expand(config), Path(config.hydra.sweep.dir)
    if jobs is None or not sweep_dir.is_dir():
        return
    refused = [reason for job in compose_jobs(config, jobs) if (reason := _reason(job))]
    if refused:
        more = f"\n... and {len(refused) - 1} more jobs of {sweep_dir}" if len(refused) > 1 else ""
        raise ConfigError(f"{refused[0]}{more}")


def _reason(job: Job) -> str | None:
    try:
        RunDir(job.run_dir).look(job.cfg)
    except OtherRunError as error:
        return str(error)
    except ConfigError:
        # a directory that cannot be read is its job's own trouble
        return None
    return None
