"""Jobs of a sweep that would write to one directory, or to that of another run: refused before anything is touched."""

import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from src.config.compose import given_overrides
from src.config.errors import ConfigError
from src.run.directory import OtherRunError, RunDir, UnknownRunError
from src.sweep.jobs import Job, compose_jobs
from src.sweep.values import expand


def refuse_shared_directories(config: DictConfig) -> None:
    """Refuse jobs that would write to one directory, or outside that of the sweep, where nobody would look for them.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.

    Raises:
        ConfigError: If two of them would, names both; or if one would leave the sweep's directory.
    """
    sweep: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    subdir = str(sweep["subdir"])
    named = next((line for line in given_overrides(config.hydra) if line.startswith("run_dir=")), None)
    is_below = ".." not in subdir and not Path(subdir).is_absolute()
    jobs = expand(config)
    if jobs is None or ("hydra.job.num" in subdir and is_below and named is None):
        # a search numbers its directories itself
        return
    sweep_dir = Path(os.path.realpath(config.hydra.sweep.dir))
    decides = named or f"hydra.sweep.subdir={subdir}"
    first: dict[Path, Job] = {}
    for job in compose_jobs(config, jobs):
        place = Path(os.path.realpath(job.run_dir))
        other = first.setdefault(place, job)
        if other is not job:
            raise ConfigError(
                f"jobs {other.number} ({' '.join(other.overrides)}) and {job.number} ({' '.join(job.overrides)}) would "
                f"both write to {job.run_dir}; {decides} must tell them apart"
            )
        if sweep_dir not in place.parents:
            raise ConfigError(
                f"{decides}: job {job.number} would write to {job.run_dir}; allowed: a directory below "
                f"hydra.sweep.dir={config.hydra.sweep.dir}, where the sweep's summary looks for it. To choose where a "
                "sweep leaves its jobs give hydra.sweep.dir=DIR, and leave run_dir out"
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
        RunDir(job.run_dir).look(job.asked, texts=job.texts)
    except UnknownRunError:
        # as one that cannot be read: its job refuses it
        return None
    except OtherRunError as error:
        return str(error)
    except ConfigError:
        # a directory that cannot be read is its job's own trouble
        return None
    return None
