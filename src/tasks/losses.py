"""Losses that PyTorch does not ship, as modules; and any loss for many models at once.

Axes: ``m`` models, ``n`` samples, ``o`` outputs.
"""

import copy
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.func import vmap


class BrierLoss(nn.Module):
    """Mean squared error of the probabilities of a binary task.

    Bounded, so that a point far on the wrong side pulls less than with cross entropy.
    Source: Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss, a scalar from 0 to 1, of logits (n, 1) and targets (n, 1) of 0.0 and 1.0."""
        return (torch.sigmoid(outputs) - targets).square().mean()


# Computes a loss of outputs (m, n, o) and targets (m or 1, n, ...) for each model by itself: (m,).
ModelLoss: TypeAlias = Callable[[Tensor, Tensor], Tensor]

# Their mean is over the numbers of all samples alike, so that it can be taken model by model.
_ELEMENTWISE = (nn.BCEWithLogitsLoss, nn.HuberLoss, nn.L1Loss, nn.MSELoss, nn.SmoothL1Loss)


def loss_of_samples(loss: nn.Module) -> ModelLoss | None:
    """A mean loss of one model's outputs (n, o), for those of many models, where it tells that of each sample.

    PyTorch's own losses do when asked, a third of the work of `torch.func.vmap`, which takes any other.
    """
    if type(loss) in _ELEMENTWISE and loss.reduction == "mean":
        each = _without_reduction(loss)
        return lambda outputs, y: each(outputs, y.expand_as(outputs)).mean((1, 2))
    # the mean over samples, unless classes weigh differently or are left out
    if type(loss) is nn.CrossEntropyLoss and loss.reduction == "mean" and loss.weight is None and loss.ignore_index < 0:
        each = _without_reduction(loss)
        # it wants classes before samples, in probabilities (m or 1, n, k) as well
        return lambda outputs, y: each(
            outputs.transpose(1, 2),
            y.expand_as(outputs).transpose(1, 2) if y.is_floating_point() else y.expand(len(outputs), -1),
        ).mean(1)
    return None


def _without_reduction(loss: nn.Module) -> nn.Module:
    each = copy.copy(loss)
    vars(each)["reduction"] = "none"
    return each


def per_model(function: Callable[[Tensor, Tensor], Tensor]) -> ModelLoss:
    """Any function of one model's outputs (n, o) and targets, for outputs (m, n, o) and targets (m or 1, n, ...)."""

    def all_models(outputs: Tensor, y: Tensor) -> Tensor:
        shared = len(y) == 1
        values: Tensor = vmap(function, in_dims=(0, None if shared else 0))(outputs, y[0] if shared else y)
        return values

    return all_models
