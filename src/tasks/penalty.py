"""What large weights cost in training: the L1 and L2 penalties.

Axes: ``m`` models, ``o`` outputs and ``i`` inputs of a layer.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Penalty:
    """``l1 * sum |w| + l2 / 2 * sum w^2`` over weights w; biases are free.

    It is added to the loss that is trained, and not to the one that is shown, which stays comparable.

    Attributes:
        l1: Rate of the sum of magnitudes, which sends weights to 0.
        l2: Rate of half the sum of squares; as ``weight_decay`` of an optimiser that adds it to the gradient.
    """

    l1: float
    l2: float

    def __bool__(self) -> bool:
        return self.l1 > 0 or self.l2 > 0

    def of(self, parameters: Iterable[Tensor], *, n_model_axes: int = 0) -> Tensor | float:
        """Penalty of a network, or (m,) of stacked ones.

        Args:
            parameters: Weights (o, i) and biases (o,) of a network, behind the axis of models where there is one.
            n_model_axes: Number of axes of models, 0 or 1.
        """
        total: Tensor | float = 0.0
        for weight in parameters:
            if weight.ndim - n_model_axes < 2 or not weight.requires_grad:
                continue
            axes = tuple(range(n_model_axes, weight.ndim))
            if self.l1:
                total = total + self.l1 * weight.abs().sum(axes)
            if self.l2:
                total = total + 0.5 * self.l2 * weight.square().sum(axes)
        return total
