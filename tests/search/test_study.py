"""A study that several commands work on, one after the other or side by side."""

import itertools
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn
from optuna.storages import get_storage
from optuna.trial import TrialState

from src.config.errors import ConfigError
from tests.search.searching import SPACE, Jobs, Values, bowl, conf, drawn, run_search
from tests.slow import slow
from tests.waiting import LIMIT_S, Started

# What a search writes about its trials.
ENTRIES = ("create_new_trial", "set_trial_param", "set_trial_user_attr", "set_trial_state_values")
# The last two trials are drawn from what the others have told.
KILLED: dict[str, Any] = {
    "study_name": "both",
    "n_trials": 4,
    "sampler": {**conf("sampler/tpe"), "n_startup_trials": 2},
}


class StopError(BaseException):
    """Ctrl-C, as a launcher lets it pass."""


def test_an_interrupted_trial_is_taken_up_with_the_same_values_and_directory(tmp_path: Path) -> None:
    class Interrupted(Jobs):
        def run(self, overrides: Sequence[str]) -> JobReturn:
            if len(self.ran) == 2:
                raise StopError
            return super().run(overrides)

    first, second = Interrupted(tmp_path / "parts"), Jobs(tmp_path / "parts")
    with pytest.raises(StopError):
        run_search(tmp_path / "parts", launch=first, n_trials=6)
    trials = run_search(tmp_path / "parts", launch=second, n_trials=6)
    assert (first.ran, second.ran) == ([0, 1], [2, 3, 4, 5])
    assert second.batches[0] == first.batches[2]
    assert drawn(trials) == drawn(run_search(tmp_path / "whole", n_trials=6))


def test_a_job_that_ended_before_it_was_told_is_not_run_again(tmp_path: Path) -> None:
    class Late(Jobs):
        def __call__(self, batch: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
            super().__call__(batch, first)
            raise StopError

    with pytest.raises(StopError):
        run_search(tmp_path, launch=Late(tmp_path), n_trials=3, n_jobs=2)
    jobs = Jobs(tmp_path)
    trials = run_search(tmp_path, launch=jobs, n_trials=3, n_jobs=2)
    assert jobs.ran == [2]
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}


def test_a_trial_that_another_directory_is_working_on_is_left_alone_and_counts(tmp_path: Path) -> None:
    shared: dict[str, Any] = {"storage": str(tmp_path / "shared.log"), "study_name": "both"}

    class Stopped(Jobs):
        def run(self, overrides: Sequence[str]) -> JobReturn:  # noqa: ARG002
            raise StopError

    with pytest.raises(StopError):
        run_search(tmp_path / "a", launch=Stopped(tmp_path / "a"), n_trials=3, **shared)
    jobs = Jobs(tmp_path / "b")
    trials = run_search(tmp_path / "b", launch=jobs, n_trials=3, **shared)
    assert jobs.ran == [1, 2]
    assert [trial.state.name for trial in trials] == ["RUNNING", "COMPLETE", "COMPLETE"]
    jobs = Jobs(tmp_path / "a")
    trials = run_search(tmp_path / "a", launch=jobs, n_trials=3, **shared)
    assert jobs.ran == [0]
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"space": ("x=interval(-2,3)", *SPACE[1:])}, r"x: stored interval\(-2,2\), given interval\(-2,3\)"),
        ({"space": (*SPACE, "z=1,2")}, r"z: not stored, given 1,2"),
        ({"space": SPACE[:2]}, r"kind: stored a,b, not given"),
        ({"space": (*SPACE, "fixed=3")}, r"fixed: not stored, given 3"),
        ({"settings": {"lr": 0.2}}, r"lr: stored 0\.1, given 0\.2"),
        ({"sampler": "random"}, r"hydra\.sweeper\.sampler\._target_: stored optuna\.samplers\.TPESampler"),
        ({"pruner": "median"}, r"hydra\.sweeper\.pruner\._target_: stored optuna\.pruners\.NopPruner"),
        ({"objectives": {"val/loss": "maximize"}}, r"hydra\.sweeper\.objectives\.val/loss: stored minimize"),
    ],
)
def test_a_study_begun_with_other_settings_is_refused_naming_them(
    changes: dict[str, Any], named: str, tmp_path: Path
) -> None:
    run_search(tmp_path, n_trials=1, settings={"lr": 0.1})
    with pytest.raises(ConfigError, match=named):
        run_search(tmp_path, n_trials=2, **{"settings": {"lr": 0.1}, **changes})
    assert len(run_search(tmp_path, n_trials=2, settings={"lr": 0.1})) == 2


def test_a_directory_with_runs_of_another_sweep_is_refused(tmp_path: Path) -> None:
    run_search(tmp_path, n_trials=1)
    (tmp_path / "study.log").unlink()
    with pytest.raises(ConfigError, match="holds runs, but none of study test"):
        run_search(tmp_path, n_trials=1)


def _search_beside(sweep_dir: Path, storage: str, n_jobs: int, both: Barrier) -> None:
    """Search in a process of its own; its first job ends once that of the other process has begun."""
    first = [both]

    def meet(values: Values) -> float:
        while first:
            first.pop().wait(LIMIT_S)
        return bowl(values)

    run_search(sweep_dir, meet, storage=storage, study_name="both", n_trials=12, n_jobs=n_jobs)


def _search_and_die(sweep_dir: Path, storage: str) -> None:
    """Search in a process that is killed in the first of all jobs, or else before its second entry in the storage."""
    killed, entries = sweep_dir / "killed in a job", itertools.count(1)

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def die_at_first(values: Values) -> float:
        if not killed.exists():
            killed.touch()
            die()
        return bowl(values)

    def dying(write: Callable[..., Any]) -> Callable[..., Any]:
        def write_or_die(*args: Any, **kwargs: Any) -> Any:
            if next(entries) == 2:
                die()
            return write(*args, **kwargs)

        return write_or_die

    kind = type(get_storage("sqlite://"))
    for name in ENTRIES:
        setattr(kind, name, dying(getattr(kind, name)))
    run_search(sweep_dir, die_at_first, storage=storage, **KILLED)


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.search.searching", "sqlalchemy.dialects.sqlite"])
    return context


@pytest.mark.slow
@pytest.mark.parametrize("file", ["shared.log", *slow("shared.db")])
def test_two_processes_share_a_study_and_its_total(file: str, tmp_path: Path, processes: ForkServerContext) -> None:
    storage, barrier = str(tmp_path / file), processes.Barrier(2)
    both = [
        processes.Process(target=_search_beside, args=(tmp_path / name, storage, n_jobs, barrier))
        for name, n_jobs in (("a", 1), ("b", 2))
    ]
    for process in both:
        process.start()
    assert [Started(process, tmp_path / "output").end() for process in both] == [0, 0]
    trials = run_search(tmp_path / "c", storage=storage, study_name="both", n_trials=12)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 12
    assert len({json.dumps(values) for values in drawn(trials)}) == 12
    numbers = {name: {int(path.name) for path in (tmp_path / name).glob("[0-9]*")} for name in "abc"}
    assert numbers["a"]
    assert numbers["b"]
    assert not numbers["a"] & numbers["b"]
    assert numbers["a"] | numbers["b"] == {trial.number for trial in trials}
    assert not numbers["c"]


@pytest.mark.slow
def test_a_search_killed_at_every_step_and_repeated_ends_as_one_that_is_not(
    tmp_path: Path, processes: ForkServerContext
) -> None:
    ended: list[int] = []
    storage = str(tmp_path / "killed" / "study.db")
    while not ended or ended[-1] == -signal.SIGKILL:
        process = processes.Process(target=_search_and_die, args=(tmp_path / "killed", storage))
        process.start()
        ended.append(Started(process, tmp_path / "output").end())
    # each trial is begun, gets three values, and is told: one entry at a time
    assert ended == [-signal.SIGKILL] * (4 * (1 + 3 + 1) - 1) + [0]
    killed = run_search(tmp_path / "killed", storage=storage, **KILLED)
    whole = run_search(tmp_path / "whole", **KILLED)
    assert [trial.state for trial in killed] == [TrialState.COMPLETE] * 4
    assert drawn(killed) == drawn(whole)
    assert [trial.values for trial in killed] == [trial.values for trial in whole]


def test_a_second_process_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    class Nested(Jobs):
        def __call__(self, batch: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
            with pytest.raises(ConfigError, match="another process searches there"):
                run_search(self.sweep_dir, n_trials=1)
            return super().__call__(batch, first)

    assert len(run_search(tmp_path, launch=Nested(tmp_path), n_trials=1)) == 1
