"""A search: ask for the next trials, launch their jobs, tell the study what these have left in their directories."""

import errno
import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from omegaconf import DictConfig
from optuna.trial import FrozenTrial, Trial, TrialState

from src.compat.hydra import error_of
from src.config import metrics
from src.config.errors import ConfigError
from src.config.keys import flatten
from src.launch.job import JobDiedError
from src.run.files import is_full_disk
from src.run.reading import UnreadableError
from src.run.trial import TrialLink
from src.search.options import SearchOptions
from src.search.sampler import is_grid, make_sampler
from src.search.space import Space
from src.search.study import SearchStudy, locked, open_study
from src.search.trial_job import TrialJob

Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]

log = logging.getLogger(__name__)


def search(
    options: SearchOptions,
    space: Space,
    *,
    sweep_dir: Path,
    settings: Mapping[str, Any],
    compose: Callable[[Sequence[str]], DictConfig],
    launch: Launch,
    check: Callable[[DictConfig], None] = lambda _: None,
    report: Callable[[SearchStudy], None] = lambda _: None,
) -> list[Sequence[JobReturn]]:
    """Go on until the study has as many trials as asked for.

    A trial that this directory has started and not ended is taken up first: its job has the same overrides and the same
    directory as before. Failed trials count, and are not repeated,
    unless it was a disk without room that has failed.

    Args:
        options: Options of the search.
        space: What is searched.
        sweep_dir: Where the jobs leave their files, each under the number of its trial.
        settings: All that may not change from one call to the next, by key.
        compose: Makes the configuration of a job from its overrides.
        launch: Runs a batch of jobs, given as overrides; the number is that of the first.
        check: Refuses the configuration of a first job, before the study is started.
        report: Called with the study at the end, unless interrupted.

    Returns:
        What ``launch`` has returned, batch by batch.

    Raises:
        ConfigError: If settings have changed, the directory holds other runs, or ``check`` says so.
        PermissionError: If there is something left to do in a directory that one may only read.
        OSError: At the end, if the directory of a trial cannot be used; it is left for the next call.
        UnreadableError: In the same way, if what stands there cannot be read.
        HydraException: If a choice cannot be composed.
    """
    options = _limited(options, space)
    sampler = make_sampler(options.sampler, space)
    first, *_ = [compose(overrides) for overrides in space.probes()]
    if first.get("resume") == "extend":
        raise ConfigError(
            "resume=extend: a search is not extended, since what its runs have reached at this length has chosen the "
            "others. Leave it out to go on with the search, or begin another one with another hydra.sweep.dir; one of "
            "its runs goes on for longer in a copy of its directory, by its own overrides (docs/how_to/go_on.md)"
        )
    check(first)
    with locked(sweep_dir) as owner:
        opened, storage = open_study(options, {**settings, **_settings(options, space)}, sampler)
        study = SearchStudy(opened, storage, space, options, owner, sweep_dir)
        _refuse_foreign_runs(study)
        study.refuse_read_only()
        returns: list[Sequence[JobReturn]] = []
        while batch := _next_batch(study):
            ready = [trial for trial in batch if _composes(study, trial, compose) and _linked(study, trial)]
            returns.extend(_run(study, ready, launch))
        report(study)
        for error in study.waiting.values():
            raise error
    return returns


def _limited(options: SearchOptions, space: Space) -> SearchOptions:
    """A grid ends with its last combination."""
    if not is_grid(options.sampler):
        return options
    return replace(options, n_trials=min(options.n_trials, math.prod(len(points) for points in space.grid().values())))


def _settings(options: SearchOptions, space: Space) -> dict[str, Any]:
    chosen: dict[str, Any] = {"objectives": options.objectives, "sampler": options.sampler, "pruner": options.pruner}
    if options.n_seeds > 1:
        chosen["n_seeds"] = options.n_seeds
    return {**space.fixed, **space.texts, **{f"hydra.sweeper.{key}": value for key, value in flatten(chosen).items()}}


def _refuse_foreign_runs(study: SearchStudy) -> None:
    """A directory in which another sweep has left its runs would be read as if they were ours."""
    if study.owned():
        return
    if any(run for depth in ("*", "*/*") for run in study.sweep_dir.glob(f"{depth}/.hydra/config.yaml")):
        raise ConfigError(
            f"hydra.sweep.dir={study.sweep_dir} holds runs, but none of study {study.options.study_name} in "
            f"{study.options.storage}; give another directory, or the storage and study_name of these runs"
        )


def _next_batch(study: SearchStudy) -> list[Trial]:
    """The trials of the next batch; the study is first told of those whose jobs have finished since."""
    unfinished = [trial for trial in study.unfinished() if not study.tell(trial)]
    if unfinished:
        return unfinished[: study.options.n_at_once]
    batch: list[Trial] = []
    while len(batch) < study.options.n_at_once and (trial := study.ask()):
        batch.append(trial)
    return batch


def _composes(study: SearchStudy, trial: Trial, compose: Callable[[Sequence[str]], DictConfig]) -> bool:
    """Whether the values of a trial go together; where they do not, it has failed."""
    try:
        compose(_overrides(study, trial, study.jobs(trial.number)[0]))
    except HydraException as error:
        study.fail(trial, " ".join([str(error), str(error.__cause__ or "")]).strip())
        _log(study, trial.number)
        return False
    return True


def _run(study: SearchStudy, batch: list[Trial], launch: Launch) -> list[Sequence[JobReturn]]:
    """Launch the jobs of a batch, and tell the study how each has ended.

    A job that leaves no result was killed, or its worker was. It is launched once more, and goes on from its
    checkpoint; if it leaves none again, its trial has failed.

    Raises:
        OSError: If a disk is full; the trials stay as they are, for the next call.
        Exception: What the launcher says, if it does so twice and no job of the batch has even started.
    """
    returns: list[Sequence[JobReturn]] = []
    unfinished = batch
    cause: Exception | None = None
    for _ in range(2 if batch else 0):
        done: Sequence[JobReturn] = ()
        jobs = [(trial, job) for trial in unfinished for job in study.jobs_to_run(trial.number)]
        try:
            first = unfinished[0].number * study.options.n_seeds
            done = launch([_overrides(study, trial, job) for trial, job in jobs], first)
        # whatever a launcher meets: a worker that was killed, a cluster that does not answer
        except Exception as error:
            cause = error
            log.warning("launcher: %s: %s", type(error).__name__, error)
        returns.append(done)
        errors: dict[int, Exception] = {}
        for (trial, _), returned in zip(jobs, done, strict=False):
            if raised := error_of(returned):
                errors.setdefault(trial.number, raised)
        cause = next((error for error in errors.values() if isinstance(error, JobDiedError)), cause)
        unfinished = [trial for trial in unfinished if not _ended(study, trial, errors.get(trial.number))]
        if not unfinished:
            return returns
        if full := _full_disk(study, unfinished, [cause, *errors.values()]):
            raise full
    jobs_of_batch = [job for trial in batch for job in study.jobs(trial.number)]
    if cause is not None and not any(job.run.config_file.is_file() for job in jobs_of_batch):
        raise cause
    for trial in unfinished:
        study.fail(trial, f"left no result.json, twice: {cause or 'its process was killed'}")
        _log(study, trial.number)
    return returns


def _ended(study: SearchStudy, trial: Trial, error: Exception | None) -> bool:
    """Tell the study how a trial has ended; False if its job has died.

    A job that has raised without a record has failed too: its directory belongs to another run, say.
    """
    if not study.tell(trial):
        if error is None or isinstance(error, JobDiedError) or is_full_disk(error):
            return False
        if isinstance(error, OSError | UnreadableError):
            study.wait(trial.number, error)
        else:
            study.fail(trial, f"{type(error).__name__}: {error}")
    if trial.number not in study.waiting:
        _log(study, trial.number)
    return True


def _full_disk(study: SearchStudy, unfinished: Sequence[Trial], errors: Sequence[Exception | None]) -> OSError | None:
    """The error of a disk that was full, where one of a launcher, a job or its record is of that kind."""
    for error in errors:
        if isinstance(error, OSError) and is_full_disk(error):
            return error
    for trial in unfinished:
        if study.lacked_room(trial.number):
            (full, *_) = [job for job in study.jobs(trial.number) if job.lacked_room]
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(full.run.path))
    return None


def _overrides(study: SearchStudy, trial: Trial, job: TrialJob) -> list[str]:
    """Those of the trial, and the directory: numbers of a batch may have gaps where several machines search."""
    given = study.space.overrides(trial.params)
    if job.seed is not None:
        given = [*(line for line in given if not line.startswith("seed=")), f"seed={job.seed}"]
    return [*given, f"hydra.sweep.subdir={job.subdir}"]


def _linked(study: SearchStudy, trial: Trial) -> bool:
    """Tell the job of a trial what it reports to; False where its directory takes no file."""
    options = study.options
    if not options.prunes:
        return True
    (monitor,) = options.objectives
    link = TrialLink(
        storage=options.storage,
        study=options.study_name,
        number=trial.number,
        monitor=monitor,
        pruner=options.pruner,
    )
    try:
        # a trial that is pruned is one run
        link.write(study.jobs(trial.number)[0].run.path)
    except OSError as error:
        if is_full_disk(error):
            raise
        study.wait(trial.number, error)
        return False
    return True


def _log(study: SearchStudy, number: int) -> None:
    """A line per trial."""
    trial: FrozenTrial = next(each for each in study.optuna.get_trials(deepcopy=False) if each.number == number)
    if trial.state == TrialState.COMPLETE:
        values = (
            f"{name} {metrics.objective(name, value)}"
            for name, value in zip(study.options.objectives, trial.values, strict=True)
        )
        text = ", ".join(values)
    elif trial.state == TrialState.PRUNED:
        text = f"pruned at epoch {trial.last_step}"
    else:
        text = f"failed: {trial.user_attrs.get('error')}"
    log.info("trial %d: %s", number, text)
