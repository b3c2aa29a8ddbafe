"""Sweeps that add seeds until their answer is clear: ``sweep.until=clear``.

All groups get a batch of seeds, what these have left is compared, and so on. A repeated command launches nothing of a
batch that has ended, so that it goes on where it was, or says again what it has come to. It never looks at fewer seeds
than a command before it has launched, so that verdict and tables are of the same runs.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from src.analysis.groups import group_jobs
from src.analysis.records import JobRecord, read_job
from src.analysis.settling import file as settling_file
from src.analysis.settling.verdict import Settled, settle
from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.sweep.jobs import Job, compose_jobs
from src.sweep.seeds_until import BATCH, Until, until_of
from src.sweep.values import expand
from src.tasks.finite import NonFiniteLossError

Launch = Callable[[Sequence[Sequence[str]], int], Any]

log = logging.getLogger(__name__)


def sweep_until_clear(config: DictConfig, launch: Launch) -> list[Any]:
    """Launch batches of seeds until the best group is clearly better than all others or equal to them.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.
        launch: Runs jobs, given as overrides; the number is that of the first.

    Returns:
        What ``launch`` has returned, batch by batch.
    """
    until, overrides = until_of(config), expand(config)
    assert until is not None
    assert overrides is not None
    sweep_dir = Path(config.hydra.sweep.dir).absolute()
    sweep_dir.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, sweep_dir / "multirun.yaml")
    n_groups = len(overrides) // until.max_seeds
    returns: list[Any] = []
    records: list[JobRecord] = []
    found: Settled | None = None
    n_before = _n_before(sweep_dir)
    n = 0
    for n_asked in sorted({*range(BATCH, until.max_seeds, BATCH), until.max_seeds} | ({n_before} - {0})):
        first, end = n * n_groups, n_asked * n_groups
        n = n_asked
        jobs = list(compose_jobs(config, overrides[first:end], range(first, end)))
        if n_asked > n_before:
            settling_file.write(sweep_dir, n_asked=n_asked, max_seeds=until.max_seeds, found=found)
        if not all(map(_has_completed, jobs)):
            returns.append(launch(overrides[first:end], first))
        records += [read_job(job.run_dir, sweep_dir) for job in jobs]
        if n_asked < n_before:
            continue
        found, stopped = look(records, until, n_seeds=n_asked)
        state = settling_file.write(sweep_dir, n_asked=n_asked, max_seeds=until.max_seeds, found=found, stopped=stopped)
        # how it ends stands below the sweep's tables
        if state.is_over:
            break
        log.info("%d seeds: %s", n_asked, "; ".join(found.sentences[:3]) or stopped)
    return returns


def look(records: Sequence[JobRecord], until: Until, *, n_seeds: int) -> tuple[Settled, str | None]:
    """Compare the groups by what their runs have left.

    Args:
        records: Of all runs so far.
        until: What was asked for.
        n_seeds: Seeds that they were launched for.

    Returns:
        The comparison, and why more seeds would not help; None where they may.
    """
    values: dict[str, dict[int, float]] = {}
    for group in group_jobs(records):
        own = ((job.seed, _value(job, until.metric)) for job in group.jobs)
        values[group.label] = {seed: value for seed, value in own if seed is not None and value is not None}
    empty = [label for label, each in values.items() if not each]
    found = settle(
        values, metric=until.metric, lower_is_better=until.lower_is_better, margin=until.margin, n_seeds=n_seeds
    )
    if len(values) - len(empty) < 2 or empty:
        return found, f"no run of {', '.join(empty) or 'a second group'} has come to a number of {until.metric}"
    return found, None


def refuse_fewer_seeds(config: DictConfig) -> None:
    """Refuse fewer seeds than a sweep has launched: its tables would be of others than its verdict.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.

    Raises:
        ConfigError: If ``sweep.max_seeds`` is less than that.
    """
    until, n_before = until_of(config), _n_before(Path(config.hydra.sweep.dir))
    if until is not None and until.max_seeds < n_before:
        raise ConfigError(
            f"sweep.max_seeds={until.max_seeds}: {n_before} seeds have been launched in hydra.sweep.dir="
            f"{config.hydra.sweep.dir}, and its answer is that of all of them; give sweep.max_seeds={n_before} or "
            "more, or another directory"
        )


def is_over(config: DictConfig) -> bool:
    """Whether the directory of a sweep that adds seeds says that it needs no more."""
    until, record = until_of(config), settling_file.read(Path(config.hydra.sweep.dir))
    return until is not None and record is not None and (record.is_clear or record.n_asked >= until.max_seeds)


def n_asked(config: DictConfig, n_jobs: int) -> int:
    """How many of all jobs that there may be a sweep has launched so far."""
    until, record = until_of(config), settling_file.read(Path(config.hydra.sweep.dir))
    if until is None:
        return n_jobs
    return 0 if record is None else n_jobs // until.max_seeds * min(record.n_asked, until.max_seeds)


def _n_before(sweep_dir: Path) -> int:
    """How many seeds the commands so far have launched jobs for."""
    record = settling_file.read(sweep_dir)
    return 0 if record is None else record.n_asked


def _value(job: JobRecord, metric: str) -> float | None:
    """What a run has come to: not a number where it has diverged, None where it has not ended or was broken."""
    if job.status == "completed":
        return job.metrics.get(metric, float("nan") if metric in job.lost_metrics else None)
    return float("nan") if job.error_type == NonFiniteLossError.__name__ else None


def _has_completed(job: Job) -> bool:
    try:
        return RunDir(job.run_dir).look(job.asked) == "completed"
    except ConfigError:
        # told by the job itself
        return False
