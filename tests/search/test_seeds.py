"""Trials that are repeated with several seeds."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.trial import TrialState

from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.search.check import refuse_searched_seed
from src.search.findings import command, report
from src.search.study import SearchStudy
from src.search.winner import winner
from tests.search.searching import Jobs, Values, bowl, options, read, run_search, search_study
from tests.sweep.commands import run as run_command
from tests.tasks.runs import QUIET

SPACE = ("x=interval(-2,2)", "y=0.1", "kind=b")


def noisy(values: Values) -> float:
    """The bowl, and a seed's own luck, the same for all trials."""
    return bowl(values) + 0.1 * float(values["seed"] % 3)


def test_a_trial_has_a_directory_for_each_seed_and_the_mean_of_their_values(tmp_path: Path) -> None:
    trials = run_search(tmp_path, noisy, space=SPACE, n_trials=2, n_seeds=3, seed=5)
    for trial in trials:
        runs = [RunDir(tmp_path / str(trial.number) / f"seed_{seed}") for seed in (5, 6, 7)]
        assert [run.config().seed for run in runs] == [5, 6, 7]
        values = [run.result().metrics["val/loss"] for run in runs]  # type: ignore[union-attr] # they have ended
        assert trial.value == pytest.approx(sum(filter(None, values)) / 3)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["0", "1"]


def test_the_seed_of_the_command_line_is_the_first_one(tmp_path: Path) -> None:
    launch = Jobs(tmp_path)
    run_search(tmp_path, space=(*SPACE, "seed=9"), launch=launch, n_trials=1, n_seeds=2, seed=9)
    assert [line.split()[-2:] for line in launch.batches[0]] == [
        ["seed=9", "hydra.sweep.subdir=0/seed_9"],
        ["seed=10", "hydra.sweep.subdir=0/seed_10"],
    ]


def test_seeds_of_a_trial_are_launched_together_and_trials_share_what_is_left_of_the_batch(tmp_path: Path) -> None:
    launch = Jobs(tmp_path)
    run_search(tmp_path, space=SPACE, launch=launch, n_trials=4, n_seeds=3, n_jobs=6)
    assert [len(batch) for batch in launch.batches] == [6, 6]


@pytest.mark.parametrize("after", range(1, 6))
def test_an_interrupted_search_goes_on_with_the_seeds_that_are_left(after: int, tmp_path: Path) -> None:
    class Interrupted(Jobs):
        def run(self, overrides: Any) -> Any:
            if len(self.ran) == after:
                raise KeyboardInterrupt
            return super().run(overrides)

    with pytest.raises(KeyboardInterrupt):
        run_search(tmp_path / "twice", noisy, space=SPACE, launch=Interrupted(tmp_path / "twice", noisy), n_trials=2,
                   n_seeds=3)  # fmt: skip
    again = Jobs(tmp_path / "twice", noisy)
    trials = run_search(tmp_path / "twice", noisy, space=SPACE, launch=again, n_trials=2, n_seeds=3)
    whole = run_search(tmp_path / "once", noisy, space=SPACE, n_trials=2, n_seeds=3)
    assert [trial.values for trial in trials] == [trial.values for trial in whole]
    assert len(again.ran) == 6 - after


def test_a_trial_of_which_a_seed_fails_has_failed_and_says_which(tmp_path: Path) -> None:
    def fails(values: Values) -> float:
        if values["seed"] == 1:
            raise RuntimeError("no room")
        return bowl(values)

    (trial,) = run_search(tmp_path, fails, space=SPACE, n_trials=1, n_seeds=3)
    assert (trial.state, trial.user_attrs["error"]) == (TrialState.FAIL, "seed 1: RuntimeError: no room")


def test_a_trial_without_a_finite_value_with_one_seed_has_failed(tmp_path: Path) -> None:
    (trial,) = run_search(
        tmp_path, lambda values: float("nan") if values["seed"] else 1.0, space=SPACE, n_trials=1, n_seeds=2
    )
    assert (trial.state, trial.user_attrs["error"]) == (TrialState.FAIL, "val/loss: no finite value")


def test_another_number_of_seeds_is_another_search(tmp_path: Path) -> None:
    run_search(tmp_path, space=SPACE, n_trials=1, n_seeds=2)
    with pytest.raises(ConfigError, match=r"hydra.sweeper.n_seeds: stored 2, given 3"):
        run_search(tmp_path, space=SPACE, n_trials=2, n_seeds=3)


def test_seeds_are_not_searched_and_repeated_at_once(tmp_path: Path) -> None:
    space = read(["seed=range(0,5)"])
    with pytest.raises(ConfigError, match=r"seed=range\(0,5\): hydra.sweeper.n_seeds=3 repeats each trial"):
        refuse_searched_seed(options(tmp_path, n_seeds=3), space)
    refuse_searched_seed(options(tmp_path, n_seeds=1), space)


@pytest.mark.slow
@pytest.mark.parametrize("given", [(), ("sweep.dry_run=true",)])
def test_searched_seeds_that_are_repeated_are_refused_in_one_message(given: tuple[str, ...], tmp_path: Path) -> None:
    asked = ("-m", *QUIET, "hydra/sweeper=optuna", "hydra.sweeper.n_seeds=3", "seed=0,1,2", *given)
    assert run_command(*asked, f"hydra.sweep.dir={tmp_path}/sweep", output=tmp_path / "output") == 1
    (line,) = (tmp_path / "output").read_text().splitlines()
    assert line.startswith("seed=0,1,2: hydra.sweeper.n_seeds=3 repeats each trial")
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_seeds": 0}, "hydra.sweeper.n_seeds: got 0; allowed: a whole number from 1"),
        ({"n_seeds": 2, "pruner": "median"}, "hydra.sweeper.n_seeds: got 2; allowed: 1 with a pruner"),
        ({"n_seeds": 2, "seed": 2**32 - 1}, "the largest is 4294967295"),
    ],
)
def test_a_number_of_seeds_that_cannot_be_is_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        options(tmp_path, **changes)


def study_of(tmp_path: Path, formula: Any, **changes: Any) -> SearchStudy:
    return search_study(tmp_path, formula, space=("x=-2,-1,0,1", "y=0.1", "kind=b"), sampler="grid", **changes)


def test_a_trial_that_beats_all_others_on_its_seeds_is_the_winner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def formula(values: Values) -> float:
        return bowl(values) + 0.001 * float((values["seed"] * (7 + values["x"])) % 5)

    study = study_of(tmp_path, formula, n_trials=4, n_seeds=12)
    best = study.optuna.best_trial
    assert best.params["x"] == "1"
    found = winner(study)
    assert found is not None
    assert found.text == f"winner: trial {best.number}, which beats every other trial on the 12 seeds they share"
    report(study)
    out = capsys.readouterr().out
    assert found.text in out
    assert "trial of the best mean over 12 seeds" in " ".join(out.split())
    assert yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())["has_clear_winner"] is True


def test_a_trial_of_which_seeds_fail_is_no_rival(tmp_path: Path) -> None:
    def formula(values: Values) -> float:
        if values["x"] == 0 and values["seed"]:
            raise RuntimeError("no room")
        # the one seed of it that does not fail is the best of all
        return -1.0 if values["x"] == 0 else bowl(values)

    study = study_of(tmp_path, formula, n_trials=4, n_seeds=12)
    found = winner(study)
    assert found is not None
    number = study.optuna.best_trial.number
    assert study.optuna.best_trial.params["x"] == "1"
    assert found.text == (
        f"winner: trial {number}, which beats every other trial that completed on the 12 seeds they share"
    )


def test_several_objectives_are_means_over_seeds_each_in_its_direction(tmp_path: Path) -> None:
    def formula(values: Values) -> dict[str, float]:
        return {"val/loss": bowl(values) + values["seed"], "val/accuracy": 0.1 * values["x"] + 0.5 * values["seed"]}

    study = study_of(tmp_path, formula, n_trials=4, n_seeds=2, objectives=["val/loss", "val/accuracy"])
    assert [direction.name for direction in study.optuna.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert [trial.params["x"] for trial in study.optuna.best_trials] == ["1"]
    assert study.optuna.best_trials[0].values == pytest.approx([0.5, 0.35])
    assert winner(study) is None


def test_a_metric_that_is_to_be_large_has_its_winner(tmp_path: Path) -> None:
    def formula(values: Values) -> dict[str, float]:
        return {"val/accuracy": 0.5 + 0.1 * values["x"] + 0.001 * values["seed"]}

    study = study_of(tmp_path, formula, n_trials=4, n_seeds=12, metric="val/accuracy")
    found = winner(study)
    assert study.optuna.best_trial.params["x"] == "1"
    assert found is not None
    assert found.is_clear


def test_where_luck_decides_there_is_no_winner(tmp_path: Path) -> None:
    def formula(values: Values) -> float:
        return float((values["seed"] * (5 + values["x"])) % 7 + 0.001 * values["x"])

    study = study_of(tmp_path, formula, n_trials=4, n_seeds=7)
    found = winner(study)
    assert found is not None
    assert not found.is_clear
    assert found.text.startswith("no clear winner between trial ")


def test_with_one_seed_the_best_is_the_luckiest(tmp_path: Path) -> None:
    found = winner(study_of(tmp_path, bowl, n_trials=4))
    assert found is not None
    assert "is the luckiest of 4 with one seed each" in found.text
    assert not found.is_clear


def test_a_trial_again_is_a_sweep_over_its_seeds(tmp_path: Path) -> None:
    study = search_study(tmp_path, noisy, space=(*SPACE, "seed=2"), n_trials=1, n_seeds=3, seed=2)
    words = shlex.split(command(study, study.trials()[0]))
    assert words[:4] == ["python", "-m", "src.train", "-m"]
    assert words[-2:] == ["seed=2,3,4", "hydra/sweeper=grid"]
    assert sum(word.startswith("seed=") for word in words) == 1
