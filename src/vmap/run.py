"""Run the jobs of a sweep: those that can be stacked in stacks, the others one by one."""

import contextlib
import gc
import hashlib
import itertools
import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from src.callbacks.pictures import FinalPictures
from src.config.compose import CONF_DIR
from src.config.errors import ConfigError
from src.config.schema import check
from src.config.sound import Sound
from src.console.sweep import NoProgress, StackBar
from src.pictures.catalogue import check_names
from src.run.directory import RunDir
from src.run.files import is_full_disk
from src.sweep.jobs import Job, compose_jobs, environment, environment_of
from src.sweep.trees import Kind
from src.vmap.errors import NotStackedError
from src.vmap.job_callbacks import JobCallbacks
from src.vmap.models import ModelFactory
from src.vmap.planning.plan import Stack, is_to_extend, plan
from src.vmap.record import Outcome
from src.vmap.train import StackOptions, train_stack
from src.vmap.unfinished import tidy

log = logging.getLogger(__name__)

# How jobs ended, by their numbers.
Returns = dict[int, JobReturn]


def run_stacked(
    config: DictConfig,
    overrides: Sequence[Sequence[str]],
    *,
    first: int,
    options: StackOptions,
    run_single: Callable[[Sequence[Job]], Returns],
    train_remotely: Callable[[Sequence[Stack], StackOptions], Returns] | None = None,
    callbacks: JobCallbacks | None = None,
) -> list[JobReturn]:
    """Run a batch of jobs.

    Args:
        config: Of the sweep, with the `hydra` node.
        overrides: Of each job.
        first: Number of the first.
        options: How stacks are trained.
        run_single: Runs jobs one by one, each as a single run.
        train_remotely: Trains stacks in other processes; None for this one.
        callbacks: Hear of each job that is trained here.

    Returns:
        How each job ended, in their order.
    """
    jobs = list(compose_jobs(config, overrides, itertools.count(first)))
    alike: dict[frozenset[tuple[str, str]], list[Job]] = {}
    for job in jobs:
        alike.setdefault(frozenset(environment_of(job).items()), []).append(job)
    if len(alike) > 1:
        log.info("hydra.job.env_set has %d values: jobs with another one are stacked apart", len(alike))
    returns: Returns = {}
    for given, group in alike.items():
        values = dict(given)
        own = options
        if values and options.folder is not None:
            # what is unfinished is known by the configurations of its jobs, which do not tell their environment
            name = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
            own = replace(options, folder=options.folder / name)
        returns |= _run(group, values, own, run_single, train_remotely, callbacks)
    return [returns[job.number] for job in jobs]


def _run(
    jobs: Sequence[Job],
    values: Mapping[str, str],
    options: StackOptions,
    run_single: Callable[[Sequence[Job]], Returns],
    train_remotely: Callable[[Sequence[Stack], StackOptions], Returns] | None,
    callbacks: JobCallbacks | None,
) -> Returns:
    """Run jobs of one environment."""
    ended = {job.number for job in jobs if _has_ended(job)}
    if ended:
        log.info("%s: %s completed before", _count(jobs), "all" if len(ended) == len(jobs) else len(ended))
    if len(ended) == len(jobs):
        return train_jobs(jobs, options, callbacks)
    factory = ModelFactory(fused=options.fused)
    log.info("trying which of %s can be stacked", _count(jobs))
    with environment(values):
        mistakes = list(_mistakes(jobs))
        wrong = {job.number for job, _ in mistakes}
        # also those that have ended: a chunk that is unfinished holds some of them
        found = plan((job for job in jobs if job.number not in wrong), factory)
        if options.folder is not None:
            tidy(options.folder, [stack.jobs for stack in found.stacks])
    options = replace(options, fused=factory.fused)
    unfinished = [stack for stack in found.stacks if any(job.number not in ended for job in stack.jobs)]
    for stack in unfinished:
        log.info(stack.description)
    single = [(job, reason) for job, reason in (*mistakes, *found.single) if job.number not in ended]
    if train_remotely is None:
        returns, failed = _train(unfinished, options, factory, callbacks)
        single += [(job, reason) for job, reason in failed if job.number not in ended]
    else:
        returns = train_remotely(unfinished, options)
    left = ended - returns.keys()
    others = [job for job in jobs if job.number in left]
    if others:
        returns |= train_jobs(others, options, callbacks)
    for reason, numbers in _by_reason(single).items():
        how = "runs by itself" if len(numbers) == 1 else "run one by one"
        log.info("%d %s (job %s): %s", len(numbers), how, _short(numbers), reason)
    return returns | run_single([job for job, _ in single])


def train_jobs(
    jobs: Sequence[Job],
    options: StackOptions,
    callbacks: JobCallbacks | None,
    *,
    progress: NoProgress | None = None,
    factory: ModelFactory | None = None,
) -> Returns:
    """Train jobs of one environment together, and let callbacks of Hydra hear of each."""
    with environment(environment_of(jobs[0])):
        if callbacks is not None:
            callbacks.start(jobs)
        outcomes = train_stack(jobs, options, progress=progress, factory=factory)
    returns = {outcome.job.number: job_return(outcome) for outcome in outcomes}
    if callbacks is not None:
        for job in jobs:
            callbacks.end(job, returns[job.number])
    return returns


def _train(
    stacks: Sequence[Stack], options: StackOptions, factory: ModelFactory, callbacks: JobCallbacks | None
) -> tuple[Returns, list[tuple[Job, str]]]:
    """Train in this process; also the jobs whose stack failed as a whole, with the reason."""
    returns: Returns = {}
    failed: list[tuple[Job, str]] = []
    with (
        _jobs_are_no_garbage(),
        StackBar([(len(stack.jobs), stack.jobs[0].resolved["trainer"]["max_epochs"]) for stack in stacks]) as bar,
    ):
        for stack in stacks:
            bar.begin()
            try:
                returns |= train_jobs(stack.jobs, options, callbacks, progress=bar, factory=factory)
            # and where the file system refuses what a stack writes, which is more than a single run does
            except (NotStackedError, OSError) as error:
                if is_full_disk(error):
                    # single runs would fill it to the last byte, and leave records from which no stack goes on
                    raise
                failed += [(job, str(error)) for job in stack.jobs]
                continue
            # what a stack meets, such as too little memory, must not end the others
            except Exception as error:
                log.exception("a stack failed")
                why = str(error) or type(error).__name__
                failed += [(job, f"training as a stack failed: {why}") for job in stack.jobs]
                continue
            bar.end()
    return returns, failed


@contextlib.contextmanager
def _jobs_are_no_garbage() -> Iterator[None]:
    """Let Python search for garbage without the jobs: among millions of objects that stay it would search too seldom.

    What has trained a chunk holds itself, and would stay until then.
    """
    gc.freeze()
    # counts what is there by now
    gc.collect()
    try:
        yield
    finally:
        gc.unfreeze()


def _has_ended(job: Job) -> bool:
    """Whether its directory holds a run that has ended well; that this is the job's own is seen when it is claimed."""
    try:
        result = RunDir(job.run_dir).result()
    except ConfigError:
        return False
    return result is not None and result.status != "failed" and not is_to_extend(job)


def _mistakes(jobs: Iterable[Job]) -> Iterator[tuple[Job, str]]:
    """Jobs whose configuration has something wrong, and what; as single runs they fail with the same words."""
    sound: dict[Kind, Sound] = {}
    for job in jobs:
        parts = job.parts
        if parts is not None and parts.kind in sound and _is_sound(parts.changed, sound[parts.kind]):
            continue
        if mistake := _mistake(job):
            yield job, mistake
        elif parts is not None:
            # what others of its kind change is told from one that may be no job of these, but is as sound
            first = {
                name: value for path, value in parts.kind.values.items() if (name := ".".join(path)) in parts.changed
            }
            known = Sound(job.cfg)
            if _is_sound(first, known):
                sound[parts.kind] = known
        job.forget()


def _is_sound(changed: Mapping[str, Any], known: Sound) -> bool:
    # names of pictures are looked at by `_mistake` alone
    chooses_pictures = any(key.startswith("callbacks.") and key.endswith(".draw") for key in changed)
    return not chooses_pictures and known.allows(changed)


def _mistake(job: Job) -> str | None:
    choices = job.hydra_cfg.hydra.runtime.choices
    try:
        check(job.cfg, choices=choices, overrides=job.overrides, conf_dir=CONF_DIR)
        for name, node in job.cfg.callbacks.items():
            if node is not None and node._target_.endswith(f".{FinalPictures.__name__}"):
                check_names(f"callbacks.{name}.draw", node.draw)
    except ConfigError as error:
        return str(error).splitlines()[0]
    return None


def _count(jobs: Sequence[Job]) -> str:
    return "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs"


def _by_reason(single: Iterable[tuple[Job, str]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for job, reason in single:
        found.setdefault(reason, []).append(job.number)
    return found


def _short(numbers: Sequence[int], *, most: int = 10) -> str:
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return ", ".join(map(str, numbers[:most])) + more


def job_return(outcome: Outcome) -> JobReturn:
    """What a sweeper hears of a job, which is what it hears from an ordinary launcher: nothing of its configuration."""
    job = outcome.job
    if outcome.error is not None:
        log.error("job %d failed: %s", job.number, outcome.error)
    # what no directory tells must end the sweep with the error
    is_lost = not outcome.is_recorded
    return JobReturn(
        overrides=list(job.overrides),
        # a job of its own stays where the command was started, too
        working_dir=str(Path.cwd()),
        task_name=job.of_hydra("job.name"),
        status=JobStatus.FAILED if is_lost else JobStatus.COMPLETED,
        _return_value=outcome.error if is_lost else math.nan if outcome.error is not None else outcome.value,
    )
