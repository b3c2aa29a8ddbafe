"""Validation and test of the models of a stack, by the network, the loss and the metrics of their single runs.

Each model's outputs are those of its own network, to the last bit. What is counted of them is counted for many models
at once, where their task is one of the shipped ones: a call costs more than all that it does to a small part.

Axes: ``m`` models, ``n`` samples, ``o`` outputs, ``k`` classes.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from lightning.pytorch.plugins.precision import Precision
from torch import Tensor

from src.compat.torchmetrics import plain_attributes
from src.data.base import Batch, Batches, InMemoryDataModule, Part, Parts
from src.tasks.base import Task
from src.tasks.binary import BinaryClassification
from src.tasks.metrics.stacked import OfModels, of_classes, of_numbers
from src.tasks.multiclass import MulticlassClassification
from src.tasks.regression import Regression
from src.vmap.stacked.layout import load, put, tensors_of

_SPLITS = ("val", "test")

# Numbers that are kept at once, of which there are copies: some tens of megabytes.
_NUMBERS = 1 << 20


class Weighed(NamedTuple):
    """A model with the weights that are measured.

    Attributes:
        task: The model's; its network and loss receive its tensors.
        tensors: Parameters and buffers by their names in the task.
        parts: The model's data.
    """

    task: Task
    tensors: Mapping[str, Tensor]
    parts: Parts


class Measured(NamedTuple):
    """What validation and test have found.

    Attributes:
        metrics: Numbers by ``split/name``.
        confusion: Of the test part: rows true, columns predicted classes (k, k); None for a regression.
    """

    metrics: dict[str, float]
    confusion: Tensor | None


class _Outputs(NamedTuple):
    """Of one model for one part: mean loss, outputs (n, o), probabilities (n, k), and the part's targets."""

    loss: Tensor
    outputs: Tensor
    probs: Tensor
    y: Tensor


def measure_model(task: Task, tensors: Mapping[str, Tensor], parts: Parts, precision: Precision) -> dict[str, float]:
    """Measure a model by itself.

    Args:
        task: The model's; its network and loss receive its tensors.
        tensors: Parameters and buffers by their names in the task.
        parts: The model's data.
        precision: As the trainer has it.
    """
    load(task.net, task.loss, tensors)
    metrics: dict[str, float] = {}
    with precision.forward_context(), plain_attributes():
        for split, part in zip(_SPLITS, parts[1:], strict=True):
            ready = Part(*(precision.convert_input(tensor) for tensor in part))
            metrics |= task.measure(split, Batches(ready, batch_size=InMemoryDataModule.EVAL_BATCH_SIZE))
    return metrics


def at_once(task: Task, parts: Parts, *, n_weights: int) -> int:
    """How many models like this one to keep and measure at a time: their weights and outputs are few numbers."""
    k = task.spec.n_outputs
    return max(1, _NUMBERS // (n_weights + k * k + k * sum(len(part.x) for part in parts[1:])))


@torch.no_grad()
def measure_models(models: Sequence[Weighed], precision: Precision) -> list[Measured | None]:
    """Measure models together.

    Args:
        models: On the CPU; few enough for their outputs to be kept.
        precision: As the trainer has it.

    Returns:
        Of each what `measure_model` tells; None where only that can measure it: a task or metrics of one's own, a part
        that is empty or of several batches, or something that raises.
    """
    found = _all_outputs(models, precision)
    alike: dict[object, list[int]] = {}
    for i, of_splits in found.items():
        forms = [(each.probs.shape, each.probs.dtype, each.y.shape) for each in of_splits]
        alike.setdefault((type(models[i].task), *forms), []).append(i)
    measured: list[Measured | None] = [None] * len(models)
    for numbers in alike.values():
        # outputs of another form than the metrics know
        with contextlib.suppress(Exception):
            task = models[numbers[0]].task
            for i, each in zip(numbers, _measured(task, [found[i] for i in numbers]), strict=True):
                measured[i] = each
    return measured


def _all_outputs(models: Sequence[Weighed], precision: Precision) -> dict[int, list[_Outputs]]:
    """By the places of models their outputs for each split; without those that must be measured by themselves."""
    own = {i: model for i, model in enumerate(models) if _is_shipped(model)}
    places = {model.task: tensors_of(model.task.net, model.task.loss) for model in own.values()}
    for task in places:
        task.net.eval()
        task.loss.eval()
    found: dict[int, list[_Outputs]] = {}
    ready: dict[int, Part] = {}
    with precision.forward_context():
        for i, (task, tensors, parts) in own.items():
            put(tensors, places[task])
            # whoever measures it by itself raises the same
            with contextlib.suppress(Exception):
                for part in parts[1:]:
                    if id(part) not in ready:
                        ready[id(part)] = Part(*(precision.convert_input(tensor) for tensor in part))
                found[i] = [_outputs(task, ready[id(part)]) for part in parts[1:]]
    return found


def _is_shipped(model: Weighed) -> bool:
    sizes = [len(part.x) for part in model.parts[1:]]
    return type(model.task) in _METRICS and all(0 < n <= InMemoryDataModule.EVAL_BATCH_SIZE for n in sizes)


def _outputs(task: Task, part: Part) -> _Outputs:
    outputs, loss = task.evaluated(Batch(part.x, part.y, 1.0, 1.0))
    return _Outputs(loss, outputs, task.probs(outputs), part.y)


def _measured(task: Task, models: Sequence[Sequence[_Outputs]]) -> Iterator[Measured]:
    """What models of one task have found, whose outputs are of one form."""
    columns: dict[str, list[float]] = {}
    confusion: Tensor | None = None
    for split, outputs in zip(_SPLITS, zip(*models, strict=True), strict=True):
        losses = torch.stack([each.loss for each in outputs]).double()
        n = len(outputs[0].y)
        values, confusion = _METRICS[type(task)](task, outputs)
        # as a mean over batches is taken
        for name, column in {"loss": losses * n / n, **values}.items():
            columns[f"{split}/{name}"] = column.tolist()
    for i, numbers in enumerate(zip(*columns.values(), strict=True)):
        yield Measured(dict(zip(columns, numbers, strict=True)), None if confusion is None else confusion[i])


def _of_classes(task: Task, models: Sequence[_Outputs]) -> OfModels:
    outputs, probs = (torch.stack([each[i] for each in models]) for i in (1, 2))
    preds = task.preds(outputs.flatten(0, 1)).view(probs.shape[:2])
    return of_classes(preds, probs, _targets(models), averages=isinstance(task, MulticlassClassification))


def _of_numbers(task: Task, models: Sequence[_Outputs]) -> OfModels:
    return of_numbers(torch.stack([task.preds(each.outputs) for each in models]), _targets(models))


def _targets(models: Sequence[_Outputs]) -> Tensor:
    """Of all models (m or 1, n, ...)."""
    distinct = {id(each.y): each.y for each in models}
    return torch.stack(list(distinct.values()) if len(distinct) == 1 else [each.y for each in models])


_METRICS: dict[type[Task], Callable[[Task, Sequence[_Outputs]], OfModels]] = {
    BinaryClassification: _of_classes,
    MulticlassClassification: _of_classes,
    Regression: _of_numbers,
}
