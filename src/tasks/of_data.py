"""Task and loss that the data ask for, where only a look at them tells which: `task=of_data` and `loss=of_data`."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from torch import nn

from src.config.allowed import Count, NotNegative, Positive, Range, checked
from src.config.errors import ConfigError
from src.data.spec import DataSpec, TaskName
from src.tasks.base import OptimizerFactory, SchedulerFactory, Task
from src.tasks.binary import BinaryClassification
from src.tasks.multiclass import MulticlassClassification
from src.tasks.regression import Regression

TASKS: dict[TaskName, type[Task]] = {
    "binary": BinaryClassification,
    "multiclass": MulticlassClassification,
    "regression": Regression,
}
"""The task for each kind of data."""


def task_of_data(
    *,
    net: nn.Module,
    loss: nn.Module,
    optimizer: OptimizerFactory,
    scheduler: SchedulerFactory | None,
    spec: DataSpec,
    log_every_n_epochs: Count | None,
    eval_every_n_epochs: Count | None,
    gradient_clip_val: Positive | None,
    l1: NotNegative = 0.0,
    l2: NotNegative = 0.0,
    loop: Literal["auto", "blocks", "steps"] = "auto",
) -> Task:
    """The task of the kind that the data are; arguments as in `src.tasks.base.Task`."""
    return TASKS[spec.task](
        net=net,
        loss=loss,
        optimizer=optimizer,
        scheduler=scheduler,
        spec=spec,
        log_every_n_epochs=log_every_n_epochs,
        eval_every_n_epochs=eval_every_n_epochs,
        gradient_clip_val=gradient_clip_val,
        l1=l1,
        l2=l2,
        loop=loop,
    )


@checked("loss")
def loss_of_data(
    *,
    spec: DataSpec,
    class_weights: Literal["balanced"] | Sequence[Positive] | None = None,
    label_smoothing: Annotated[float, Range(low=0, high=1, open_high=True)] = 0.0,
) -> nn.Module:
    """Cross entropy for classes, mean squared error for numbers.

    Args:
        spec: What the data hold.
        class_weights: Weight of each class, in the order of the classes; ``balanced`` for n / (k n_c), with n rows of
            the training part, k classes, and n_c rows of class c; None for 1 each.
        label_smoothing: Share of each label that is spread over all classes evenly, in training and measured losses.

    Raises:
        ConfigError: If weights do not fit the classes.
    """
    weights = None if class_weights is None else _weights(spec, class_weights)
    if spec.task == "binary":
        # as a whole the loss is that of the weights (1, w1 / w0)
        pos_weight = None if weights is None else weights[1:] / weights[0]
        return (
            SmoothedBCE(label_smoothing, pos_weight) if label_smoothing else nn.BCEWithLogitsLoss(pos_weight=pos_weight)
        )
    if spec.task == "multiclass":
        return nn.CrossEntropyLoss(weight=weights, label_smoothing=label_smoothing)
    if label_smoothing:
        raise ConfigError(f"loss.label_smoothing={label_smoothing}: the data are numbers, not classes; allowed: 0")
    return nn.MSELoss()


class SmoothedBCE(nn.BCEWithLogitsLoss):
    """Binary cross entropy with labels that are moved towards one half, as `nn.CrossEntropyLoss` does for classes.

    Args:
        label_smoothing: Share of a label that is spread over both classes evenly.
        pos_weight: Weight of class 1 (1,); None for that of class 0.
    """

    def __init__(self, label_smoothing: float, pos_weight: torch.Tensor | None = None) -> None:
        super().__init__(pos_weight=pos_weight)
        self.label_smoothing = label_smoothing

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's names
        """Mean loss of logits (n, 1) and labels (n, 1)."""
        return super().forward(input, target * (1 - self.label_smoothing) + 0.5 * self.label_smoothing)


def _weights(spec: DataSpec, given: Any) -> torch.Tensor:
    k = len(spec.class_names)
    if spec.task == "regression":
        raise ConfigError(f"loss.class_weights={given}: the data are numbers, and have no classes; allowed: null")
    if given == "balanced":
        if not spec.class_counts:
            raise ConfigError("loss.class_weights=balanced: the data do not tell how many rows each class has")
        if not all(spec.class_counts):
            none = spec.class_names[spec.class_counts.index(0)]
            raise ConfigError(f"loss.class_weights=balanced: class {none!r} has no row in the training part")
        counts = torch.tensor(spec.class_counts, dtype=torch.float64)
        return (counts.sum() / (k * counts)).float()
    if len(given) != k:
        raise ConfigError(
            f"loss.class_weights={list(given)}: got {len(given)} numbers; allowed: {k}, one for each class of the "
            f"data: {', '.join(spec.class_names)}"
        )
    return torch.tensor(given, dtype=torch.float32)
