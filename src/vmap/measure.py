"""Validation and test of one model of a stack, by the network, the loss and the metrics of its single run."""

from collections.abc import Mapping

from lightning.pytorch.plugins.precision import Precision
from torch import Tensor

from src.compat.torchmetrics import plain_attributes
from src.data.base import Batches, InMemoryDataModule, Part, Parts
from src.tasks.base import Task
from src.vmap.stacked.layout import load


def measure_model(task: Task, tensors: Mapping[str, Tensor], parts: Parts, precision: Precision) -> dict[str, float]:
    """Measure a model.

    Args:
        task: The model's; its network and loss receive its tensors.
        tensors: Parameters and buffers by their names in the task.
        parts: The model's data.
        precision: As the trainer has it.
    """
    load(task.net, task.loss, tensors)
    metrics: dict[str, float] = {}
    with precision.forward_context(), plain_attributes():
        for split, part in (("val", parts.val), ("test", parts.test)):
            ready = Part(*(precision.convert_input(tensor) for tensor in part))
            metrics |= task.measure(split, Batches(ready, batch_size=InMemoryDataModule.EVAL_BATCH_SIZE))
    return metrics
