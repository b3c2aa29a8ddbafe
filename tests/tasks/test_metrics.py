"""Probabilities, labels, scores and metrics of all tasks against PyTorch's and scikit-learn's."""

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor, nn
from torchmetrics.classification import BinaryCalibrationError, MulticlassCalibrationError

from src.data.base import Parts
from src.data.spec import DataSpec
from src.models.mlp import MLP
from src.tasks.base import Task
from src.tasks.binary import BinaryClassification
from src.tasks.multiclass import MulticlassClassification
from src.tasks.regression import Regression
from tests.tasks.runs import GivenData, classes_spec, numbers_spec, random_parts, trainer_in

KINDS: dict[str, tuple[type[Task], type[nn.Module]]] = {
    "binary": (BinaryClassification, nn.BCEWithLogitsLoss),
    "multiclass": (MulticlassClassification, nn.CrossEntropyLoss),
    "regression": (Regression, nn.MSELoss),
}
SPECS = [classes_spec(2, 3), classes_spec(4, 3), numbers_spec(1, 3), numbers_spec(2, 3)]


def make(spec: DataSpec, **changes: Any) -> Task:
    kind, loss = KINDS[spec.task]
    net = MLP(in_features=spec.n_features, hidden=[8], out_features=spec.n_outputs, activation="tanh")
    given: dict[str, Any] = {
        "net": net,
        "loss": loss(),
        "optimizer": partial(torch.optim.SGD, lr=0.1),
        "scheduler": None,
        "spec": spec,
        "log_every_n_epochs": None,
        "eval_every_n_epochs": None,
        "gradient_clip_val": None,
    }
    return kind(**(given | changes))


def outputs_of(spec: DataSpec, *, n: int = 40) -> Tensor:
    return 3 * torch.randn(n, spec.n_outputs, generator=torch.Generator().manual_seed(1))


def expected_metrics(task: Task, outputs: Tensor, y: Tensor) -> dict[str, float]:
    """Loss by hand, everything else by scikit-learn."""
    loss = nn.functional
    if isinstance(task, Regression):
        numbers = y.numpy(), outputs.numpy()
        return {
            "loss": sk.mean_squared_error(*numbers),
            "mae": sk.mean_absolute_error(*numbers),
            "mse": sk.mean_squared_error(*numbers),
            "r2": sk.r2_score(*numbers),
        }
    binary = isinstance(task, BinaryClassification)
    preds = (outputs[:, 0] > 0).long() if binary else outputs.argmax(1)
    options: dict[str, Any] = {"average": "binary" if binary else "macro", "zero_division": 0}
    bce = loss.binary_cross_entropy_with_logits
    return {
        "loss": (bce(outputs[:, 0], y.float()) if binary else loss.cross_entropy(outputs, y)).item(),
        "accuracy": sk.accuracy_score(y, preds),
        "balanced_accuracy": balanced_accuracy(y, preds),
        "chance": np.bincount(y).max() / len(y),
        "precision": sk.precision_score(y, preds, **options),
        "recall": sk.recall_score(y, preds, **options),
        "f1": sk.f1_score(y, preds, **options),
        **calibration(task.probs(outputs).double(), y),
    }


def calibration(probs: Tensor, y: Tensor) -> dict[str, float]:
    """By torchmetrics, and Brier's score by hand or scikit-learn."""
    k = probs.shape[1]
    if k == 2:
        error = BinaryCalibrationError(n_bins=15, norm="l1")(probs[:, 1], y)
        return {"ece": error.item(), "brier": sk.brier_score_loss(y, probs[:, 1], pos_label=1)}
    error = MulticlassCalibrationError(k, n_bins=15, norm="l1")(probs, y)
    brier = ((probs.numpy() - np.eye(k)[y]) ** 2).sum(1).mean()
    return {"ece": error.item(), "brier": brier}


def balanced_accuracy(y: Tensor, preds: Tensor) -> float:
    with warnings.catch_warnings():
        # of predicted classes that never occur
        warnings.simplefilter("ignore", UserWarning)
        return float(sk.balanced_accuracy_score(y, preds))


def test_binary_probabilities_are_those_of_the_sigmoid() -> None:
    task, logits = make(SPECS[0]), outputs_of(SPECS[0])
    probs = task.probs(logits)
    assert torch.equal(probs[:, 1], torch.sigmoid(logits[:, 0]))
    assert torch.allclose(probs.sum(1), torch.ones(40))
    assert torch.equal(task.preds(logits), (probs[:, 1] > 0.5).long())


def test_multiclass_probabilities_are_those_of_the_softmax() -> None:
    task, logits = make(SPECS[1]), outputs_of(SPECS[1])
    probs = task.probs(logits)
    assert torch.equal(probs, torch.softmax(logits, 1))
    assert torch.equal(task.preds(logits), probs.argmax(1))


@pytest.mark.parametrize("spec", SPECS[2:])
def test_regression_leaves_outputs_as_they_are(spec: DataSpec) -> None:
    task, outputs = make(spec), outputs_of(spec)
    assert task.probs(outputs) is outputs
    assert task.preds(outputs) is outputs
    assert task.targets(outputs) is outputs


@pytest.mark.parametrize("spec", SPECS[:2])
def test_labels_are_int64_and_losses_accept_the_targets(spec: DataSpec) -> None:
    task, y = make(spec), random_parts(spec).train.y
    outputs = outputs_of(spec, n=len(y))
    assert task.preds(outputs).dtype == torch.int64
    targets = task.targets(y)
    if spec.task == "binary":
        assert (targets.shape, targets.dtype) == (outputs.shape, torch.float32)
    else:
        assert targets is y
    assert task.loss(outputs, targets).shape == ()


@pytest.mark.parametrize("spec", SPECS)
def test_score_is_that_of_scikit_learn(spec: DataSpec) -> None:
    task, y = make(spec), random_parts(spec).train.y
    outputs = outputs_of(spec, n=len(y))
    expected = expected_metrics(task, outputs, y)[task.score_name]
    assert task.score(outputs, task.targets(y)).mean().item() == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("spec", SPECS[:2])
def test_score_of_training_is_the_accuracy_of_the_labels_also_near_the_boundary(
    spec: DataSpec, dtype: torch.dtype
) -> None:
    task = make(spec)
    outputs = (torch.randn(200, spec.n_outputs, generator=torch.Generator().manual_seed(2)) * 1e-8).to(dtype)
    y = torch.ones(200, dtype=torch.long)
    accuracy = sk.accuracy_score(y, task.preds(outputs))
    assert task.score(outputs, task.targets(y)).mean().item() == pytest.approx(accuracy)


@pytest.mark.parametrize("eval_batch_size", [7, 65_536])
@pytest.mark.parametrize("n", [61, 9])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.task}-{spec.n_outputs}")
def test_validation_and_test_measure_what_scikit_learn_does(
    spec: DataSpec, n: int, eval_batch_size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GivenData, "EVAL_BATCH_SIZE", eval_batch_size)
    torch.manual_seed(3)
    task, parts = make(spec), random_parts(spec, n=n)
    trainer = trainer_in(tmp_path)
    for split, part in (("val", parts.val), ("test", parts.test)):
        run = trainer.validate if split == "val" else trainer.test
        run(task, datamodule=GivenData(parts, spec), verbose=False)
        with torch.no_grad():
            expected = expected_metrics(task, task(part.x), part.y)
        measured = {name: value.item() for name, value in trainer.callback_metrics.items()}
        assert measured == {f"{split}/{name}": pytest.approx(value, abs=1e-6) for name, value in expected.items()}
        confusion = task.confusion[split]
        if spec.task == "regression":
            assert confusion is None
        else:
            assert confusion is not None
            labels = range(len(spec.class_names))
            assert np.array_equal(confusion, sk.confusion_matrix(part.y, task.preds(task(part.x)), labels=labels))


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("spec", SPECS[:2], ids=lambda spec: spec.task)
def test_a_class_that_never_occurs_counts_as_in_scikit_learn(spec: DataSpec, label: int, tmp_path: Path) -> None:
    part = random_parts(spec).test._replace(y=torch.full((60,), label))
    task, trainer = make(spec), trainer_in(tmp_path)
    with torch.no_grad():
        # always the same answer
        task.net.layers[-1].bias += 100 * torch.eye(spec.n_outputs)[0]  # type: ignore[union-attr, index]
        expected = expected_metrics(task, task(part.x), part.y)
    trainer.test(task, datamodule=GivenData(Parts(part, part, part), spec), verbose=False)
    measured = {name: value.item() for name, value in trainer.callback_metrics.items()}
    assert measured == {f"test/{name}": pytest.approx(value, abs=1e-6) for name, value in expected.items()}


def test_99_to_1_does_not_look_like_success(tmp_path: Path) -> None:
    spec, y = SPECS[0], torch.zeros(200, dtype=torch.long)
    y[:2] = 1
    part = random_parts(spec, n=200).test._replace(x=torch.randn(200, 3), y=y)
    task, trainer = make(spec), trainer_in(tmp_path)
    with torch.no_grad():
        task.net.layers[-1].bias -= 100  # type: ignore[union-attr, index]
    trainer.test(task, datamodule=GivenData(Parts(part, part, part), spec), verbose=False)
    measured = {name: value.item() for name, value in trainer.callback_metrics.items()}
    assert measured["test/accuracy"] == measured["test/chance"] == pytest.approx(0.99)
    assert measured["test/balanced_accuracy"] == 0.5


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.task}-{spec.n_outputs}")
def test_metric_names_are_those_that_a_run_measures(spec: DataSpec, tmp_path: Path) -> None:
    task, trainer, data = make(spec), trainer_in(tmp_path), GivenData(random_parts(spec), spec)
    trainer.fit(task, datamodule=data)
    names = {name for name in trainer.callback_metrics if name.startswith("train/")}
    trainer.validate(task, datamodule=data, verbose=False)
    names |= set(trainer.callback_metrics)
    trainer.test(task, datamodule=data, verbose=False)
    names |= set(trainer.callback_metrics)
    assert sorted(task.metric_names()) == sorted(names)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.task}-{spec.n_outputs}")
@pytest.mark.parametrize("training", [True, False])
def test_predicting_gives_probabilities_and_changes_nothing(
    spec: DataSpec,
    training: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    task = make(spec, net=nn.Sequential(nn.Linear(3, spec.n_outputs), nn.Dropout(0.5)).double())
    task.net.train(training)
    before = {name: value.clone() for name, value in task.state_dict().items()}
    state = torch.get_rng_state()
    x = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    probs = task.predict_probs(x)
    assert torch.equal(state, torch.get_rng_state())
    assert task.net.training == training
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())
    task.net.eval()
    with torch.no_grad():
        expected = task.probs(task(x.double())).float()
    assert torch.equal(probs, expected)
    assert probs.dtype == torch.float32
    assert probs.shape == (10, 2 if spec.task == "binary" else spec.n_outputs)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_clipping_norm_that_is_not_positive_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"task\.gradient_clip_val must be null or a number greater than 0, got"):
        make(SPECS[0], gradient_clip_val=value)


def test_a_task_refuses_to_train_without_a_data_module(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="BinaryClassification trains from an InMemoryDataModule, got NoneType"):
        trainer_in(tmp_path).fit(make(SPECS[0]), [torch.zeros(4, 3)], [torch.zeros(4, 3)])
