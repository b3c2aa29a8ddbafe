"""Optuna's charts of a study, in report.html."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState

from src.analysis.page.search import search_charts
from src.run.trial import PrunedError, TrialLink, open_storage
from src.search.pictures import figures, write_charts
from tests.search.searching import SPACE, Values, bowl, search_study

MANY = {"val/loss": "minimize", "test/accuracy": "maximize", "n_parameters": "minimize", "train/loss": "minimize"}


def many(values: Values) -> dict[str, float]:
    return {"val/loss": bowl(values), "test/accuracy": values["x"], "train/loss": values["y"]}


def test_one_objective_has_its_history_slices_and_importances(tmp_path: Path) -> None:
    study = search_study(tmp_path, n_trials=6)
    found = figures(study)
    assert list(found) == [
        "val/loss by trial",
        "val/loss by searched value",
        "What decides val/loss",
        "val/loss over x and y",
    ]
    trials, best, *_ = found["val/loss by trial"].data
    losses = [trial.value for trial in study.trials()]
    assert list(trials.y) == losses
    assert list(best.y) == list(np.minimum.accumulate(np.asarray(losses, dtype=float)))
    assert found["What decides val/loss"].layout.yaxis.type is None, "names, no numbers"
    (bars,) = found["What decides val/loss"].data
    assert set(bars.y) == {"x", "y", "kind"}
    assert abs(sum(bars.x) - 1) < 1e-6


def test_slices_show_all_choices_and_logarithms(tmp_path: Path) -> None:
    slices = figures(search_study(tmp_path, n_trials=3))["val/loss by searched value"]
    axes = {axis.title.text: axis for axis in slices.select_xaxes()}
    assert axes["y"].type == "log"
    assert axes["x"].type != "log"
    assert list(axes["kind"].ticktext) == ["a", "b"]


@pytest.mark.slow
def test_several_objectives_have_a_front_for_each_further_one(tmp_path: Path) -> None:
    study = search_study(tmp_path, many, n_trials=8, objectives=MANY, sampler="random")
    found = figures(study)
    fronts = {title: figure for title, figure in found.items() if title.startswith("Pareto front")}
    assert list(fronts) == [
        f"Pareto front: val/loss and {other}" for other in ("test/accuracy", "n_parameters", "train/loss")
    ]
    first = next(iter(fronts.values()))
    assert (first.layout.xaxis.title.text, first.layout.yaxis.title.text) == ("test/accuracy", "val/loss")
    _, best = first.data
    expected = [(trial.values[1], trial.values[0]) for trial in study.optuna.best_trials]
    assert sorted(zip(best.x, best.y, strict=True)) == sorted(expected)
    assert len([title for title in found if title.startswith("What decides")]) == 3, "n_parameters never changes"


def _pop(losses: list[float], _: Values) -> float:
    return losses.pop()


def test_a_diverged_trial_does_not_flatten_the_others(tmp_path: Path) -> None:
    for worst, scale in ((5.0, "linear"), (1e6, "log")):
        study = search_study(tmp_path / str(scale), partial(_pop, [worst, 0.5]), n_trials=2)
        assert figures(study)["val/loss by trial"].layout.yaxis.type == scale


def test_a_searched_value_with_one_choice_and_equal_results_are_no_trouble(tmp_path: Path) -> None:
    same = search_study(tmp_path / "same", lambda _: 1.0, n_trials=6)
    assert not any("What decides" in title for title in figures(same))
    one = search_study(tmp_path / "one", n_trials=6, space=(*SPACE, "only=choice(1)"))
    assert any("What decides" in title for title in figures(one))


def test_trials_that_were_pruned_show_what_they_have_reported(tmp_path: Path) -> None:
    def reports(_: Values) -> float:
        link = TrialLink.read(max(tmp_path.glob("*/trial.json")).parent)
        assert link is not None
        storage = open_storage(link.storage)
        trial_id = storage.get_trial_id_from_study_id_trial_number(0, link.number)
        storage.set_trial_intermediate_value(trial_id, 0, 3.0)
        if link.number:
            raise PrunedError({"val/loss": 3.0}, epoch=0)
        return 1.0

    study = search_study(tmp_path, reports, n_trials=2, pruner="median")
    assert {trial.state for trial in study.trials()} == {TrialState.COMPLETE, TrialState.PRUNED}
    curves = figures(study)["val/loss as reported by each trial"].data
    assert [list(curve.y) for curve in curves] == [[3.0], [3.0]]


def test_the_report_has_the_charts_of_its_search(tmp_path: Path) -> None:
    study = search_study(tmp_path, n_trials=4)
    path = write_charts(study)
    found = search_charts([tmp_path / "another", tmp_path])
    assert path == tmp_path / "study.json"
    assert [each["title"] for each in found] == list(figures(study))
    history, slices = found[0], found[1]
    assert history["data"][0]["y"] == [trial.value for trial in study.trials()]
    assert history["layout"]["paper_bgcolor"] == "var(--paper)"
    assert history["layout"]["xaxis"]["tickvals"][-1] == 3.0
    assert (history["width"], slices["width"]) == (0, 3 * 230)
    assert slices["layout"]["xaxis2"]["title"]["text"] in ("x", "y", "kind")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"charts": 1}', '{"charts": [{"title": "a"}]}', '{"charts": [[1]]}', "\0"]
)
def test_charts_that_cannot_be_read_are_left_out(content: str, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(content)
    assert search_charts([tmp_path]) == []


def test_one_trial_is_enough_for_charts(tmp_path: Path) -> None:
    found: dict[str, Any] = figures(search_study(tmp_path, n_trials=1))
    assert list(found) == ["val/loss by trial", "val/loss by searched value"]
