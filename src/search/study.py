"""A study as one sweep directory sees it: which trials it owns, which come next, how each has ended.

A trial carries the id of the sweep directory that has started it, its owner. So a repeated command takes up what its
own earlier call has left unfinished, and nothing that another machine is still working on.
"""

import errno
import fcntl
import json
import logging
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, TextIO

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from src.compat.optuna import check_pickles, fail_trial, open_trial
from src.config.errors import ConfigError
from src.config.keys import differences
from src.config.metrics import RECORDED
from src.run.reading import UnreadableError, short
from src.run.result import Failure, Result
from src.run.trial import make, open_storage
from src.search.options import SearchOptions
from src.search.space import Space
from src.search.trial_job import TrialJob, jobs_of

log = logging.getLogger(__name__)

# Attributes of a stored trial: the id of its owner, and that it was started when there were enough.
_OWNER, _SURPLUS = "sweep", "surplus"

# Of the file in a sweep's directory that holds the id of its search.
_NAME = ".sweeper"

_INSTEAD = "give another hydra.sweep.dir, or remove this one to search anew"


@contextmanager
def locked(sweep_dir: Path) -> Iterator[str]:
    """Keep the search in a sweep directory to one process; gives the id by which its trials are known.

    The lock goes with the process, also when it is killed. Where one may only read there are no two that write.

    Raises:
        ConfigError: If another process searches there.
        PermissionError: If one may only read there, and no search has been begun.
    """
    sweep_dir.mkdir(parents=True, exist_ok=True)
    path = sweep_dir / _NAME
    with _open(path) as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if file.writable() else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"hydra.sweep.dir={sweep_dir}: another process searches there. To work on its study side by side, give "
                "another hydra.sweep.dir, and the same hydra.sweeper.storage and study_name"
            ) from None
        file.seek(0)
        try:
            owner = file.read(100)
        except ValueError:
            owner = "?"
        if owner and not re.fullmatch("[0-9a-f]{1,64}", owner):
            raise UnreadableError(Path(file.name), "it does not hold the name of a search", _INSTEAD)
        if not owner and not file.writable():
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        if not owner:
            owner = secrets.token_hex(8)
            file.write(owner)
            file.flush()
        yield owner


def _open(path: Path) -> TextIO:
    if path.exists() and not path.is_file():
        raise UnreadableError(path, "it is no file but a directory or a device", _INSTEAD)
    is_read_only = path.exists() and not os.access(path, os.W_OK)
    return path.open("r" if is_read_only else "a+", encoding="utf-8")


@dataclass(frozen=True)
class SearchStudy:
    """The study of a search, as the owner of some of its trials sees it.

    Attributes:
        optuna: Optuna's study.
        storage: Where it lies.
        space: What is searched.
        options: Options of the search.
        owner: Id of this sweep directory.
        sweep_dir: Where the jobs leave their files, each under the number of its trial.
        waiting: By number of a trial, why its directory cannot be used; it waits for a call after that is mended.
    """

    optuna: Study
    storage: BaseStorage
    space: Space
    options: SearchOptions
    owner: str
    sweep_dir: Path
    waiting: dict[int, Exception] = field(default_factory=dict)

    @property
    def is_read_only(self) -> bool:
        """Whether one may only read in the sweep's directory."""
        return not all(os.access(path, os.W_OK) for path in (self.sweep_dir, self.sweep_dir / _NAME) if path.exists())

    def jobs(self, number: int) -> list[TrialJob]:
        """The jobs of a trial of this directory: one, or one for each of its seeds."""
        return jobs_of(number, self.options, self.sweep_dir)

    def jobs_to_run(self, number: int) -> list[TrialJob]:
        """Those of them that have left no result, or have failed for want of room."""
        return [job for job in self.jobs(number) if not job.has_ended]

    def trials(self) -> list[FrozenTrial]:
        """All trials that count."""
        return [trial for trial in self.optuna.get_trials(deepcopy=False) if _SURPLUS not in trial.user_attrs]

    def owned(self) -> list[FrozenTrial]:
        """All trials that this directory has started."""
        return [trial for trial in self.trials() if trial.user_attrs.get(_OWNER) == self.owner]

    def refuse_read_only(self) -> None:
        """Refuse to go on with a search that is not at its end, in a directory that one may only read.

        Raises:
            PermissionError: If that is so.
        """
        is_at_end = len(self.trials()) >= self.options.n_trials
        if self.is_read_only and not (is_at_end and all(trial.state.is_finished() for trial in self.owned())):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.sweep_dir))

    def unfinished(self) -> Iterator[Trial]:
        """Trials that an earlier call for this directory has started, with their values."""
        for trial in self.owned():
            if trial.state == TrialState.RUNNING and trial.number not in self.waiting:
                yield self._open(trial.number)

    def ask(self) -> Trial | None:
        """Begin the next trial and draw its values; None if there are enough.

        The id of its owner is written in the same step as the trial itself, which Optuna's `ask` cannot do: no kill
        leaves a trial that belongs to nobody.
        """
        if len(self.trials()) >= self.options.n_trials:
            return None
        attrs = {_OWNER: self.owner, "sweep_dir": str(self.sweep_dir)}
        self.optuna.add_trial(create_trial(state=TrialState.RUNNING, user_attrs=attrs))
        number = max(trial.number for trial in self.owned())
        if sum(trial.number < number for trial in self.trials()) >= self.options.n_trials:
            # another machine was faster
            fail_trial(self.optuna, self.storage, number, reason=_SURPLUS)
            return None
        return self._open(number)

    def _open(self, number: int) -> Trial:
        trial = open_trial(self.optuna, self.storage, number)
        self.space.suggest(trial)
        return trial

    def tell(self, trial: Trial) -> bool:
        """Tell the study how a trial has ended, if anybody can; False if its job is to be launched.

        That is so where one of its seeds has left no result, or has failed for want of room.
        """
        jobs = self.jobs(trial.number)
        try:
            results = [result for job in jobs if (result := job.run.result()) is not None]
        except ConfigError as unreadable:
            self.wait(trial.number, unreadable)
            return True
        if len(results) < len(jobs) or self.lacked_room(trial.number):
            return False
        for job in jobs:
            # a kill may have come between the result and the end of its job, which is not launched again
            job.run.tidy(is_over=True)
        if any(result.status == "pruned" for result in results):
            self.optuna.tell(trial, state=TrialState.PRUNED)
            return True
        for job, result in zip(jobs, results, strict=True):
            if result.status != "completed":
                error = result.error or Failure("Error", "none is recorded", "")
                self.fail(trial, f"{job.of}{error.type}: {error.message}")
                return True
        self._complete(trial, results)
        return True

    def wait(self, number: int, why: Exception) -> None:
        """Leave a trial as it is, whose directory cannot be used; one that is broken does not end the others."""
        self.waiting[number] = why
        log.warning("trial %d waits: %s", number, why)

    def lacked_room(self, number: int) -> bool:
        """Whether a disk was full when a job of a trial failed: with room it may come to another end."""
        return any(job.lacked_room for job in self.jobs(number))

    def _complete(self, trial: Trial, results: Sequence[Result]) -> None:
        """Tell the mean over its seeds of each objective."""
        measured = [{**each.metrics, **{name: getattr(each, name) for name in RECORDED}} for each in results]
        values = {name: [each.get(name) for each in measured] for name in self.options.objectives}
        bad = [name for name, each in values.items() if any(value is None for value in each)]
        if bad:
            self.fail(trial, f"{', '.join(bad)}: no finite value")
        else:
            self.optuna.tell(trial, [fmean(value for value in each if value is not None) for each in values.values()])

    def fail(self, trial: Trial, error: str) -> None:
        """Store a trial as failed."""
        trial.set_user_attr("error", error)
        self.optuna.tell(trial, state=TrialState.FAIL)


def open_study(options: SearchOptions, settings: Mapping[str, Any], sampler: BaseSampler) -> tuple[Study, BaseStorage]:
    """Open the study, or begin it, in its storage.

    Args:
        options: Options of the search.
        settings: All that may not change from one call to the next, by key.
        sampler: Draws the next values.

    Raises:
        ConfigError: If the study was started with other settings, or cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # before the storage, whose file it would leave behind
    pruner = make("pruner", options.pruner)
    storage = open_storage(options.storage)
    try:
        parts: Any = {"storage": storage, "sampler": sampler, "pruner": pruner, "study_name": options.study_name}
        if options.study_name in optuna.get_all_study_names(storage):
            # `create_study` writes before it looks
            study = optuna.load_study(**parts)
        else:
            directions = list(options.objectives.values())
            study = optuna.create_study(**parts, directions=directions, load_if_exists=True)
        check_pickles(study.get_trials(deepcopy=False))
        before = study.user_attrs.get("settings")
    # whatever a database and Optuna meet in a file that a disk or somebody else has changed
    except Exception as error:
        raise ConfigError(
            f"hydra.sweeper.storage={options.storage} cannot be read as study {options.study_name}: "
            f"{type(error).__name__}: {short(' '.join(str(error).split()))}; {_INSTEAD}"
        ) from error
    if not isinstance(before, dict | None):
        raise ConfigError(f"hydra.sweeper.storage={options.storage} holds no settings of a search; {_INSTEAD}")
    now = json.loads(json.dumps(settings, default=str))
    before = study.user_attrs.get("settings")
    if before is None:
        study.set_user_attr("settings", now)
    elif changes := differences(before, now):
        raise ConfigError(
            f"hydra.sweeper.storage={options.storage}: study {options.study_name} has been begun with other settings:\n"
            f"{changes}\nGive the same, or begin another study with another hydra.sweep.dir or "
            "hydra.sweeper.study_name (hydra.sweeper.n_trials and n_jobs may change)"
        )
    return study, storage
