"""The four quadrants, opposite ones a class together: no straight line separates them."""

from typing import Annotated

import numpy as np

from src.config.allowed import Count, NotNegative, Range, Seed, checked
from src.data.base import Part
from src.data.drawn import ClassShares, DrawnClasses, Samples, TestShare, generator_of, noisy


class XorDataModule(DrawnClasses):
    """Two classes: coordinates of equal signs, and of different ones; without noise uniform from -1 to 1.

    Args:
        n_samples: Number of training and test points together, at least 2.
        gap: Distance that points keep from both axes before there is noise, from 0 to below 1.
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
        gap: Annotated[float, Range(low=0, high=1, open_high=True)],
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
            class_names=("equal signs", "different signs"),
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
        self.gap, self.noise = gap, noise

    def draw(self, n: int, seed: int) -> Part:
        """The sign of X1 is drawn, and that of X2 follows from the class."""
        generator = generator_of(seed)
        labels = self.labels(n, generator)
        size = self.gap + (1 - self.gap) * generator.uniform(size=(n, 2))
        sign = generator.choice([-1.0, 1.0], size=n)
        points = size * np.stack([sign, sign * (1 - 2 * labels)], axis=1)
        return noisy(points, labels, noise=self.noise, generator=generator)
