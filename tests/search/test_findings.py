"""What a search prints, writes and draws at its end."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.trial import TrialState

from src.run.directory import PrunedError
from src.search.findings import command, pictures, report
from tests.search.searching import SPACE, Values, bowl, search_book

TWO = {"val/loss": "minimize", "test/accuracy": "maximize"}


def two(values: Values) -> dict[str, float]:
    return {"val/loss": bowl(values), "test/accuracy": values["x"]}


def test_the_best_trial_is_named_with_its_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = search_book(tmp_path, n_trials=8, space=(*SPACE, "model=mlp"))
    report(book)
    best = min(book.trials(), key=lambda trial: trial.value or 0)
    found = yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())
    assert found == {
        "name": "optuna",
        "best_params": best.params,
        "best_value": best.value,
        "best_trial": best.number,
    }
    out = capsys.readouterr().out
    assert "study: 8 trials: 8 completed" in out
    assert f"{best.value:.4g}" in out
    words = shlex.split(command(book, best))
    assert words[:4] == ["python", "-m", "src.train", "model=mlp"]
    assert words[-1] == "hydra.mode=RUN"
    assert {f"x={best.params['x']}", f"kind={best.params['kind']}"} <= set(words)


def test_the_command_survives_a_shell(tmp_path: Path) -> None:
    book = search_book(tmp_path, lambda _: 1.0, n_trials=1, space=("hidden=[8, 8],[8, 8]", "name='a b','a b'"))
    words = shlex.split(command(book, book.trials()[0]))
    assert words[3:-1] == ["hidden=[8,8]", "name='a b'"]


def test_several_objectives_have_several_best_trials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = search_book(tmp_path, two, n_trials=12, objectives=TWO, sampler="random")
    report(book)
    found = yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())
    rows = [(trial.number, trial.values) for trial in book.trials()]
    front = [
        number
        for number, (loss, accuracy) in rows
        if not any(other != [loss, accuracy] and other[0] <= loss and other[1] >= accuracy for _, other in rows)
    ]
    assert [row["trial"] for row in found["solutions"]] == front
    assert "Pareto front" in capsys.readouterr().out


@pytest.mark.slow
def test_pictures_tell_history_slices_importances_and_front(tmp_path: Path) -> None:
    one = search_book(tmp_path / "one", n_trials=6)
    assert set(pictures(one, one.trials())) == {"history", "slices", "importances"}
    several = search_book(tmp_path / "two", two, n_trials=6, objectives=TWO, sampler="random")
    names = {"history_val_loss", "history_test_accuracy", "slices_val_loss", "slices_test_accuracy"}
    assert set(pictures(several, several.trials())) == {*names, "importances", "pareto"}
    report(several)
    assert {path.stem for path in (tmp_path / "two" / "plots").iterdir()} == {*names, "importances", "pareto"}


def test_slices_show_all_choices_and_logarithms(tmp_path: Path) -> None:
    book = search_book(tmp_path, n_trials=3)
    x, y, kind = pictures(book, book.trials())["slices"].axes
    assert (x.get_xscale(), y.get_xscale()) == ("linear", "log")
    assert [label.get_text() for label in kind.get_xticklabels()] == ["a", "b"]


@pytest.mark.slow
def test_a_searched_value_with_one_choice_and_equal_results_are_no_trouble(tmp_path: Path) -> None:
    report(search_book(tmp_path / "same", lambda _: 1.0, n_trials=6))
    assert not (tmp_path / "same" / "plots" / "importances.png").is_file()
    report(search_book(tmp_path / "one", n_trials=6, space=(*SPACE, "only=choice(1)")))
    assert (tmp_path / "one" / "plots" / "importances.png").is_file()


def test_one_trial_is_enough_for_a_report(tmp_path: Path) -> None:
    report(search_book(tmp_path, n_trials=1))
    assert (tmp_path / "plots" / "history.png").is_file()
    assert not (tmp_path / "plots" / "importances.png").is_file()


def test_failed_and_pruned_trials_are_counted_and_are_never_the_best(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def moody(values: Values) -> float:
        if values["kind"] == "a":
            raise ValueError("no")
        if values["x"] > 0.5:
            raise PrunedError({"val/loss": -1.0}, epoch=3)
        return bowl(values)

    book = search_book(tmp_path, moody, n_trials=12, sampler="random")
    counts = {state: sum(trial.state == state for trial in book.trials()) for state in TrialState}
    done, pruned, failed = (counts[state] for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    assert min(done, pruned, failed) > 0
    report(book)
    assert f"12 trials: {done} completed, {pruned} pruned, {failed} failed" in capsys.readouterr().out
    assert yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())["best_value"] >= 0


def test_where_nothing_has_completed_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_: Values) -> Any:
        raise ValueError("no")

    report(search_book(tmp_path, fails, n_trials=2))
    out = capsys.readouterr().out
    assert "study: 2 trials: 2 failed" in out
    assert "no trial has completed" in out
    assert not (tmp_path / "optimization_results.yaml").exists()
