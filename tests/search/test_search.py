"""Searches: what is launched, told, taken up again and refused."""

import errno
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig
from optuna.trial import TrialState

from src.config.errors import ConfigError
from src.launch.job import JobDiedError, JobSpec
from src.run.directory import RunDir
from src.run.reading import UnreadableError
from src.run.trial import PrunedError, TrialLink
from src.search.search import search
from tests.search.searching import SPACE, Jobs, Values, bowl, compose, drawn, options, read, run_search

NUMBERS = ("x=interval(-2,2)", "y=tag(log,interval(0.01,1))")
GRID = ("x=range(-2,3,2)", "y=0.1,1", "kind=a,b")


def of_numbers(values: Values) -> float:
    return bowl({"kind": "b", **values})


# Samplers


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "random", "nsgaii", "cmaes"])
def test_a_search_interrupted_between_any_two_trials_draws_the_same_as_one_that_is_not(
    sampler: str, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {"space": NUMBERS, "sampler": sampler}
    whole = run_search(tmp_path / "whole", of_numbers, n_trials=13, **changes)
    for n_trials in (1, 5, 12, 13):
        parts = run_search(tmp_path / "parts", of_numbers, n_trials=n_trials, **changes)
    assert [trial.state for trial in whole] == [TrialState.COMPLETE] * 13
    assert len({json.dumps(values) for values in drawn(whole)}) == 13
    assert drawn(parts) == drawn(whole)
    assert [trial.values for trial in parts] == [trial.values for trial in whole]


def test_the_seed_of_the_sampler_decides_what_is_drawn(tmp_path: Path) -> None:
    def first(name: str, seed: int) -> dict[str, Any]:
        sampler = {"_target_": "optuna.samplers.RandomSampler", "seed": seed}
        (trial,) = drawn_with(tmp_path / name, sampler)
        return trial

    def drawn_with(sweep_dir: Path, sampler: dict[str, Any]) -> list[dict[str, Any]]:
        given = options(sweep_dir, n_trials=1)
        object.__setattr__(given, "sampler", sampler)
        study: list[Any] = []
        search(
            given, read(SPACE), sweep_dir=sweep_dir, settings={}, compose=compose, launch=Jobs(sweep_dir),
            report=lambda book: study.append(book.trials()),
        )  # fmt: skip
        return drawn(study[0])

    assert first("a", 1) == first("b", 1) != first("c", 2)


@pytest.mark.slow
def test_tpe_learns_where_to_look(tmp_path: Path) -> None:
    late: dict[str, float] = {}
    for sampler in ("tpe", "random"):
        trials = run_search(tmp_path / sampler, n_trials=40, sampler=sampler)
        late[sampler] = float(np.median([trial.value for trial in trials[20:]]))
    assert late["tpe"] < late["random"] / 2


def test_a_grid_tries_every_combination_once_and_then_ends(tmp_path: Path) -> None:
    trials = run_search(tmp_path, space=GRID, sampler="grid", n_trials=5)
    assert len(trials) == 5
    trials = run_search(tmp_path, space=GRID, sampler="grid", n_trials=1000, n_jobs=4)
    combinations = {(values["x"], values["y"], values["kind"]) for values in drawn(trials)}
    assert len(trials) == len(combinations) == 3 * 2 * 2
    assert {x for x, _, _ in combinations} == {-2, 0, 2}


def test_an_interval_is_no_grid(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"x: interval\(-2,2\) has no list of values for a grid"):
        run_search(tmp_path, sampler="grid")


# Batches, numbers, directories


def test_batches_are_as_large_as_asked_and_numbers_name_directories(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    run_search(tmp_path, launch=jobs, n_trials=5, n_jobs=2)
    assert [len(batch) for batch in jobs.batches] == [2, 2, 1]
    assert sorted(path.name for path in tmp_path.glob("[0-9]*")) == ["0", "1", "2", "3", "4"]
    run_search(tmp_path, launch=jobs, n_trials=8, n_jobs=3)
    assert jobs.ran == list(range(8))
    for number, line in enumerate(text for batch in jobs.batches for text in batch):
        assert line.endswith(f"hydra.sweep.subdir={number}")


def test_as_many_jobs_as_the_launcher_runs_are_launched_unless_told_otherwise(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    run_search(tmp_path, launch=jobs, n_trials=4, n_parallel=4)
    assert [len(batch) for batch in jobs.batches] == [4]


def test_what_is_complete_is_not_launched_again(tmp_path: Path) -> None:
    before = run_search(tmp_path, n_trials=3)
    jobs = Jobs(tmp_path)
    assert drawn(run_search(tmp_path, launch=jobs, n_trials=3)) == drawn(before)
    assert drawn(run_search(tmp_path, launch=jobs, n_trials=2)) == drawn(before)
    assert jobs.ran == []


def test_a_search_is_not_extended_and_says_what_to_do(tmp_path: Path) -> None:
    before, jobs = run_search(tmp_path, n_trials=3), Jobs(tmp_path)
    for folder in (tmp_path, tmp_path / "new"):
        with pytest.raises(
            ConfigError, match=r"resume=extend: a search is not extended, .* in a copy of its directory"
        ):
            run_search(folder, space=[*SPACE, "resume=extend"], launch=jobs, n_trials=4)
    assert jobs.ran == []
    assert not (tmp_path / "new").exists()
    assert drawn(run_search(tmp_path, n_trials=3)) == drawn(before)


# How trials end


def test_a_failed_job_is_a_failed_trial_and_the_search_goes_on(tmp_path: Path) -> None:
    def fails_on_a(values: Values) -> float:
        if values["kind"] == "a":
            raise ValueError("kind a is bad")
        return bowl(values)

    trials = run_search(tmp_path, fails_on_a, n_trials=12)
    failed = [trial for trial in trials if trial.params["kind"] == "a"]
    assert failed
    assert {trial.user_attrs["error"] for trial in failed} == {"ValueError: kind a is bad"}
    assert all((trial.state == TrialState.FAIL) == (trial in failed) for trial in trials)
    assert len(trials) == 12
    jobs = Jobs(tmp_path)
    run_search(tmp_path, launch=jobs, n_trials=13)
    assert jobs.ran == [12]


def test_a_result_that_is_no_number_is_a_failed_trial(tmp_path: Path) -> None:
    (trial,) = run_search(tmp_path, lambda _: float("nan"), n_trials=1)
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["error"] == "val/loss: no finite value"


def test_a_pruned_run_is_a_pruned_trial(tmp_path: Path) -> None:
    def prunes(values: Values) -> float:
        raise PrunedError({"val/loss": bowl(values)}, epoch=3)

    (trial,) = run_search(tmp_path, prunes, n_trials=1)
    assert trial.state == TrialState.PRUNED


def test_several_objectives_each_have_their_direction(tmp_path: Path) -> None:
    def two(values: Values) -> dict[str, float]:
        return {"val/loss": bowl(values), "test/accuracy": values["x"]}

    objectives = ["val/loss", "test/accuracy", "n_parameters"]
    trials = run_search(tmp_path, two, n_trials=3, objectives=objectives, sampler="nsgaii")
    for trial in trials:
        assert trial.values == [bowl(trial.params), trial.params["x"], 7]
    study = optuna.load_study(study_name="test", storage=journal(tmp_path))
    assert [way.name for way in study.directions] == ["MINIMIZE", "MAXIMIZE", "MINIMIZE"]


def journal(sweep_dir: Path) -> optuna.storages.JournalStorage:
    backend = optuna.storages.journal.JournalFileBackend(str(sweep_dir / "study.log"))
    return optuna.storages.JournalStorage(backend)


def test_values_that_cannot_be_composed_together_are_a_failed_trial(tmp_path: Path) -> None:
    def picky(overrides: Sequence[str]) -> DictConfig:
        cfg = compose(overrides)
        if cfg.kind == cfg.other:
            raise ConfigCompositionException("they do not go together")
        return cfg

    given, trials = options(tmp_path, n_trials=8), []
    search(
        given, read(["kind=a,b", "other=c,a"]), sweep_dir=tmp_path, settings={}, compose=picky,
        launch=Jobs(tmp_path, lambda _: 1.0), report=lambda book: trials.extend(book.trials()),
    )  # fmt: skip
    assert {trial.state for trial in trials} == {TrialState.COMPLETE, TrialState.FAIL}
    for trial in trials:
        assert (trial.state == TrialState.FAIL) == (trial.params["kind"] == trial.params["other"])
    with pytest.raises(ConfigCompositionException):
        search(
            given, read(["kind=a,b", "other=a,b"]), sweep_dir=tmp_path / "new", settings={}, compose=picky,
            launch=Jobs(tmp_path),
        )  # fmt: skip
    assert not (tmp_path / "new").exists()


# Jobs that leave nothing


class Dying(Jobs):
    """A launcher of which some jobs are killed, `n_deaths` times each of `numbers`, and what it does then."""

    def __init__(self, sweep_dir: Path, numbers: Sequence[int], *, n_deaths: int, then: str = "nothing") -> None:
        super().__init__(sweep_dir)
        self.left, self.then = dict.fromkeys(numbers, n_deaths), then

    def __call__(self, batch: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        done = super().__call__(batch, first)
        for number in list(self.ran[-len(batch) :]):
            if self.left.get(number, 0):
                self.left[number] -= 1
                RunDir(self.sweep_dir / str(number)).result_file.unlink()
                if self.then == "raises":
                    raise RuntimeError("a worker was killed")
                if self.then == "tells":
                    done[self.ran[-len(batch) :].index(number)] = JobSpec(number, ()).died("a worker was killed")
        return done


@pytest.mark.parametrize("then", ["nothing", "raises", "tells"])
def test_a_killed_job_is_launched_once_more(then: str, tmp_path: Path) -> None:
    jobs = Dying(tmp_path, [1], n_deaths=1, then=then)
    trials = run_search(tmp_path, launch=jobs, n_trials=4, n_jobs=2)
    assert jobs.ran == [0, 1, 1, 2, 3]
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}


def test_a_job_that_is_killed_twice_has_failed(tmp_path: Path) -> None:
    jobs = Dying(tmp_path, [1], n_deaths=9)
    trials = run_search(tmp_path, launch=jobs, n_trials=4, n_jobs=2)
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert "its process was killed" in trials[1].user_attrs["error"]


def test_a_launcher_that_starts_nothing_ends_the_search_and_loses_no_trial(tmp_path: Path) -> None:
    def broken(batch: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        raise FileNotFoundError(f"no sbatch for {len(batch)} jobs from {first}")

    def refused(batch: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        return [JobSpec(first + i, ()).died("no such partition") for i in range(len(batch))]

    with pytest.raises(FileNotFoundError, match="no sbatch for 2 jobs from 0"):
        run_search(tmp_path, launch=broken, n_jobs=2)
    with pytest.raises(JobDiedError, match="no such partition"):
        run_search(tmp_path, launch=refused, n_jobs=2)
    jobs = Jobs(tmp_path)
    trials = run_search(tmp_path, launch=jobs, n_trials=2)
    assert jobs.ran == [0, 1]
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}


def test_a_job_that_raises_without_a_record_has_failed_with_its_message(tmp_path: Path) -> None:
    def refuses(batch: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        return [JobReturn(status=JobStatus.FAILED, _return_value=ConfigError(f"job {first}: taken")) for _ in batch]

    (trial,) = run_search(tmp_path, launch=refuses, n_trials=1)
    assert trial.user_attrs["error"] == "ConfigError: job 0: taken"


@pytest.mark.parametrize("name", ["1", "1/result.json", "1/trial.json"])
def test_a_trial_whose_directory_cannot_be_used_waits_while_the_others_go_on(name: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"n_trials": 3, "pruner": "median" if "trial" in name else "none"}
    in_the_way = tmp_path / name
    if name == "1":
        in_the_way.write_text("mine")
    else:
        in_the_way.mkdir(parents=True)
    with pytest.raises((OSError, UnreadableError), match=f"{name}\\b"):
        run_search(tmp_path, launch=Jobs(tmp_path), **given)
    assert json.loads((tmp_path / "2" / "result.json").read_text())["status"] == "completed"
    if name == "1":
        in_the_way.unlink()
    else:
        in_the_way.rmdir()
    trials = run_search(tmp_path, launch=Jobs(tmp_path), **given)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device", "x"), sqlite3.OperationalError("database or disk is full")],
)
def test_a_trial_that_a_full_disk_has_failed_is_run_again_by_the_next_call(error: Exception, tmp_path: Path) -> None:
    whole = run_search(tmp_path / "whole", n_trials=4)

    def fills_up(values: Values) -> float:
        if values["x"] != drawn(whole)[0]["x"]:
            raise error
        return bowl(values)

    jobs = Jobs(tmp_path / "parts", fills_up)
    with pytest.raises(OSError, match="No space left on device") as raised:
        run_search(tmp_path / "parts", launch=jobs, n_trials=4)
    assert raised.value.filename == str(tmp_path / "parts" / "1")
    assert jobs.ran == [0, 1]
    trials = run_search(tmp_path / "parts", n_trials=4)
    assert drawn(trials) == drawn(whole)
    assert [(trial.state, trial.values) for trial in trials] == [(trial.state, trial.values) for trial in whole]


def test_a_launcher_without_room_for_its_files_ends_the_search_and_loses_no_trial(tmp_path: Path) -> None:
    def full(batch: Sequence[Sequence[str]], first: int) -> list[JobReturn]:  # noqa: ARG001
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "1" / ".hydra" / "overrides.yaml"))

    run_search(tmp_path, n_trials=1)
    with pytest.raises(OSError, match="No space left on device"):
        run_search(tmp_path, launch=full, n_trials=2)
    assert {trial.state for trial in run_search(tmp_path, n_trials=2)} == {TrialState.COMPLETE}


def test_what_a_run_went_on_from_is_gone_once_its_trial_has_been_told(tmp_path: Path) -> None:
    class Killed(Jobs):
        def run(self, overrides: Sequence[str]) -> JobReturn:
            done = super().run(overrides)
            previous = RunDir(self.sweep_dir / str(self.ran[-1])).previous
            previous.parent.mkdir()
            previous.touch()
            return done

    run_search(tmp_path, launch=Killed(tmp_path), n_trials=2)
    assert not list(tmp_path.rglob("*.ckpt"))


# Pruning


def test_a_job_finds_its_trial_if_the_search_prunes(tmp_path: Path) -> None:
    run_search(tmp_path / "a", n_trials=1, pruner="median")
    link = TrialLink.read(tmp_path / "a" / "0")
    assert link is not None
    assert (link.number, link.study, link.monitor) == (0, "test", "val/loss")
    assert link.storage == f"journal://{tmp_path}/a/study.log"
    run_search(tmp_path / "b", n_trials=1)
    assert TrialLink.read(tmp_path / "b" / "0") is None
