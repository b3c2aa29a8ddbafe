"""Two noisy rings, one inside the other."""

from typing import Annotated

import numpy as np
import torch

from src.config.allowed import Count, NotNegative, Range, Seed, checked
from src.data.base import Part
from src.data.drawn import ClassShares, DrawnClasses, Samples, TestShare

# Points that are in memory as float64 at the same time.
_CHUNK = 1 << 15


def draw_circles(n: int, *, noise: float, factor: float, seed: int, n_outer: int | None = None) -> Part:
    """Points on two rings, the same in every bit as scikit-learn's ``make_circles(random_state=seed)`` in float32.

    Written out because that one keeps several float64 copies at once: a run over a million points held five times the
    bytes of its tensors, and holds two and a half times with this one. Importing ``sklearn.datasets`` also takes longer
    than training a small network.

    Args:
        n: Number of points.
        noise: Standard deviation of the Gaussian noise on each coordinate.
        factor: Radius of the inner ring over the outer one's.
        seed: Decides order and noise.
        n_outer: Points on the outer ring; None for half of them.

    Returns:
        Points (n, 2) and labels (n,): 0 for the outer ring, 1 for the inner one.
    """
    generator = np.random.RandomState(seed)
    n_outer = n // 2 if n_outer is None else n_outer
    order = np.arange(n)
    generator.shuffle(order)
    x, y = torch.empty(n, 2), torch.empty(n, dtype=torch.int64)
    for start in range(0, n, _CHUNK):
        chosen = order[start : start + _CHUNK]
        inner = chosen >= n_outer
        # place on the ring: the first point of each is at angle 0
        turn = np.where(inner, (chosen - n_outer) * (2 * np.pi / (n - n_outer)), chosen * (2 * np.pi / max(n_outer, 1)))
        points = np.stack([np.cos(turn), np.sin(turn)], axis=1) * np.where(inner, factor, 1.0)[:, None]
        points += generator.normal(scale=noise, size=points.shape)
        x[start : start + _CHUNK] = torch.from_numpy(points)
        y[start : start + _CHUNK] = torch.from_numpy(inner)
    return Part(x, y)


class CirclesDataModule(DrawnClasses):
    """Two classes on two rings, as from scikit-learn's ``make_circles``.

    Args:
        n_samples: Number of training and test points together, at least 2.
        noise: Standard deviation of the Gaussian noise on each coordinate, at least 0.
        factor: Radius of the inner ring over the outer one's, from 0 to below 1.
        class_shares: Share of each class, in every part; None for classes of equal size.
        seed: Draws the points.
        test_size: Share of the points in the test part.
        split_seed: Draws which points these are.
        n_val: Number of validation points, a draw of their own.
        val_seed: Draws the validation points.
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
        n_samples: Samples,
        noise: NotNegative,
        factor: Annotated[float, Range(low=0, high=1, open_high=True)],
        seed: Seed,
        test_size: TestShare,
        split_seed: Seed,
        n_val: Samples,
        val_seed: Seed,
        batch_size: Count | None,
        batch_seed: Seed,
        class_shares: ClassShares | None = None,
        drop_last: bool = False,
    ) -> None:
        super().__init__(
            class_names=("outer", "inner"),
            class_shares=class_shares,
            n_samples=n_samples,
            seed=seed,
            test_size=test_size,
            split_seed=split_seed,
            n_val=n_val,
            val_seed=val_seed,
            batch_size=batch_size,
            batch_seed=batch_seed,
            drop_last=drop_last,
        )
        self.noise, self.factor = noise, factor

    def draw(self, n: int, seed: int) -> Part:
        """Points on both rings; without shares the inner one has what is left over."""
        n_outer = None if self.class_shares is None else self.class_sizes(n)[0]
        return draw_circles(n, noise=self.noise, factor=self.factor, seed=seed, n_outer=n_outer)
