"""Which stacks are computed by the compiled `src.vmap.stacked.kernel`, and how it is called.

It stands in the place of forward and backward pass of small networks of linear layers, in single precision on a CPU.
What it gives is the gradient; steps of optimisers, clipping and penalties stay what they are.

Axes: ``m`` models, ``n`` samples, ``f`` features, ``p`` weights of one model, ``t`` targets.
"""

import functools
import importlib
import logging
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from src.models.activations import HandmadeReLU
from src.models.mlp import MLP
from src.tasks.base import Task
from src.tasks.binary import BinaryClassification
from src.tasks.multiclass import MulticlassClassification
from src.tasks.regression import Regression
from src.tasks.training.loop import Means
from src.vmap.stacked.data import StackedPart
from src.vmap.stacked.layout import Layout
from src.vmap.stacked.network import is_worth_merging

log = logging.getLogger(__name__)

# Inputs (m or 1, f, n) and targets (m or 1, t, n).
Samples: TypeAlias = tuple[Tensor, Tensor]

# Weights of the largest layer for which the kernel takes at most half of the time that PyTorch takes, which multiplies
# large matrices better: two layers of 24 units take 0.44 of it, of 32 units 0.6, of 64 units 0.9.
_LARGEST = 600

# Values of ``trainer.precision`` that are single.
SINGLE = ("32-true", "32", 32)

_ACTIVATIONS = {
    nn.ReLU: "RELU",
    HandmadeReLU: "RELU",
    nn.Tanh: "TANH",
}
_LOSSES: dict[type[Task], tuple[type[nn.Module], str]] = {
    BinaryClassification: (nn.BCEWithLogitsLoss, "BCE"),
    MulticlassClassification: (nn.CrossEntropyLoss, "CROSS_ENTROPY"),
    Regression: (nn.MSELoss, "MSE"),
}
# A loss as PyTorch makes it by itself.
_DEFAULTS = {"reduction": "mean", "weight": None, "pos_weight": None, "label_smoothing": 0.0, "ignore_index": -100}


def is_fit(tasks: Sequence[Task]) -> bool:
    """Whether the kernel knows networks, loss and score of these tasks, and they are small enough to gain from it."""
    loss_of_task = _LOSSES.get(type(tasks[0]))
    loss = tasks[0].loss
    if loss_of_task is None or type(loss) is not loss_of_task[0]:
        return False
    if any(getattr(loss, name, value) != value for name, value in _DEFAULTS.items()):
        return False
    return all(_is_known(task.net) for task in dict.fromkeys(tasks)) and kernel() is not None


def _is_known(net: nn.Module) -> bool:
    if type(net) is not MLP or not net.is_chain or not all(each.requires_grad for each in net.parameters()):
        return False
    return all(
        layer.bias is not None and layer.weight.numel() <= _LARGEST
        if isinstance(layer, nn.Linear)
        else type(layer) in _ACTIVATIONS
        for layer in net.layers
    )


@functools.cache
def kernel() -> ModuleType | None:
    """The kernel, compiled; None where Numba is missing or cannot compile for this machine."""
    try:
        from src.vmap.stacked import kernel as made

        try:
            _try_out(made)
        # made anew it would be as wrong
        except ArithmeticError:
            raise
        # what was kept of it may be damaged, by a disk that was full or a copy that was cut short
        except Exception:
            made = _anew(made)
            _try_out(made)
    except ImportError:
        log.info(
            "Numba is not installed (the extra fast), which would compute small networks in a fraction of the time"
        )
        return None
    # whatever a compiler may raise: there is another way
    except Exception as error:
        log.info("Numba cannot compile here: %s", error)
        return None
    return made


def _anew(made: ModuleType) -> ModuleType:
    """The kernel without what was kept of it from an earlier start."""
    if folder := made.learn.stats.cache_path:
        for file in Path(folder).glob("kernel.*.nb[ic]"):
            file.unlink(missing_ok=True)
    return importlib.reload(made)


def _try_out(made: ModuleType) -> None:
    """Compile, or read what was compiled before."""
    one, zeros, n = np.ones((1, 1, 1), np.float32), np.zeros((1, 2), np.float32), np.zeros((1, 1), np.int64)
    models = n[0], np.ones((1, 2), np.int64), n, n + 1, n[0], np.ones(2, np.int64)
    grad = zeros.copy()
    made.learn(zeros, one, one, n, models, made.MSE, np.zeros((2, 1), np.float32), grad)
    if grad.tolist() != [[-2.0, -2.0]]:
        raise ArithmeticError(f"it computes {grad.tolist()} where -2 is right")


class Fused:
    """Forward and backward pass of the models of a tile.

    Args:
        tasks: Of each model; `is_fit` must hold of them.
        layout: Of a row of weights, in which a model may leave some out.
        weights: (m, p), on the CPU; they are read at every call.
        order_of: Which row each model has in the orders of samples (m,).
    """

    def __init__(self, tasks: Sequence[Task], layout: Layout, weights: Tensor, order_of: Tensor) -> None:
        made = kernel()
        assert made is not None
        self._learn = made.learn
        self._kind = getattr(made, _LOSSES[type(tasks[0])][1])
        shapes = list(layout.trained.values())
        ends = np.cumsum([0, *(shape.numel() for shape in shapes)])
        matrices = shapes[::2]
        room = [matrices[0][1], *(shape[0] for shape in matrices)]
        described = {task: _describe(task.net, made) for task in dict.fromkeys(tasks)}
        each = (np.array([described[task][i] for task in tasks], np.int64) for i in range(3))
        self._models = order_of.numpy(), *each, ends[:-1:2].astype(np.int64), np.array(room, np.int64)
        self._weights = weights
        self._grad = torch.zeros_like(weights)

    def samples(self, part: StackedPart) -> Samples:
        """A part in the form that the kernel takes."""
        y = part.y if part.y.is_floating_point() else part.y.unsqueeze(2)
        x, y = (each.float().transpose(1, 2).contiguous() for each in (part.x, y))
        return x, y

    def learn(self, samples: Samples, numbers: Tensor, *, measure: bool) -> tuple[Means | None, Tensor]:
        """Loss and score (m,) of each model if they are measured, and its gradient (m, p), for until the next call.

        Args:
            samples: Of the part.
            numbers: Those of the batch (r, b), int64.
            measure: Whether loss and score are asked for.
        """
        means = torch.empty(2, len(self._weights) if measure else 0)
        self._call(samples, numbers, means, self._grad)
        return Means(*means) if measure else None, self._grad

    def evaluate(self, samples: Samples, numbers: Tensor) -> Means:
        """Loss and score (m,) of each model."""
        means = torch.empty(2, len(self._weights))
        self._call(samples, numbers, means, self._grad[:0])
        return Means(*means)

    def _call(self, samples: Samples, numbers: Tensor, means: Tensor, grad: Tensor) -> None:
        weights, x, y = self._weights.numpy(), samples[0].numpy(), samples[1].numpy()
        self._learn(weights, x, y, numbers.numpy(), self._models, self._kind, means.numpy(), grad.numpy())


def _describe(net: nn.Module, made: ModuleType) -> tuple[list[int], list[int], list[int]]:
    """Widths of inputs and layers of a network, what stands after each layer, and the inputs of what it is merged with.

    Layers without an activation between them are one map where that takes fewer multiplications for each sample.
    """
    assert isinstance(net, MLP)
    widths = [net.in_features]
    codes: list[int] = []
    inputs: list[int] = []
    for layer in net.layers:
        if not isinstance(layer, nn.Linear):
            codes[-1] = getattr(made, _ACTIVATIONS[type(layer)])
            continue
        h, o = widths[-1], layer.out_features
        is_merged = bool(codes) and codes[-1] == made.IDENTITY and is_worth_merging(inputs[-1], h, o)
        if is_merged:
            codes[-1] = made.MERGED
        inputs.append(inputs[-1] if is_merged else h)
        widths.append(o)
        codes.append(made.IDENTITY)
    return widths, codes, inputs
