"""A regression of hills and hollows, where those of TensorFlow Playground lie."""

import numpy as np
from numpy.typing import NDArray

from src.config.allowed import Count, NotNegative, Positive, Seed, checked
from src.data.drawn import DrawnNumbers, Samples, TestShare

# Centre and sign of each, in units of half the side.
HILLS = tuple(
    (x / 6, y / 6, sign) for y, first in ((2.5, 1), (-2.5, -1)) for x, sign in ((-4, first), (0, -first), (4, first))
)


class MultiGaussDataModule(DrawnNumbers):
    """Six Gaussian hills, every other one a hollow, over two features, which are uniform from -1 to 1.

    Args:
        n_samples: Number of training and test points together, at least 2.
        width: Standard deviation of each hill, greater than 0; its height is 1.
        noise: Standard deviation of the Gaussian noise on the target, at least 0.
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
        width: Positive,
        noise: NotNegative,
        seed: Seed,
        test_size: TestShare,
        split_seed: Seed,
        n_val: Samples,
        val_seed: Seed,
        batch_size: Count | None,
        batch_seed: Seed,
        drop_last: bool = False,
    ) -> None:
        super().__init__(
            noise=noise,
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
        self.width = width

    def target(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum of all hills and hollows."""
        height = np.zeros(len(x))
        for *center, sign in HILLS:
            height += sign * np.exp(-np.square(x - np.array(center)).sum(1) / (2 * self.width**2))
        return height
