"""The data of many models.

Axes: ``m`` models, ``n`` samples, ``f`` features.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from src.data.base import Part


class StackedPart:
    """One part of the data of all models: once if they share it.

    Attributes:
        x: Inputs (m or 1, n, f).
        y: Targets (m or 1, n, ...).
    """

    def __init__(self, parts: Sequence[Part], ready: Callable[[Part], Part]) -> None:
        distinct = {id(part): part for part in parts}
        chosen = list(distinct.values()) if len(distinct) == 1 else parts
        prepared = {key: ready(part) for key, part in distinct.items()}
        self.x, self.y = (torch.stack([prepared[id(part)][i] for part in chosen]) for i in (0, 1))

    def reordered(self, order: Tensor) -> tuple[Tensor, Tensor]:
        """Both with samples in the order (m or 1, n) of each model."""
        m = max(len(self.x), len(order))
        rows = torch.arange(m, device=order.device).unsqueeze(1)
        own = rows if len(self.x) > 1 else torch.zeros_like(rows)
        return self.x[own, order], self.y[own, order]
