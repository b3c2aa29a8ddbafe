"""Which picture fits which run, and what is handed over to it."""

from pathlib import Path

import numpy as np
import pytest
from torch import nn

from src.config.errors import ConfigError
from src.models.activations import ACTIVATIONS
from src.models.mlp import MLP
from src.pictures.catalogue import PICTURES, activation_sheet, check_names, draw_fitting, needs
from src.pictures.subject import Subject
from src.run.directory import RunDir
from tests.data.test_sources import blobs, circles, line
from tests.pictures.subjects import relu, subject
from tests.plots.seen import contours, vertices, width
from tests.tasks.runs import GivenData, numbers_spec, random_parts


def fitting(given: Subject) -> set[str]:
    return {name for name, picture in PICTURES.items() if picture.fits(given)}


def test_what_fits_depends_on_data_and_network(tmp_path: Path) -> None:
    plane = {"boundary", "calibration", "probabilities", "activations"}
    inner = {"folds", "units"}
    numbers = GivenData(random_parts(numbers_spec(1, 2)), numbers_spec(1, 2))
    assert fitting(subject(circles(n_samples=50), net=relu())) == plane | inner
    assert fitting(subject(circles(n_samples=50), net=nn.Linear(2, 1))) == plane
    no_hidden = MLP(in_features=2, hidden=[], out_features=1, activation="relu")
    assert fitting(subject(circles(n_samples=50), net=no_hidden)) == plane | {"folds"}
    assert fitting(subject(blobs(n_samples=50, n_features=3), net=relu(in_features=3, out_features=4))) == {
        *("activations", "calibration"),
    }
    assert fitting(subject(line(), net=relu(in_features=1))) == {"predictions", "residuals", "activations"}
    assert fitting(subject(numbers, net=relu())) == {"residuals", "units", "activations"}
    (tmp_path / "metrics.csv").touch()
    assert "curves" in fitting(subject(line(), net=relu(in_features=1), run=RunDir(tmp_path)))


def test_only_what_fits_is_drawn_in_the_order_that_was_asked_for() -> None:
    given = subject(circles(n_samples=50), net=relu())
    asked = ["units", "predictions", "probabilities", "curves", "folds", "boundary"]
    assert [name for name, _ in draw_fitting(given, asked)] == ["units", "probabilities", "folds", "boundary"]


def test_fold_lines_of_a_real_network_are_those_of_its_weights() -> None:
    net = relu()
    ax = dict(draw_fitting(subject(circles(n_samples=50), net=net), ["folds"]))["folds"].axes[0]
    weight, bias = (p.detach().numpy() for p in list(net.parameters())[:2])
    folds = [vertices(fold) for fold in contours(ax) if width(fold) < 2]
    assert folds
    for fold in folds:
        off = np.abs(fold @ weight.T + bias).max(0)
        assert off.min() < 1e-5


def test_residuals_are_target_minus_prediction_over_the_feature_or_the_prediction() -> None:
    numbers = GivenData(random_parts(numbers_spec(1, 2)), numbers_spec(1, 2))
    for data, net in ((line(), relu(in_features=1)), (numbers, relu())):
        given = subject(data, net=net)
        ax = dict(draw_fitting(given, ["residuals"]))["residuals"].axes[0]
        x, y = given.train
        predicted = given.predict(x)
        place = x if data.spec.n_features == 1 else predicted
        assert np.asarray(ax.lines[1].get_xydata()) == pytest.approx(np.concatenate([place, y - predicted], 1))
        assert ax.get_xlabel() == (data.spec.feature_names[0] if data.spec.n_features == 1 else "prediction")


def test_the_sheet_shows_every_activation_and_twins_over_what_they_stand_for() -> None:
    figure = activation_sheet()
    shown = [ax.get_title().splitlines()[0] for ax in figure.axes]
    assert sorted([*shown, "handmade_relu", "handmade_sigmoid"]) == sorted(ACTIVATIONS)
    twins = {ax.get_title().splitlines()[0] for ax in figure.axes if len(ax.lines) == 4}
    assert twins == {"relu", "sigmoid"}


def test_unknown_names_are_refused_with_the_nearest_one() -> None:
    assert check_names("pictures", "gif", "gif") == ["gif"]
    assert check_names("pictures", ("units", "folds")) == ["units", "folds"]
    with pytest.raises(ConfigError, match=r"pictures holds 'gif', which is no picture; allowed: activations, boundary"):
        check_names("pictures", ["gif"])


def test_every_picture_says_what_it_needs() -> None:
    assert all(needs(name) for name in (*PICTURES, "gif"))


def test_curves_of_a_table_that_holds_none_name_its_file(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.metrics_file.touch()
    with pytest.raises(ConfigError, match=r"metrics\.csv holds no learning curves"):
        dict(draw_fitting(subject(circles(n_samples=50), run=run), ["curves"]))
