"""Which way a metric is better, and how many digits of it are shown."""

import pytest
import torch

from src.analysis.scale import Scale, percent
from src.analysis.stats.interval import Interval
from src.data.spec import DataSpec
from src.tasks.base import Task
from src.tasks.binary import BinaryClassification
from src.tasks.multiclass import MulticlassClassification
from src.tasks.regression import Regression


def task_of(kind: type[Task]) -> Task:
    spec = DataSpec(task="multiclass", n_features=2, n_outputs=3, feature_names=("a", "b"), class_names=("u", "v", "w"))
    return kind(
        net=torch.nn.Linear(2, 3),
        loss=torch.nn.MSELoss(),
        optimizer=lambda params: torch.optim.SGD(params, lr=0.1),
        scheduler=None,
        spec=spec,
        log_every_n_epochs=None,
        eval_every_n_epochs=None,
        gradient_clip_val=None,
    )


CLASS_SHARES = {"accuracy", "balanced_accuracy", "chance", "precision", "recall", "f1"}


@pytest.mark.parametrize(
    ("kind", "lower", "shares"),
    [
        (BinaryClassification, set(), CLASS_SHARES),
        (MulticlassClassification, set(), CLASS_SHARES),
        (Regression, {"mae", "mse"}, set()),
    ],
)
def test_every_metric_of_every_task_has_its_way(kind: type[Task], lower: set[str], shares: set[str]) -> None:
    metrics = task_of(kind).make_metrics()
    ways = {str(name): metric.higher_is_better for name, metric in metrics.items() if name != "confusion"}
    assert {name for name in ways if Scale.of(f"test/{name}").lower_is_better} == lower
    assert {name for name in ways if Scale.of(f"test/{name}").is_share} == shares
    # what torchmetrics says is independent of us
    assert all(way is not Scale.of(name).lower_is_better for name, way in ways.items())


def test_a_loss_is_better_low() -> None:
    assert Scale.of("val/loss").lower_is_better
    assert not Scale.of("val/loss").is_share


@pytest.mark.parametrize(
    ("metric", "words"),
    [("test/accuracy", "test accuracy"), ("val/loss", "validation loss"), ("train/f1", "training f1"), ("x", "x")],
)
def test_names_as_one_says_them(metric: str, words: str) -> None:
    assert Scale.of(metric).words == words


@pytest.mark.parametrize(
    ("value", "ends", "text"),
    [
        (0.381, (0.3687, 0.3933), "38.1 [36.9, 39.3]"),
        (0.995, None, "99.5"),
        (0.99996, None, "99.996"),
        (1.0, (1.0, 1.0), "100.0 [100, 100]"),
        (0.9995, (0.9991, 0.9999), "99.95 [99.91, 99.99]"),
        (0.998, (0.993, 1.0), "99.8 [99.3, 100]"),
        (0.002, (0.0, 0.007), "0.2 [0, 0.7]"),
        (-0.0001, (-0.02, 0.02), "-0.01 [-2.0, 2.0]"),
        # what is not all and not nothing is not written as such
        (0.9998, (0.98, 0.99999), "99.98 [98.0, 99.999]"),
    ],
)
def test_shares_are_shown_in_per_cent(value: float, ends: tuple[float, float] | None, text: str) -> None:
    assert Scale.of("test/accuracy").with_interval(value, None if ends is None else Interval(*ends)) == text


@pytest.mark.parametrize(
    ("value", "ends", "text"),
    [
        (0.12345, (0.111, 0.136), "0.123 [0.111, 0.136]"),
        (0.12344, None, "0.1234"),
        (12.3, (8.3, 16.3), "12.3 [8.3, 16.3]"),
        (1234.6, (1178, 1290), "1235 [1178, 1290]"),
        (0.25, (0.25, 0.25), "0.2500 [0.2500, 0.2500]"),
        (1.5e9, (1.48e9, 1.52e9), "1.5e+09 [1.48e+09, 1.52e+09]"),
        (2.5e-7, None, "2.5e-07"),
        (0.00012, None, "0.00012"),
        (0.00012, (0.00011, 0.00013), "0.000120 [0.000110, 0.000130]"),
        (2.5e-7, (2.4e-7, 2.6e-7), "2.5e-07 [2.4e-07, 2.6e-07]"),
        (-0.027, (-0.054, 0.0), "-0.027 [-0.054, 0.000]"),
        (5.0, (5.0 - 1e-12, 5.0 + 1e-12), "5.0000 [5.0000, 5.0000]"),
        (5.0, (5.0 - 1e-7, 5.0 + 1e-7), "5.0000 [5.0000, 5.0000]"),
        # a few runs that are far off
        (0.0012, (0.0009, 0.69), "0.0012 [0.0009, 0.69]"),
        (0.5, (0.5, 0.7), "0.50 [0.50, 0.70]"),
    ],
)
def test_other_numbers_keep_the_digits_that_their_interval_supports(
    value: float, ends: tuple[float, float] | None, text: str
) -> None:
    assert Scale.of("test/loss").with_interval(value, None if ends is None else Interval(*ends)) == text


def test_an_interval_that_is_less_sure_says_so() -> None:
    scale, interval = Scale.of("test/accuracy"), Interval(0.993, 1.0, 0.9375)
    assert scale.with_interval(0.998, interval) == "99.8 [99.3, 100]"
    assert scale.with_interval(0.998, interval, level=True) == "99.8 [99.3, 100] (93.75%)"
    assert scale.with_interval(0.998, Interval(0.993, 1.0), level=True) == "99.8 [99.3, 100]"
    assert scale.in_words(0.998, interval) == ("99.8", "93.75% interval 99.3 to 100")
    assert [percent(level) for level in (0.95, 0.75, 0.875, 0.5)] == ["95%", "75%", "87.5%", "50%"]


def test_the_name_tells_between_what_a_metric_lies() -> None:
    limits = {name: Scale.of(f"test/{name}").limits for name in ("accuracy", "f1", "ece", "loss", "r2", "brier", "mae")}
    assert {name for name, found in limits.items() if found == (0.0, 1.0)} == {"accuracy", "f1", "ece"}
    assert set(limits.values()) == {(0.0, 1.0), None}


def test_a_number_of_parameters_is_a_whole_one() -> None:
    scale = Scale.of("n_parameters")
    assert scale.lower_is_better
    assert [scale.text(337.0), scale.with_interval(337.0, Interval(337.0, 337.0)), scale.text(2.5)] == [
        "337",
        "337 [337, 337]",
        "2.5000",
    ]
