"""Losses that PyTorch does not ship, pure functions of (outputs, targets) as modules."""

import torch
from torch import Tensor, nn


class BrierLoss(nn.Module):
    """Mean squared error of the probabilities of a binary task.

    Bounded, so that a point far on the wrong side pulls less than with cross entropy.
    Source: Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss, a scalar from 0 to 1, of logits (n, 1) and targets (n, 1) of 0.0 and 1.0."""
        return (torch.sigmoid(outputs) - targets).square().mean()
