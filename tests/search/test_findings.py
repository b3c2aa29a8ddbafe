"""What a search prints and writes at its end."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.trial import TrialState

from src.config.metrics import number
from src.run.trial import PrunedError
from src.search.findings import command, report
from tests.search.searching import SPACE, Values, bowl, search_study

TWO = {"val/loss": "minimize", "test/accuracy": "maximize"}


def two(values: Values) -> dict[str, float]:
    return {"val/loss": bowl(values), "test/accuracy": values["x"]}


def test_the_best_trial_is_named_with_its_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["src/train.py", "experiment=a_search"])
    study = search_study(tmp_path, n_trials=8, space=(*SPACE, "model=mlp"))
    report(study)
    best = min(study.trials(), key=lambda trial: trial.value or 0)
    found = yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())
    assert found == {
        "name": "optuna",
        "best_params": best.params,
        "best_value": best.value,
        "best_trial": best.number,
    }
    out = capsys.readouterr().out
    assert "study: 8 trials: 8 completed" in out
    assert number(best.value or 0) in out
    words = shlex.split(command(study, best))
    assert words[:4] == ["python", "-m", "src.train", "model=mlp"]
    assert words[-1] == "hydra.mode=RUN"
    assert {f"x={best.params['x']}", f"kind={best.params['kind']}"} <= set(words)


def test_the_command_survives_a_shell(tmp_path: Path) -> None:
    study = search_study(tmp_path, lambda _: 1.0, n_trials=1, space=("hidden=[8, 8],[8, 8]", "name='a b','a b'"))
    words = shlex.split(command(study, study.trials()[0]))
    assert words[3:-1] == ["hidden=[8,8]", "name='a b'"]


def test_several_objectives_have_several_best_trials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = search_study(tmp_path, two, n_trials=12, objectives=TWO, sampler="random")
    report(study)
    found = yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())
    rows = [(trial.number, trial.values) for trial in study.trials()]
    front = [
        number
        for number, (loss, accuracy) in rows
        if not any(other != [loss, accuracy] and other[0] <= loss and other[1] >= accuracy for _, other in rows)
    ]
    assert [row["trial"] for row in found["solutions"]] == front
    assert "Pareto front" in capsys.readouterr().out


def test_failed_and_pruned_trials_are_counted_and_are_never_the_best(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def moody(values: Values) -> float:
        if values["kind"] == "a":
            raise ValueError("no")
        if values["x"] > 0.5:
            raise PrunedError({"val/loss": -1.0}, epoch=3)
        return bowl(values)

    study = search_study(tmp_path, moody, n_trials=12, sampler="random")
    counts = {state: sum(trial.state == state for trial in study.trials()) for state in TrialState}
    done, pruned, failed = (counts[state] for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    assert min(done, pruned, failed) > 0
    report(study)
    assert f"12 trials: {done} completed, {pruned} pruned, {failed} failed" in capsys.readouterr().out
    assert yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())["best_value"] >= 0


def test_where_nothing_has_completed_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_: Values) -> Any:
        raise ValueError("no")

    report(search_study(tmp_path, fails, n_trials=2))
    out = capsys.readouterr().out
    assert "study: 2 trials: 2 failed" in out
    assert "no trial has completed" in out
    assert not (tmp_path / "optimization_results.yaml").exists()
