"""Run the jobs of a sweep: those that can train together as ensembles, the others one by one."""

import itertools
import logging
import math
from collections.abc import Callable, Iterable, Sequence

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from src.config.compose import CONF_DIR
from src.config.errors import ConfigError
from src.config.schema import check
from src.run.directory import OtherRunError
from src.sweep.jobs import Job, compose_jobs
from src.vmap.bucket import Options, train_bucket
from src.vmap.members import Maker
from src.vmap.plan import Bucket, plan
from src.vmap.progress import SweepBar
from src.vmap.record import Outcome

log = logging.getLogger(__name__)

# How jobs ended, by their numbers.
Returns = dict[int, JobReturn]


def run_together(
    config: DictConfig,
    overrides: Sequence[Sequence[str]],
    *,
    first: int,
    options: Options,
    alone: Callable[[Sequence[Job]], Returns],
    elsewhere: Callable[[Sequence[Bucket]], Returns] | None = None,
) -> list[JobReturn]:
    """Run a batch of jobs.

    Args:
        config: Of the sweep, with the `hydra` node.
        overrides: Of each job.
        first: Number of the first.
        options: How models train together.
        alone: Runs jobs by themselves.
        elsewhere: Trains buckets in other processes; None for this one.

    Returns:
        How each job ended, in their order.
    """
    jobs = list(compose_jobs(config, overrides, itertools.count(first)))
    mistakes = [(job, mistake) for job in jobs if (mistake := _mistake(job))]
    wrong = {job.number for job, _ in mistakes}
    maker = Maker()
    found = plan((job for job in jobs if job.number not in wrong), maker)
    for bucket in found.buckets:
        log.info(bucket.why)
    by_themselves = [*mistakes, *found.alone]
    if elsewhere is None:
        returns, failed = _train(found.buckets, options, maker)
        by_themselves += failed
    else:
        returns = elsewhere(found.buckets)
    for reason, numbers in _by_reason(by_themselves).items():
        log.info("%d by %s (job %s): %s", len(numbers), _self(numbers), _short(numbers), reason)
    returns |= alone([job for job, _ in by_themselves])
    return [returns[job.number] for job in jobs]


def _train(buckets: Sequence[Bucket], options: Options, maker: Maker) -> tuple[Returns, list[tuple[Job, str]]]:
    """Train in this process; also the jobs whose bucket failed as a whole, with the reason."""
    returns: Returns = {}
    failed: list[tuple[Job, str]] = []
    with SweepBar([(len(bucket.jobs), bucket.jobs[0].cfg.trainer.max_epochs) for bucket in buckets]) as bar:
        for bucket in buckets:
            bar.begin()
            try:
                outcomes = train_bucket(bucket.jobs, options, progress=bar, maker=maker)
            # what a bucket meets, such as too little memory, must not end the others
            except Exception as error:
                log.exception("a bucket failed")
                failed += [(job, f"training together failed: {error}") for job in bucket.jobs]
                continue
            returns |= {outcome.job.number: told(outcome) for outcome in outcomes}
            bar.end()
    return returns, failed


def _mistake(job: Job) -> str | None:
    """What its configuration has wrong; by itself such a job fails with the same words."""
    choices = job.hydra_cfg.hydra.runtime.choices
    try:
        check(job.cfg, choices=choices, overrides=job.overrides, conf_dir=CONF_DIR)
    except ConfigError as error:
        return str(error).splitlines()[0]
    return None


def _by_reason(alone: Iterable[tuple[Job, str]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for job, reason in alone:
        found.setdefault(reason, []).append(job.number)
    return found


def _self(numbers: Sequence[int]) -> str:
    return "itself" if len(numbers) == 1 else "themselves"


def _short(numbers: Sequence[int], *, most: int = 10) -> str:
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return ", ".join(map(str, numbers[:most])) + more


def told(outcome: Outcome) -> JobReturn:
    """What a sweeper is told, which is what an ordinary launcher tells it."""
    job = outcome.job
    if outcome.error is not None:
        log.error("job %d failed: %s", job.number, outcome.error)
    refused = isinstance(outcome.error, OtherRunError)
    return JobReturn(
        overrides=list(job.overrides),
        cfg=job.cfg,
        hydra_cfg=job.hydra_cfg,
        working_dir=str(job.run_dir),
        task_name=job.hydra_cfg.hydra.job.name,
        status=JobStatus.FAILED if refused else JobStatus.COMPLETED,
        _return_value=outcome.error if refused else math.nan if outcome.error is not None else outcome.value,
    )
