"""Two Gaussians of one size."""

import numpy as np

from src.config.allowed import Count, NotNegative, Positive, Seed, checked
from src.data.base import Part
from src.data.drawn import ClassShares, DrawnClasses, Samples, TestShare, generator_of, noisy


class GaussDataModule(DrawnClasses):
    """A class per Gaussian; the best answer of all is a straight line, and right with probability Φ(distance / 2 std).

    Args:
        n_samples: Number of training and test points together, at least 2.
        distance: Distance of the two centres, which lie on the diagonal, to both sides of the origin; at least 0.
        std: Standard deviation of each coordinate within a class, greater than 0.
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
        distance: NotNegative,
        std: Positive,
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
            class_names=("lower left", "upper right"),
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
        self.distance, self.std = distance, std

    def draw(self, n: int, seed: int) -> Part:
        """Points around the centre of their class."""
        generator = generator_of(seed)
        labels = self.labels(n, generator)
        middle = (labels - 0.5) * self.distance / np.sqrt(2)
        return noisy(np.stack([middle, middle], axis=1), labels, noise=self.std, generator=generator)
