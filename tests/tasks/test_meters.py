"""Every metric against scikit-learn in double precision, on problems of any scale, in whatever batches."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn import metrics as sk
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.regression import MeanSquaredError

from src.measure import class_report
from src.tasks.metrics.calibration import calibration_metrics
from src.tasks.metrics.meters import MeanLoss, Meters
from src.tasks.metrics.r2 import R2
from tests.tasks.runs import classes_spec, numbers_spec
from tests.tasks.test_metrics import calibration, make

PROBLEMS = range(100)


def cut(n: int, rng: np.random.Generator) -> list[slice]:
    """Up to five batches of any size."""
    ends = sorted({0, n, *rng.integers(1, n, size=rng.integers(5)).tolist()})
    return [slice(start, end) for start, end in pairwise(ends)]


def measured(meters: Meters, outputs: Tensor, preds: Tensor, y: Tensor, batches: list[slice]) -> dict[str, Tensor]:
    meters.reset(torch.device("cpu"))
    for part in batches:
        meters.update(outputs[part].float().mean(), preds[part], y[part])
    return {name.split("/")[1]: value for name, value in meters.compute().items()}


def numbers(seed: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, NDArray[Any], NDArray[Any]]:
    """Predictions and targets (n, t), and both in double precision: any scale, offset, and error."""
    rng = np.random.default_rng(seed)
    n, t = int(rng.integers(2, 300)), int(rng.integers(1, 4))
    scale = 10.0 ** rng.uniform(-15, 15, size=t)
    y = scale * (rng.normal(size=(n, t)) + rng.choice([0, 1, -1], size=t) * 10.0 ** (5 * rng.uniform(size=t)))
    preds = y + scale * 10.0 ** rng.uniform(-4, 3) * rng.normal(size=(n, t))
    given_preds, given_y = torch.tensor(preds).to(dtype), torch.tensor(y).to(dtype)
    return given_preds, given_y, given_preds.double().numpy(), given_y.double().numpy()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_metrics_of_numbers_are_those_of_scikit_learn(dtype: torch.dtype) -> None:
    for seed in PROBLEMS:
        preds, y, exact_preds, exact_y = numbers(seed, dtype)
        task = make(numbers_spec(y.shape[1], 3))
        batches = cut(len(y), np.random.default_rng(seed))
        found = measured(Meters("val", task.make_metrics()), preds, task.preds(preds), y, batches)
        expected = {
            "mae": sk.mean_absolute_error(exact_y, exact_preds),
            "mse": sk.mean_squared_error(exact_y, exact_preds),
            "r2": sk.r2_score(exact_y, exact_preds),
        }
        for name, value in expected.items():
            # r2 near 0 is a difference of numbers near 1
            allowed = 1e-6 if name == "r2" else 0
            assert found[name].item() == pytest.approx(value, rel=1e-6, abs=allowed), f"{name} of problem {seed}"
            assert found[name].dtype == torch.float64


def labels(seed: int, k: int) -> tuple[Tensor, Tensor]:
    """Outputs (n, k), or for two classes (n, 1), of any scale, and labels of which some never occur."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 300))
    occur, predicted = (rng.permutation(k)[: rng.integers(1, k + 1)] for _ in range(2))
    outputs = rng.normal(size=(n, k))
    outputs[:, np.setdiff1d(np.arange(k), predicted)] -= 100
    y = rng.choice(occur, size=n)
    outputs[np.arange(n), y] += 3 * rng.uniform()
    outputs *= 10.0 ** rng.uniform(-15, 15)
    return torch.tensor(outputs[:, 1:] - outputs[:, :1] if k == 2 else outputs, dtype=torch.float32), torch.tensor(y)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_metrics_of_labels_are_those_of_scikit_learn_also_where_classes_are_absent(k: int) -> None:
    task = make(classes_spec(k, 3))
    meters, n_absent = Meters("val", task.make_metrics()), 0
    for seed in PROBLEMS:
        outputs, y = labels(seed, k)
        preds = task.preds(outputs)
        found = measured(meters, outputs, preds, y, cut(len(y), np.random.default_rng(seed)))
        options: dict[str, Any] = {"average": "binary" if k == 2 else "macro", "zero_division": 0}
        expected = {
            "accuracy": sk.accuracy_score(y, preds),
            "precision": sk.precision_score(y, preds, **options),
            "recall": sk.recall_score(y, preds, **options),
            "f1": sk.f1_score(y, preds, **options),
        }
        for name, value in expected.items():
            assert found[name].item() == pytest.approx(value, rel=1e-6), f"{name} of problem {seed}"
            assert found[name].dtype == torch.float64
        assert found["confusion"].dtype == torch.int64
        assert np.array_equal(found["confusion"], sk.confusion_matrix(y, preds, labels=range(k)))
        report = class_report(found["confusion"], tuple(map(str, range(k))))
        per_class = sk.precision_recall_fscore_support(y, preds, labels=range(k), zero_division=0)
        for name, column in zip(("precision", "recall", "f1", "support"), per_class, strict=True):
            assert [row[name] for row in report] == pytest.approx(column.tolist(), rel=1e-6)
        n_absent += len({*y.tolist(), *preds.tolist()}) < k
    assert n_absent > 10


@pytest.mark.parametrize("k", [2, 4])
def test_mean_loss_is_that_of_all_samples_at_any_scale(k: int) -> None:
    loss = nn.BCEWithLogitsLoss() if k == 2 else nn.CrossEntropyLoss()
    task = make(classes_spec(k, 3))
    for seed in PROBLEMS:
        outputs, y = labels(seed, k)
        # a batch's loss has the precision of its outputs, and scikit-learn cuts off probabilities of 1e-16
        outputs = outputs.double().clamp(-15, 15)
        meter = MeanLoss()
        for part in cut(len(y), np.random.default_rng(seed)):
            targets = task.targets(y[part])
            meter.update(loss(outputs[part], targets.double() if k == 2 else targets), len(targets))
        logits = outputs.double().numpy()
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1) if k == 2 else logits
        probs = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
        expected = sk.log_loss(y, probs, labels=range(k))
        assert meter.compute().item() == pytest.approx(expected, rel=1e-6, abs=1e-12), f"problem {seed}"


def test_a_loss_that_is_lost_in_one_batch_is_lost() -> None:
    meter = MeanLoss()
    for value in (1.0, math.nan, 2.0):
        meter.update(torch.tensor(value), 3)
    assert math.isnan(meter.compute())


@pytest.mark.parametrize(
    ("preds", "y"),
    [
        ([1.0, 2.0], [0.1, 0.1]),
        ([0.1, 0.1, 0.1], [0.1, 0.1, 0.1]),
        ([1e-4, 2e-4, 3.1e-4], [1e-4, 2e-4, 3e-4]),
        ([5.0, 6.0], [1e-4, 2e-4]),
        ([1e6 + 1, 1e6 + 2.5, 1e6 + 4], [1e6 + 1, 1e6 + 2, 1e6 + 4]),
    ],
    ids=["never changes", "never changes and is known", "small", "small and far off", "offset"],
)
def test_explained_variance_where_single_precision_loses_it(preds: list[float], y: list[float]) -> None:
    metric = R2(1)
    given = [torch.tensor(values) for values in (preds, y)]
    for i in range(len(y)):
        metric.update(given[0][i : i + 1], given[1][i : i + 1])
    expected = sk.r2_score(given[1].double().numpy(), given[0].double().numpy())
    assert metric.compute().item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric:UserWarning")
def test_explained_variance_of_one_sample_or_none_is_no_number() -> None:
    metric = R2(2)
    assert math.isnan(metric.compute())
    metric.update(torch.ones(1, 2), torch.ones(1, 2))
    assert math.isnan(metric.compute())


def synced(metrics: list[Metric]) -> Tensor:
    """What the first of several processes computes of all."""
    first = metrics[0]
    states = iter([[getattr(metric, name) for metric in metrics] for name in first._reductions])
    first.dist_sync_fn = lambda *_, **__: next(states)
    first.distributed_available_fn = lambda: True
    value: Tensor = first.compute()
    return value


@pytest.mark.parametrize("empty", [1, 2])
def test_processes_add_up_to_what_one_measures(empty: int) -> None:
    rng = np.random.default_rng(4)
    y = torch.tensor(1e6 + rng.normal(size=(30, 2)), dtype=torch.float32)
    preds = y + torch.tensor(rng.normal(size=(30, 2)), dtype=torch.float32)
    parts = [slice(0, 0) if i == empty else slice(*ends) for i, ends in enumerate([(0, 7), (7, 19), (19, 30)])]
    explained, squared, means = [R2(2) for _ in parts], [MeanSquaredError() for _ in parts], [MeanLoss() for _ in parts]
    for part, r2, mse, mean in zip(parts, explained, squared, means, strict=True):
        mse.set_dtype(torch.float64)
        if part.stop:
            r2.update(preds[part], y[part])
            mse.update(preds[part], y[part])
            mean.update((preds[part] - y[part]).square().mean(), part.stop - part.start)
    chosen = np.concatenate([np.arange(30)[part] for part in parts])
    exact_y, exact_preds = y.double().numpy()[chosen], preds.double().numpy()[chosen]
    assert synced([*explained]).item() == pytest.approx(sk.r2_score(exact_y, exact_preds), rel=1e-9)
    assert synced([*squared]).item() == pytest.approx(sk.mean_squared_error(exact_y, exact_preds), rel=1e-6)
    assert synced([*means]).item() == pytest.approx(sk.mean_squared_error(exact_y, exact_preds), rel=1e-6)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_calibration_is_that_of_torchmetrics_and_scikit_learn(k: int) -> None:
    task = make(classes_spec(k, 3))
    meters = Meters("val", task.make_metrics(), task.make_calibration())
    for seed in PROBLEMS:
        outputs, y = labels(seed, k)
        probs = task.probs(outputs)
        meters.reset(torch.device("cpu"))
        for part in cut(len(y), np.random.default_rng(seed)):
            meters.update(outputs[part].mean(), task.preds(outputs[part]), y[part], probs[part])
        found = meters.compute()
        for name, value in calibration(probs.double(), y).items():
            assert found[f"val/{name}"].item() == pytest.approx(value, abs=1e-6), f"{name} of problem {seed}"
            assert found[f"val/{name}"].dtype == torch.float64


@pytest.mark.parametrize(
    ("probs", "y", "ece", "brier"),
    [
        # half a step beside the truth
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1], 0.0, 0.25),
        ([0.8, 0.8, 0.8, 0.8], [1, 1, 1, 0], 0.05, (3 * 0.04 + 0.64) / 4),
        # sure, and right, or wrong; of exactly 1, too
        ([1.0, 0.0], [1, 0], 0.0, 0.0),
        ([1.0, 0.0], [0, 1], 1.0, 1.0),
    ],
)
def test_calibration_by_hand(probs: list[float], y: list[int], ece: float, brier: float) -> None:
    positive, target = torch.tensor(probs, dtype=torch.float64), torch.tensor(y)
    metrics = calibration_metrics()
    found = metrics(torch.stack([1 - positive, positive], dim=1), target)
    assert {name: value.item() for name, value in found.items()} == {
        "ece": pytest.approx(ece),
        "brier": pytest.approx(brier),
    }
