"""A straight line without noise."""

from typing import Annotated

import torch
from torch import Tensor

from src.config.allowed import Count, Positive, Range, Seed, checked
from src.data.base import InMemoryDataModule, Part, Parts
from src.data.spec import DataSpec
from src.data.split import n_test_samples

MOST_POINTS = 1_000_000_000


class LineDataModule(InMemoryDataModule):
    """Points on ``y = weight * x + bias``, split in order of x, so that the test part lies to the right of training.

    Args:
        weight: Slope.
        bias: Value at x = 0.
        start: First x.
        end: End of the grid, which it does not contain; greater than ``start``.
        step: Distance of two points; small enough for at least 3 points to train on and 2 to test.
        test_size: Share of the points, from the right end, in the test part.
        batch_size: Points per training batch; None for the whole training part.
        batch_seed: Orders the training batches.
        drop_last: Leave out a last training batch that is smaller than the others.

    Raises:
        ValueError: If a value is outside its range.
    """

    @checked("data")
    def __init__(
        self,
        *,
        weight: float,
        bias: float,
        start: float,
        end: float,
        step: Positive,
        test_size: Annotated[float, Range(low=0, high=1, open_low=True, open_high=True)],
        batch_size: Count | None,
        batch_seed: Seed,
        drop_last: bool = False,
    ) -> None:
        super().__init__(batch_size=batch_size, batch_seed=batch_seed, drop_last=drop_last)
        if not end > start:
            raise ValueError(f"data.end must be greater than data.start={start}, got {end}")
        n_points = (end - start) / step
        if not 1 <= n_points <= MOST_POINTS:
            raise ValueError(
                f"data.step={step} puts {n_points:.4g} points between data.start={start} and data.end={end}, "
                f"must be from 1 to {MOST_POINTS}"
            )
        self.weight, self.bias, self.test_size = weight, bias, test_size
        self._grid = torch.arange(start, end, step, dtype=torch.float32).unsqueeze(1)
        n_test = n_test_samples(len(self._grid), test_size)
        self._n_train = len(self._grid) - n_test
        # the explained variance needs two points of each part, and validation lies between those of training
        if self._n_train < 3 or n_test < 2:
            raise ValueError(
                f"data.step={step} and data.test_size={test_size} leave {self._n_train} points to train on and "
                f"{n_test} to test, must be at least 3 and 2"
            )

    @property
    def spec(self) -> DataSpec:
        """One number in, one number out."""
        return DataSpec(task="regression", n_features=1, n_outputs=1, feature_names=("x",), class_names=("y",))

    def make_parts(self) -> Parts:
        """The grid's left and right parts, and the midpoints of the left one for validation."""
        train = self._grid[: self._n_train]
        return Parts(
            train=self._on_line(train),
            val=self._on_line((train[1:] + train[:-1]) / 2),
            test=self._on_line(self._grid[self._n_train :]),
        )

    def _on_line(self, x: Tensor) -> Part:
        return Part(x, self.weight * x + self.bias)
