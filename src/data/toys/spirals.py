"""Arms of a spiral that wind around each other."""

from typing import Annotated

import numpy as np

from src.config.allowed import Count, NotNegative, Range, Seed, checked
from src.data.base import Part
from src.data.drawn import ClassShares, DrawnClasses, Samples, TestShare, generator_of, noisy

# Radius at which the arms begin.
INNER = 0.1


class SpiralsDataModule(DrawnClasses):
    """A class per arm: the same arm, turned; two arms are a binary task.

    Args:
        n_samples: Number of training and test points together, at least 2.
        n_classes: Number of arms, from 2 on.
        turns: Turns of an arm between the origin and radius 1, at least 0.
        noise: Standard deviation of the Gaussian noise on each coordinate, at least 0.
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
        n_classes: Annotated[int, Range(low=2, high=1000)],
        turns: NotNegative,
        noise: NotNegative,
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
            class_names=tuple(f"arm {i}" for i in range(n_classes)),
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
        self.n_classes, self.turns, self.noise = n_classes, turns, noise

    def draw(self, n: int, seed: int) -> Part:
        """Points on the arms, uniform in radius: of 0.1 to 1, since all arms meet at the origin."""
        generator = generator_of(seed)
        labels = self.labels(n, generator)
        radius = generator.uniform(INNER, 1, size=n)
        angle = 2 * np.pi * (self.turns * radius + labels / self.n_classes)
        points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return noisy(points, labels, noise=self.noise, generator=generator)
