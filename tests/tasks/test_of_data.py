"""Task and loss that follow the data."""

from typing import Any

import pytest
import torch
from torch import nn

from src.config.errors import ConfigError
from src.data.spec import DataSpec, TaskName
from src.tasks.of_data import SmoothedBCE, loss_of_data

OUTPUTS = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(30) % 3


def spec(task: TaskName, *counts: int) -> DataSpec:
    k = {"binary": 2, "multiclass": 3, "regression": 1}[task]
    return DataSpec(
        task=task,
        n_features=2,
        n_outputs=3 if task == "multiclass" else 1,
        feature_names=("a", "b"),
        class_names=tuple("xyz"[:k]),
        class_counts=counts,
    )


@pytest.mark.parametrize(
    ("task", "kind"),
    [("binary", nn.BCEWithLogitsLoss), ("multiclass", nn.CrossEntropyLoss), ("regression", nn.MSELoss)],
)
def test_the_loss_is_that_of_the_task(task: TaskName, kind: type[nn.Module]) -> None:
    assert type(loss_of_data(spec=spec(task))) is kind


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    expected = compute_class_weight("balanced", classes=torch.arange(3).numpy(), y=[0] * 5 + [1] * 20 + [2] * 75)
    loss = loss_of_data(spec=spec("multiclass", 5, 20, 75), class_weights="balanced")
    assert dict(loss.named_buffers())["weight"].tolist() == pytest.approx(list(expected))
    binary = loss_of_data(spec=spec("binary", 80, 20), class_weights="balanced")
    # a sample of class 1 counts four times as much as one of class 0
    assert dict(binary.named_buffers())["pos_weight"].tolist() == pytest.approx([4.0])


def test_smoothing_is_that_of_cross_entropy_of_two_classes() -> None:
    logits, labels = OUTPUTS[:, :1], (LABELS > 0).float().unsqueeze(1)
    loss = loss_of_data(spec=spec("binary"), label_smoothing=0.2)
    assert isinstance(loss, SmoothedBCE)
    both = torch.cat([torch.zeros_like(logits), logits], dim=1)
    expected = nn.CrossEntropyLoss(label_smoothing=0.2)(both, labels.squeeze(1).long())
    assert float(loss(logits, labels)) == pytest.approx(float(expected))
    multiclass = loss_of_data(spec=spec("multiclass"), label_smoothing=0.2)
    assert float(multiclass(OUTPUTS, LABELS)) == pytest.approx(
        float(nn.CrossEntropyLoss(label_smoothing=0.2)(OUTPUTS, LABELS))
    )


@pytest.mark.parametrize(
    ("task", "given", "shown"),
    [
        ("regression", {"class_weights": "balanced"}, "the data are numbers, and have no classes"),
        ("regression", {"label_smoothing": 0.1}, "the data are numbers, not classes"),
        (
            "multiclass",
            {"class_weights": [1.0, 2.0]},
            r"got 2 numbers; allowed: 3, one for each class of the data: x, y, z",
        ),
        ("multiclass", {"class_weights": "balanced"}, "do not tell how many rows each class has"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(task: TaskName, given: Any, shown: str) -> None:
    with pytest.raises(ConfigError, match=shown):
        loss_of_data(spec=spec(task), **given)


def test_a_class_without_a_row_to_train_on_has_no_weight() -> None:
    with pytest.raises(ConfigError, match="class 'y' has no row in the training part"):
        loss_of_data(spec=spec("multiclass", 5, 0, 5), class_weights="balanced")
