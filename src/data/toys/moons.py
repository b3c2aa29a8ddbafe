"""Two half circles that reach into each other."""

import numpy as np

from src.config.allowed import Count, NotNegative, Seed, checked
from src.data.base import Part
from src.data.drawn import ClassShares, DrawnClasses, Samples, TestShare, noisy


class MoonsDataModule(DrawnClasses):
    """Two classes on two half circles, as from scikit-learn's ``make_moons``.

    Args:
        n_samples: Number of training and test points together, at least 2.
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
            class_names=("upper", "lower"),
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
        self.noise = noise

    def draw(self, n: int, seed: int) -> Part:
        """Half circles of radius 1; without shares the same in every bit as scikit-learn's points in float32."""
        generator = np.random.RandomState(seed)
        n_upper, n_lower = (n // 2, n - n // 2) if self.class_shares is None else self.class_sizes(n)
        upper, lower = np.linspace(0, np.pi, n_upper), np.linspace(0, np.pi, n_lower)
        x = np.append(np.cos(upper), 1 - np.cos(lower))
        y = np.append(np.sin(upper), 1 - np.sin(lower) - 0.5)
        order = np.arange(n)
        generator.shuffle(order)
        labels = (order >= n_upper).astype(np.int64)
        return noisy(np.stack([x, y], axis=1)[order], labels, noise=self.noise, generator=generator)
