"""Which way a metric is better, and how many digits of it are shown."""

import pytest
import torch

from src.analysis.scale import Scale
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
    ("value", "half", "text"),
    [
        (0.381, 0.0123, "38.1 ± 1.2"),
        (0.995, None, "99.5"),
        (0.99996, None, "99.996"),
        (1.0, 0.0, "100.0 ± 0.0"),
        (0.9995, 0.0004, "99.95 ± 0.04"),
        (0.5, 0.246, "50.0 ± 24.6"),
        (-0.0001, 0.02, "0.0 ± 2.0"),
    ],
)
def test_shares_are_shown_in_per_cent(value: float, half: float | None, text: str) -> None:
    assert Scale.of("test/accuracy").text(value, half) == text


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (0.12345, 0.0123, "0.123 ± 0.012"),
        (0.12344, None, "0.1234"),
        (12.3, 4.0, "12.3 ± 4.0"),
        (1234.5, 56.0, "1234 ± 56"),
        (0.25, 0.0, "0.2500 ± 0.0000"),
        (1.5e9, 2e7, "1.5e+09 ± 2e+07"),
        (2.5e-7, None, "2.5e-07"),
        (0.00012, None, "0.00012"),
        (0.00012, 0.0, "0.00012 ± 0.0000"),
        (2.5e-7, 1e-8, "2.5e-07 ± 1e-08"),
        (0.0, 0.0, "0.0000 ± 0.0000"),
        (-0.027, 0.02661, "-0.027 ± 0.027"),
        (5.0, 1e-12, "5.000000 ± 0.000000"),
    ],
)
def test_other_numbers_keep_the_digits_that_their_interval_supports(
    value: float, half: float | None, text: str
) -> None:
    assert Scale.of("test/loss").text(value, half) == text


@pytest.mark.parametrize(
    ("mean", "half", "text"),
    [
        (0.998, 0.005, "99.8 (99.3 to 100)"),
        (0.995, 0.003, "99.5 ± 0.3"),
        (0.95, 0.05, "95.0 ± 5.0"),
        (0.002, 0.005, "0.2 (0 to 0.7)"),
        (0.5, 0.7, "50.0 (0 to 100)"),
        (0.9996, 0.0008, "99.96 (99.88 to 100)"),
        (1.0, 0.0, "100.0 ± 0.0"),
        (0.998, None, "99.8"),
    ],
)
def test_the_interval_of_a_share_ends_at_nothing_and_at_all(mean: float, half: float | None, text: str) -> None:
    assert Scale.of("test/accuracy").mean_text(mean, half) == text


def test_the_unit_stands_behind_what_it_is_the_unit_of() -> None:
    scale = Scale.of("test/accuracy")
    assert scale.mean_text(0.995, 0.003, unit=" %") == "99.5 ± 0.3 %"
    assert scale.mean_text(0.998, 0.005, unit=" %") == "99.8 % (99.3 to 100 %)"


def test_what_is_no_share_has_the_ends_it_has() -> None:
    assert Scale.of("test/r2").mean_text(0.998, 0.005) == "0.9980 ± 0.0050"
    assert Scale.of("test/loss").bounds(0.1, 0.3) == pytest.approx((-0.2, 0.4))


def test_a_number_of_parameters_is_a_whole_one() -> None:
    scale = Scale.of("n_parameters")
    assert scale.lower_is_better
    assert [scale.text(337.0), scale.text(337.0, 0.0), scale.text(2.5, 0.25)] == ["337", "337", "2.50 ± 0.25"]
