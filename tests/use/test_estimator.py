"""Finished runs in Python: called with points, and as estimators of scikit-learn."""

import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import torch
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted

from src.config.errors import ConfigError
from src.predict import load
from src.use.estimator import Classifier, Loaded, Regressor
from tests.test_stored import STORED
from tests.use.runs import KINDS, by_hand, points, trained


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {kind: trained(folder, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def of_three_columns(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs over three numbers: classes 0, 1 and 2, and a number."""
    folder, rng = tmp_path_factory.mktemp("three"), np.random.default_rng(0)
    rows = polars.DataFrame({name: rng.normal(size=120) for name in ("a", "b", "c")})
    sums = rows["a"] + rows["b"]
    given = {"classes": (sums > 0).cast(int) + (sums > 1).cast(int), "values": sums * 1.5}
    found = {}
    for name, y in given.items():
        rows.with_columns(y=y).write_csv(folder / f"{name}.csv")
        found[name] = trained(folder / name, "table", f"data.path={folder / name}.csv")
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_is_called_gives_probabilities_or_values(kind: str, runs: dict[str, Path]) -> None:
    rows, model = points(kind), load(runs[kind])
    expected = by_hand(runs[kind], rows)
    assert model(rows) == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert model(rows).shape == expected.shape
    assert model(rows).dtype == np.float64


@pytest.mark.parametrize("kind", ["circles", "table"])
def test_points_come_as_arrays_tensors_mappings_and_frames(kind: str, runs: dict[str, Path]) -> None:
    rows, model = points(kind), load(runs[kind])
    expected = model(rows)
    given: list[Any] = [
        rows.to_dict(as_series=False),
        {name: rows[name].to_numpy() for name in reversed(rows.columns)},
        rows.with_columns(further=polars.lit("x")),
        rows.select(reversed(rows.columns)),
        rows.to_numpy(),
        rows.to_numpy().tolist(),
        *([torch.from_numpy(rows.to_numpy())] if kind == "circles" else []),
    ]
    assert all(np.array_equal(model(each), expected) for each in given)


class Frame:
    """As pandas has one: columns by name, objects where there are words."""

    iloc = None

    def __init__(self, columns: dict[str, Any]) -> None:
        self.columns = list(columns)
        self._columns = columns

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]


def test_frames_as_those_of_pandas_are_taken_by_name(runs: dict[str, Path]) -> None:
    rows, model = points("table"), load(runs["table"])
    columns = {name: rows[name].to_numpy() for name in reversed(rows.columns)}
    assert columns["c"].dtype == object
    assert np.array_equal(model(Frame({**columns, "further": np.zeros(50)})), model(rows))


def test_a_classifier_predicts_names_of_classes(runs: dict[str, Path]) -> None:
    rows, model = points("blobs"), load(runs["blobs"])
    assert isinstance(model, Classifier)
    expected = by_hand(runs["blobs"], rows)
    assert model.classes_.tolist() == ["blob 0", "blob 1", "blob 2", "blob 3"]
    assert model.predict(rows).tolist() == model.classes_[expected.argmax(1)].tolist()
    assert model.predict_proba(rows) == pytest.approx(expected, abs=1e-6)
    assert model.predict_proba(rows).sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert np.exp(model.predict_log_proba(rows)) == pytest.approx(expected, abs=1e-6)
    truth = model.classes_[np.arange(50) % 4]
    assert model.score(rows, truth) == accuracy_score(truth, model.classes_[expected.argmax(1)])


def test_classes_are_sorted_where_scikit_learn_takes_that_for_granted(runs: dict[str, Path]) -> None:
    rows, model = points("circles"), load(runs["circles"])
    assert isinstance(model, Classifier)
    assert (model.class_names, model.classes_.tolist()) == (("outer", "inner"), ["inner", "outer"])
    expected = by_hand(runs["circles"], rows)
    assert model(rows) == pytest.approx(expected, abs=1e-6)
    assert model.predict_proba(rows) == pytest.approx(expected[:, ::-1], abs=1e-6)
    assert model.predict(rows).tolist() == model.classes_[model.predict_proba(rows).argmax(1)].tolist()


def test_a_regressor_predicts_numbers(runs: dict[str, Path]) -> None:
    rows, model = points("line"), load(runs["line"])
    assert isinstance(model, Regressor)
    expected = by_hand(runs["line"], rows)[:, 0]
    assert model.predict(rows) == pytest.approx(expected, abs=1e-6)
    assert model.score(rows, rows["x"]) == pytest.approx(r2_score(rows["x"], expected))


def test_what_it_takes_is_told(runs: dict[str, Path]) -> None:
    model = load(runs["table"])
    assert (model.n_features_in_, model.feature_names_in_.tolist()) == (3, ["a", "b", "c"])
    assert is_classifier(model)
    assert is_regressor(load(runs["line"]))
    check_is_fitted(model)
    assert repr(model).startswith("Classifier(run=")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([[1.0, 2.0, 3.0]], "X has 3 features, but Classifier is expecting 2 features as input: X1, X2"),
        ([1.0, 2.0], "Expected 2D array, got 1D array instead"),
        ([[1.0, float("nan")]], "row 0, column 'X2' holds no value"),
        ([[0.0, 0.0], [1.0, float("inf")]], "row 1, column 'X2' holds a number that is not finite (1 of 2 rows"),
        ([[1.0, "a"]], "row 0, column 'X2' holds 'a'; a number is asked for"),
        ([[1.0, 1j]], "Complex data not supported"),
        (np.empty((0, 2)), "Found array with 0 sample(s)"),
        ({"X1": [1.0], "x2": [1.0]}, "has no column 'X2', which the run has learnt from; did you mean x2?"),
        ({"X1": [1.0], "X2": [1.0, 2.0]}, "its columns differ in length: X1 1, X2 2"),
    ],
)
def test_points_that_cannot_be_used_are_refused(given: Any, said: str, runs: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        load(runs["circles"])(given)


def test_a_copy_and_a_pickle_open_the_same_run_again(runs: dict[str, Path]) -> None:
    rows, model = points("table"), load(runs["table"], checkpoint="last")
    for each in (clone(model), pickle.loads(pickle.dumps(model))):
        assert "_opened" not in vars(each)
        assert each.get_params() == model.get_params()
        assert np.array_equal(each(rows), model(rows))
    model.set_params(checkpoint="best")
    assert np.array_equal(model(rows), load(runs["table"], checkpoint="best")(rows))


def test_fitting_again_is_refused_with_what_to_do(runs: dict[str, Path]) -> None:
    with pytest.raises(NotImplementedError, match=r"FrozenEstimator\(model\); python -m src\.train trains"):
        load(runs["circles"]).fit([[1.0, 2.0]], ["inner"])


@pytest.mark.slow
def test_tools_that_need_no_training_take_it(of_three_columns: dict[str, Path]) -> None:
    # of scikit-learn 1.6 and newer
    from sklearn.frozen import FrozenEstimator

    model, rows = load(of_three_columns["classes"]), np.random.default_rng(1).normal(size=(90, 3))
    truth = (rows[:, 0] + rows[:, 1] > 0).astype(int) + (rows[:, 0] + rows[:, 1] > 1)
    found = cross_val_predict(FrozenEstimator(model), rows, truth, method="predict_proba", cv=3)
    assert np.array_equal(found, model(rows))
    calibrated = CalibratedClassifierCV(FrozenEstimator(model)).fit(rows, truth)
    assert calibrated.predict_proba(rows).shape == (90, 3)
    assert calibrated.classes_.tolist() == [0, 1, 2]
    importances = permutation_importance(model, rows, truth, n_repeats=3, random_state=0).importances_mean
    assert importances[:2].min() > abs(importances[2])
    pipeline = make_pipeline(FunctionTransformer(np.abs), FrozenEstimator(model)).fit(rows, truth)
    assert np.array_equal(pipeline.predict(rows), model.predict(np.abs(rows)))


@pytest.mark.slow
def test_two_classes_are_calibrated(runs: dict[str, Path]) -> None:
    from sklearn.frozen import FrozenEstimator

    rows, model = points("circles", 200), load(runs["circles"])
    truth = np.where((rows.to_numpy() ** 2).sum(axis=1) < 0.8, "inner", "outer")
    calibrated = CalibratedClassifierCV(FrozenEstimator(model)).fit(rows.to_numpy(), truth)
    likely = calibrated.predict_proba(rows.to_numpy())
    assert log_loss(truth, likely) < log_loss(truth, model.predict_proba(rows))


def test_an_ensemble_tells_its_spread(runs: dict[str, Path], tmp_path: Path) -> None:
    sweep = shutil.copytree(STORED / "sweep", tmp_path / "sweep")
    rows, model = points("circles"), load(sweep, group="mlp")
    each = np.stack([load(member.run.path)(rows) for member in model.model.members])
    assert len(each) == 2
    assert model(rows) == pytest.approx(each.mean(axis=0), abs=1e-9)
    chosen = each[:, np.arange(50), each.mean(axis=0).argmax(1)]
    assert model.spread(rows)[:, 0] == pytest.approx(chosen.std(axis=0, ddof=1), abs=1e-9)
    with pytest.raises(ValueError, match="is a single run"):
        load(runs["circles"]).spread(rows)


def test_a_directory_that_holds_no_run_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a run directory"):
        load(tmp_path)


# scikit-learn's own checks

NOT_BEFORE_FIT = {"check_n_features_in": "it has been trained, so that it knows its columns without fit"}
"""Checks that do not apply, and do not fail at fit."""

WITHOUT_FIT = {
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_set_params",
    "check_valid_tag_types",
}

OF_THREE_COLUMNS = {
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit2d_predict1d",
    "check_fit_check_is_fitted",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
}
"""Those that call fit and look at predictions, with data of three columns; others look at fit, or have other data."""


def outcomes(model: Loaded) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = check_estimator(model, on_fail=None, on_skip=None)
    return found


def chain(error: BaseException | None) -> list[type]:
    return [] if error is None else [type(error), *chain(error.__cause__ or error.__context__)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_the_checks_of_scikit_learn_pass_or_want_to_fit(kind: str, runs: dict[str, Path]) -> None:
    found = outcomes(load(runs[kind]))
    failed = {each["check_name"]: each["exception"] for each in found if each["status"] == "failed"}
    assert {name for name, error in failed.items() if NotImplementedError not in chain(error)} == set(NOT_BEFORE_FIT)
    assert {each["check_name"] for each in found if each["status"] == "passed"} >= WITHOUT_FIT


class Fitted:
    """Takes any call of fit for done."""

    def fit(self, X: Any = None, y: Any = None, **more: Any) -> Any:  # noqa: N803, ARG002 - scikit-learn's names
        return self


class FittedClassifier(Fitted, Classifier):
    """A run that lets itself be fitted."""


class FittedRegressor(Fitted, Regressor):
    """A run that lets itself be fitted."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), [("classes", FittedClassifier), ("values", FittedRegressor)])
@pytest.mark.filterwarnings("ignore")
def test_what_scikit_learn_checks_of_predictions_holds(
    name: str, kind: type[Loaded], of_three_columns: dict[str, Path]
) -> None:
    found = outcomes(kind(of_three_columns[name]))
    passed = {each["check_name"] for each in found if each["status"] == "passed"}
    failed = {each["check_name"]: each["exception"] for each in found if each["status"] == "failed"}
    assert {name: failed[name] for name in OF_THREE_COLUMNS & set(failed)} == {}
    assert passed >= OF_THREE_COLUMNS
