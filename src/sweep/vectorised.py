"""A sweep whose jobs train together: planned, cut into shards, and trained here or by an engine of another launcher."""

import itertools
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from src.config import CONF_DIR, ConfigError, check
from src.console import terminal
from src.launch.job import Job as Handed
from src.launch.job import Sweep
from src.run import OtherRunError
from src.sweep.ensemble import Options, train_bucket
from src.sweep.jobs import Job, compose_jobs
from src.sweep.plan import Bucket, plan
from src.sweep.record import Outcome

if TYPE_CHECKING:
    from hydra_plugins.vmap_launcher.vmap_launcher import VmapLauncher

log = logging.getLogger(__name__)

LOCAL = "local"


def launch(launcher: "VmapLauncher", job_overrides: Sequence[Sequence[str]], *, first: int) -> list[JobReturn]:
    """Train the jobs of a sweep, and tell how each ended, in their order.

    Args:
        launcher: Settings, and what Hydra has handed over.
        job_overrides: Command line of each job.
        first: Number of the first.

    Raises:
        ConfigError: If a setting of the launcher is out of range.
    """
    _check_settings(launcher)
    setup_globals()
    configure_log(launcher.config.hydra.hydra_logging, launcher.config.hydra.verbose)
    sweep = Sweep(launcher.hydra_context, launcher.task_function, launcher.config)
    Path(launcher.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
    log.info("Planning %d jobs, sweep output dir: %s", len(job_overrides), launcher.config.hydra.sweep.dir)
    jobs = list(compose_jobs(launcher.config, job_overrides, itertools.count(first)))
    mistakes = {job.number: reason for job in jobs if (reason := _mistake(job))}
    planned = plan(job for job in jobs if job.number not in mistakes)
    for bucket in planned.buckets:
        log.info("%s", bucket.why)
    alone = [*((job, mistakes[job.number]) for job in jobs if job.number in mistakes), *planned.alone]
    for reason, numbers in _by_reason(alone).items():
        log.info("trained one by one, job %s: %s", _short(numbers), reason)
    returns = _train(launcher, sweep, planned.buckets) | _run(launcher, sweep, [job for job, _ in alone])
    return [returns[job.number] for job in jobs]


def _by_reason(alone: Iterable[tuple[Job, str]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for job, reason in alone:
        found.setdefault(reason, []).append(job.number)
    return found


def _short(numbers: Sequence[int], *, most: int = 10) -> str:
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return ", ".join(map(str, numbers[:most])) + more


def _check_settings(launcher: "VmapLauncher") -> None:
    known = [LOCAL, *launcher.engines]
    if launcher.executor not in known:
        raise ConfigError(f"hydra.launcher.executor: got {launcher.executor}; allowed: {', '.join(known)}")
    for key in ("shard", "memory_gb", "cohort"):
        value = getattr(launcher, key)
        if value is not None and not value > 0:
            raise ConfigError(f"hydra.launcher.{key}: got {value}; allowed: a number greater than 0")


def _mistake(job: Job) -> str | None:
    """What its configuration has wrong; by itself such a job fails with the same words."""
    choices = job.hydra_cfg.hydra.runtime.choices
    try:
        check(job.cfg, choices=choices, overrides=job.overrides, conf_dir=CONF_DIR)
    except ConfigError as error:
        return str(error).splitlines()[0]
    return None


def _run(launcher: "VmapLauncher", sweep: Sweep, jobs: Sequence[Job]) -> dict[int, JobReturn]:
    """Jobs that train by themselves."""
    handed = [Handed(job.number, job.overrides) for job in jobs]
    if launcher.executor == LOCAL:
        returns = []
        for job in handed:
            returns.append(sweep.run(job, job_id=str(job.num)))
            configure_log(launcher.config.hydra.hydra_logging, launcher.config.hydra.verbose)
    else:
        returns = _engine(launcher).run(sweep, handed)
    return {job.num: ended for job, ended in zip(handed, returns, strict=True)}


def _train(launcher: "VmapLauncher", sweep: Sweep, buckets: Sequence[Bucket]) -> dict[int, JobReturn]:
    """Jobs that train together."""
    options = Options(memory_gb=launcher.memory_gb, cohort=launcher.cohort, tensorboard=launcher.tensorboard)
    if launcher.executor == LOCAL:
        outcomes: list[Outcome] = []
        with _progress(buckets) as advance:
            for bucket in buckets:
                outcomes += train_bucket(bucket.jobs, options, advance=advance(bucket))
        return {outcome.job.number: _told(outcome) for outcome in outcomes}
    cut = [shard for bucket in buckets for shard in shards(bucket.jobs, launcher.shard)]
    if not cut:
        return {}
    log.info("%d shards of at most %d models go to %s", len(cut), launcher.shard, launcher.executor)
    content = {number: tuple((job.number, job.overrides) for job in shard) for number, shard in enumerate(cut)}
    handed = [Handed(number, (f"jobs {shard[0].number} to {shard[-1].number}",)) for number, shard in enumerate(cut)]
    together = Shards(sweep.hydra_context, sweep.task_function, sweep.config, shards=content, options=options)
    returns: dict[int, JobReturn] = {}
    for shard, ended in zip(cut, _engine(launcher).run(together, handed), strict=True):
        told = ended.return_value if ended.status == JobStatus.COMPLETED else [ended] * len(shard)
        returns |= {job.number: each for job, each in zip(shard, told, strict=True)}
    return returns


def shards(jobs: Sequence[Job], size: int) -> list[Sequence[Job]]:
    """Jobs in as few parts of at most ``size`` as there can be, of nearly the same length."""
    n = -(-len(jobs) // size)
    return [jobs[i * len(jobs) // n : (i + 1) * len(jobs) // n] for i in range(n)]


@dataclass(frozen=True)
class Shards(Sweep):
    """A sweep whose jobs, in the eyes of an engine, are shards.

    Attributes:
        shards: Number and command line of each model, by the number of the shard.
        options: How they are trained.
    """

    shards: Mapping[int, tuple[tuple[int, tuple[str, ...]], ...]] = field(default_factory=dict)
    options: Options = field(default_factory=Options)

    def run(self, job: Handed, *, job_id: str) -> JobReturn:  # noqa: ARG002 - the shard has no name of its own
        """Train a shard here; the value is what each of its models would have told by itself."""
        os.chdir(self.cwd)
        setup_globals()
        Singleton.set_state(dict(self.singletons))
        numbers, overrides = zip(*self.shards[job.num], strict=True)
        outcomes = train_bucket(list(compose_jobs(self.config, overrides, numbers)), self.options)
        # configurations would be most of what travels
        told = [replace(_told(outcome), cfg=None, hydra_cfg=None) for outcome in outcomes]
        return JobReturn(overrides=list(job.overrides), status=JobStatus.COMPLETED, _return_value=told)


def _told(outcome: Outcome) -> JobReturn:
    """What a sweeper is told; a failure is in the job's record, as in any sweep, unless that belongs to another run."""
    job, error = outcome.job, outcome.error
    refused = isinstance(error, OtherRunError)
    return JobReturn(
        overrides=list(job.overrides),
        cfg=job.cfg,
        hydra_cfg=job.hydra_cfg,
        working_dir=str(job.run_dir),
        status=JobStatus.FAILED if refused else JobStatus.COMPLETED,
        _return_value=error if refused else math.nan if outcome.value is None else outcome.value,
    )


def _engine(launcher: "VmapLauncher") -> Any:
    return launcher.engines[launcher.executor]


@contextmanager
def _progress(buckets: Sequence[Bucket]) -> Iterator[Callable[[Bucket], Callable[[int], None]]]:
    """A bar over all models and epochs; where there is no terminal, a line for each bucket that has ended."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[speed]} models/s"),
        TimeRemainingColumn(),
    )
    epochs = {id(bucket): bucket.jobs[0].cfg.trainer.max_epochs for bucket in buckets}
    total = sum(len(bucket.jobs) * epochs[id(bucket)] for bucket in buckets)
    started, models = time.monotonic(), 0.0
    with Progress(*columns, console=terminal(), transient=True) as bar:
        task = bar.add_task("", total=total, speed="0")

        def advance(bucket: Bucket) -> Callable[[int], None]:
            place = [each is bucket for each in buckets].index(True) + 1

            def tell(n: int) -> None:
                nonlocal models
                models += n / epochs[id(bucket)]
                speed = models / max(time.monotonic() - started, 1e-9)
                bar.update(task, advance=n, description=f"bucket {place}/{len(buckets)}", speed=f"{speed:.3g}")

            return tell

        yield advance
    if models:
        seconds = time.monotonic() - started
        log.info("%.0f models in %.1f s, %.3g models/s", models, seconds, models / seconds)
