"""What happens before the first job of a sweep and after its last one, whatever launches them.

Hydra tells a callback when a multirun starts. It does not tell when one ends by an exception, so the entry point calls
`end_of_sweep` itself, however it ends. Exceptions of a callback are swallowed by Hydra, `SystemExit` is not.
"""

import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from src.config.compose import CONF_DIR
from src.config.errors import ConfigError
from src.config.explain import Source
from src.run.directory import OtherRunError, RunDir
from src.run.lock import held
from src.sweep.jobs import Job, compose_jobs, expand, first_values

log = logging.getLogger(__name__)

# The sweep that this process runs, once jobs may start: its directory, and what holds it.
_running: list[tuple[Path, ExitStack]] = []


class SweepWatch(Callback):
    """Refuses what cannot go on, does a dry run, and remembers which sweep is running."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """A dry run of a single job."""
        if _wants_dry_run(config):
            _exit_after(config, lambda: _dry_run([_single(config)]))

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Look at the jobs before the first one starts."""
        sweep_dir = Path(config.hydra.sweep.dir)
        _exit_after(config, lambda: _refuse_shared(config), unless_0=True)
        if _wants_dry_run(config):
            _exit_after(config, lambda: _dry_run(_jobs(config)))
        holder = ExitStack()
        _exit_after(config, lambda: _refuse_other(config, sweep_dir), unless_0=True)
        _exit_after(config, lambda: _hold(sweep_dir, holder), unless_0=True)
        _running.append((sweep_dir.absolute(), holder))
        log.info("sweep directory: %s", sweep_dir)


def end_of_sweep(error: BaseException | None) -> int:
    """Show what the sweep of this process has come to.

    Args:
        error: What ended it, if not its last job.

    Returns:
        Exit status: 1 if a job has not come to a good end, else 0, also where there was no sweep.
    """
    if not _running:
        return 0
    sweep_dir, holder = _running.pop()
    with holder:
        if type(error) is ConfigError or not any(sweep_dir.glob("**/.hydra")):
            # it ended before its first job
            return 0
        from src.analysis.finish import finish_sweep

        is_complete = finish_sweep(sweep_dir).is_complete and error is None
    if not is_complete:
        log.warning("The same command with hydra.sweep.dir=%s goes on: jobs that completed are kept", sweep_dir)
    return 0 if is_complete else 1


def _hold(sweep_dir: Path, holder: ExitStack) -> int:
    holder.enter_context(held(sweep_dir, key="hydra.sweep.dir"))
    return 0


def _wants_dry_run(config: DictConfig) -> bool:
    # a typo is told by the job's own check
    return OmegaConf.select(config, "sweep.dry_run") is True


def _jobs(config: DictConfig) -> Iterable[Job]:
    """All jobs; of a search, which decides as it goes, one with the first value of everything."""
    jobs = expand(config)
    return compose_jobs(config, [first_values(config)] if jobs is None else jobs)


def _single(config: DictConfig) -> Job:
    cfg = config.copy()
    with open_dict(cfg):
        hydra_cfg = OmegaConf.create({"hydra": cfg.pop("hydra")})
        cfg.run_dir = str(Path(hydra_cfg.hydra.run.dir).absolute())
    return Job(0, tuple(config.hydra.overrides.task), cfg, hydra_cfg)


def _dry_run(jobs: Iterable[Job]) -> int:
    # the building parts load torch
    from src.sweep.dry_run import dry_run

    return dry_run(jobs)


def _refuse_shared(config: DictConfig) -> int:
    """Refuse jobs that would write to one directory."""
    sweep: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    named = any(str(line).startswith("run_dir=") for line in config.hydra.overrides.task)
    jobs = expand(config)
    if jobs is None or ("hydra.job.num" in str(sweep["subdir"]) and not named):
        # a search numbers its directories itself
        return 0
    first: dict[Path, Job] = {}
    for job in compose_jobs(config, jobs):
        other = first.setdefault(job.run_dir, job)
        if other is not job:
            raise ConfigError(
                f"jobs {other.number} ({' '.join(other.overrides)}) and {job.number} ({' '.join(job.overrides)}) would "
                f"both write to {job.run_dir}; hydra.sweep.subdir={sweep['subdir']} must tell them apart"
            )
    return 0


def _refuse_other(config: DictConfig, sweep_dir: Path) -> int:
    """Refuse a directory whose jobs had other settings, before anything in it is touched."""
    jobs = expand(config)
    if jobs is None or not sweep_dir.is_dir():
        return 0
    refused = [reason for job in compose_jobs(config, jobs) if (reason := _reason(job))]
    if not refused:
        return 0
    more = f"\n... and {len(refused) - 1} more jobs of {sweep_dir}" if len(refused) > 1 else ""
    raise ConfigError(f"{refused[0]}{more}")


def _reason(job: Job) -> str | None:
    try:
        RunDir(job.run_dir).look(job.cfg)
    except OtherRunError as error:
        return str(error)
    return None


def _exit_after(config: DictConfig, action: Callable[[], int], *, unless_0: bool = False) -> None:
    """End the process with what the action returns, or with what it raises."""
    overrides: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    try:
        status = action()
    except Exception as error:  # Hydra would swallow it, and train
        message = Source(config.hydra.job.config_name, CONF_DIR).explain(error, overrides)
        sys.stderr.write(f"{message or traceback.format_exc()}\n")
        status = 1
    if status or not unless_0:
        raise SystemExit(status)
