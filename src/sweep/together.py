"""Run the jobs of a sweep: those that can train together as ensembles, the others one by one."""

import logging
import math
from collections.abc import Callable, Sequence

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from src.run import OtherRunError
from src.sweep.ensemble import Options, train_bucket
from src.sweep.jobs import Job, compose_jobs
from src.sweep.members import Maker
from src.sweep.plan import plan
from src.sweep.progress import SweepBar
from src.sweep.record import Outcome

log = logging.getLogger(__name__)

Alone = Callable[[Job], JobReturn]


def run_together(
    config: DictConfig, overrides: Sequence[Sequence[str]], *, first: int, options: Options, alone: Alone
) -> list[JobReturn]:
    """Run a batch of jobs.

    Args:
        config: Of the sweep, with the `hydra` node.
        overrides: Of each job.
        first: Number of the first.
        options: How models train together.
        alone: Runs a job by itself.

    Returns:
        How each job ended, in their order.
    """
    jobs = list(compose_jobs(config, overrides, first=first))
    maker = Maker()
    found = plan(jobs, maker)
    returns: dict[int, JobReturn] = {}
    by_themselves = list(found.alone)
    sizes = [(len(bucket.jobs), bucket.jobs[0].cfg.trainer.max_epochs) for bucket in found.buckets]
    with SweepBar(sizes) as bar:
        for bucket in found.buckets:
            log.info(bucket.why)
            bar.begin()
            try:
                outcomes = train_bucket(bucket.jobs, options, progress=bar, maker=maker)
            # what one job of a sweep meets, such as too little memory, must not end the others
            except Exception as error:
                log.exception("a bucket failed")
                by_themselves += [(job, f"training together failed: {error}") for job in bucket.jobs]
                continue
            returns |= {outcome.job.number: _job_return(outcome) for outcome in outcomes}
            bar.end()
    for job, reason in by_themselves:
        log.info("job %d runs by itself: %s", job.number, reason)
        returns[job.number] = alone(job)
    return [returns[job.number] for job in jobs]


def _job_return(outcome: Outcome) -> JobReturn:
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
