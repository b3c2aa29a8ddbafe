"""A study that several commands work on, one after the other or side by side."""

import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn
from optuna.trial import TrialState

from src.config.errors import ConfigError
from tests.search.searching import SPACE, Jobs, Values, bowl, drawn, run_search


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
        ({"space": ("x=interval(-2,3)", *SPACE[1:])}, r"x: interval\(-2,2\) there, interval\(-2,3\) now"),
        ({"space": (*SPACE, "z=1,2")}, r"z: absent there, 1,2 now"),
        ({"space": SPACE[:2]}, r"kind: a,b there, absent now"),
        ({"space": (*SPACE, "fixed=3")}, r"fixed: absent there, 3 now"),
        ({"settings": {"lr": 0.2}}, r"lr: 0\.1 there, 0\.2 now"),
        ({"sampler": "random"}, r"hydra\.sweeper\.sampler\._target_: optuna\.samplers\.TPESampler there"),
        ({"pruner": "median"}, r"hydra\.sweeper\.pruner\._target_: optuna\.pruners\.NopPruner there"),
        ({"objectives": {"val/loss": "maximize"}}, r"hydra\.sweeper\.objectives\.val/loss: minimize there"),
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


def _search_in_a_process(sweep_dir: Path, storage: str, n_trials: int, n_jobs: int) -> None:
    def slow(values: Values) -> float:
        time.sleep(0.02)
        return bowl(values)

    run_search(sweep_dir, slow, storage=storage, study_name="both", n_trials=n_trials, n_jobs=n_jobs)


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.search.searching", "sqlalchemy.dialects.sqlite"])
    return context


@pytest.mark.parametrize("file", ["shared.log", "shared.db"])
def test_two_processes_share_a_study_and_its_total(
    file: str, tmp_path: Path, processes: multiprocessing.context.ForkServerContext
) -> None:
    storage = str(tmp_path / file)
    both = [
        processes.Process(target=_search_in_a_process, args=(tmp_path / name, storage, 12, n_jobs))
        for name, n_jobs in (("a", 1), ("b", 2))
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    trials = run_search(tmp_path / "c", storage=storage, study_name="both", n_trials=12)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 12
    assert len({json.dumps(values) for values in drawn(trials)}) == 12
    numbers = {name: {int(path.name) for path in (tmp_path / name).glob("[0-9]*")} for name in "abc"}
    assert not numbers["a"] & numbers["b"]
    assert numbers["a"] | numbers["b"] == {trial.number for trial in trials}
    assert not numbers["c"]


def test_a_search_killed_at_random_moments_and_repeated_ends_as_one_that_is_not(
    tmp_path: Path, processes: multiprocessing.context.ForkServerContext
) -> None:
    moments, n_kills, storage = random.Random(0), 0, str(tmp_path / "killed" / "study.db")
    for attempt in range(30):
        process = processes.Process(target=_search_in_a_process, args=(tmp_path / "killed", storage, 12, 1))
        process.start()
        process.join(moments.uniform(0.3, 1.0) if attempt < 6 else 60)
        if process.exitcode is not None:
            assert process.exitcode == 0
            break
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        n_kills += 1
    assert n_kills >= 2
    killed = run_search(tmp_path / "killed", storage=storage, study_name="both", n_trials=12)
    whole = run_search(tmp_path / "whole", n_trials=12)
    assert [trial.state for trial in killed] == [TrialState.COMPLETE] * 12
    assert drawn(killed) == drawn(whole)
    assert [trial.values for trial in killed] == [trial.values for trial in whole]


def test_a_second_process_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    class Nested(Jobs):
        def __call__(self, batch: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
            with pytest.raises(ConfigError, match="another process searches there"):
                run_search(self.sweep_dir, n_trials=1)
            return super().__call__(batch, first)

    assert len(run_search(tmp_path, launch=Nested(tmp_path), n_trials=1)) == 1
