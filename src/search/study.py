"""A study as one sweep directory sees it: which trials are its own, which come next, how each has ended.

A trial carries the mark of the sweep directory that has begun it. So a repeated command takes up what its own earlier
call has left unfinished, and nothing that another machine is still working on.
"""

import fcntl
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from src.config.errors import ConfigError
from src.run.directory import RunDir, differences
from src.run.trial import make, open_storage
from src.search.options import Options
from src.search.space import Space


@contextmanager
def own(sweep_dir: Path) -> Iterator[str]:
    """Keep a sweep directory to one process; give the mark by which its trials are known.

    The lock goes with the process, also when it is killed.

    Raises:
        ConfigError: If another process works there.
    """
    sweep_dir.mkdir(parents=True, exist_ok=True)
    with (sweep_dir / ".sweeper").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"hydra.sweep.dir={sweep_dir}: another process searches there. To work on its study side by side, give "
                "another hydra.sweep.dir, and the same hydra.sweeper.storage and study_name"
            ) from None
        file.seek(0)
        mark = file.read()
        if not mark:
            mark = secrets.token_hex(8)
            file.write(mark)
            file.flush()
        yield mark


@dataclass(frozen=True)
class Book:
    """The trials of a study.

    Attributes:
        study: Optuna's study.
        space: What is searched.
        options: Options of the search.
        mark: Mark of this sweep directory.
        sweep_dir: Where the jobs leave their files, each under the number of its trial.
    """

    study: Study
    space: Space
    options: Options
    mark: str
    sweep_dir: Path

    def run_dir(self, number: int) -> RunDir:
        """Where the job of one of this directory's own trials leaves its files."""
        return RunDir(self.sweep_dir / str(number))

    def trials(self) -> list[FrozenTrial]:
        """All trials that count."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if "surplus" not in trial.user_attrs]

    def unfinished(self) -> Iterator[Trial]:
        """Trials that an earlier call for this directory has begun, with their values."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        for trial in running:
            if trial.user_attrs.get("sweep") == self.mark:
                yield self._take(trial._trial_id)

    def begin(self) -> Trial | None:
        """Begin the next trial and draw its values; None if there are enough.

        Its mark is written in the same step as the trial itself, which `study.ask` cannot do: no kill leaves a trial
        that belongs to nobody.
        """
        if len(self.trials()) >= self.options.n_trials:
            return None
        storage, study_id = self.study._storage, self.study._study_id
        attrs = {"sweep": self.mark, "sweep_dir": str(self.sweep_dir)}
        trial_id = storage.create_new_trial(study_id, create_trial(state=TrialState.RUNNING, user_attrs=attrs))
        number = storage.get_trial_number_from_id(trial_id)
        if sum(trial.number < number for trial in self.trials()) >= self.options.n_trials:
            # another machine was faster
            storage.set_trial_user_attr(trial_id, "surplus", value=True)
            storage.set_trial_state_values(trial_id, TrialState.FAIL)
            return None
        return self._take(trial_id)

    def _take(self, trial_id: int) -> Trial:
        # as `study.ask` does: samplers are to see the trials of others as they are now
        self.study._thread_local.cached_all_trials = None
        trial = Trial(self.study, trial_id)
        self.space.suggest(trial)
        return trial

    def settle(self, trial: Trial) -> bool:
        """Tell the study how a trial has ended; False if its job has left no result."""
        result = self.run_dir(trial.number).result()
        if result is None:
            return False
        if result["status"] == "pruned":
            self.study.tell(trial, state=TrialState.PRUNED)
        elif result["status"] == "completed":
            self._complete(trial, result)
        else:
            error = result.get("error") or {}
            self.fail(trial, f"{error.get('type')}: {error.get('message')}")
        return True

    def _complete(self, trial: Trial, result: Mapping[str, Any]) -> None:
        measured = {**result, **result["metrics"]}
        values = [measured.get(name) for name in self.options.objectives]
        bad = [name for name, value in zip(self.options.objectives, values, strict=True) if value is None]
        if bad:
            self.fail(trial, f"{', '.join(bad)}: no finite value")
        else:
            self.study.tell(trial, [float(value) for value in values if value is not None])

    def fail(self, trial: Trial, error: str) -> None:
        """Store a trial as failed."""
        trial.set_user_attr("error", error)
        self.study.tell(trial, state=TrialState.FAIL)


def open_study(options: Options, settings: Mapping[str, Any], sampler: BaseSampler) -> Study:
    """Open the study, or begin it.

    Args:
        options: Options of the search.
        settings: All that may not change from one call to the next, by key.
        sampler: Draws the next values.

    Raises:
        ConfigError: If the study has been begun with other settings, or cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=open_storage(options.storage),
        sampler=sampler,
        pruner=make("pruner", options.pruner),
        study_name=options.study_name,
        directions=list(options.objectives.values()),
        load_if_exists=True,
    )
    now = json.loads(json.dumps(settings, default=str))
    there = study.user_attrs.get("settings")
    if there is None:
        study.set_user_attr("settings", now)
    elif changes := differences(there, now):
        raise ConfigError(
            f"hydra.sweeper.storage={options.storage}: study {options.study_name} has been begun with other settings:\n"
            f"{changes}\nGive the same, or begin another study with another hydra.sweep.dir or "
            "hydra.sweeper.study_name (hydra.sweeper.n_trials and n_jobs may change)"
        )
    return study
