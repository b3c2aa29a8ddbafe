"""Tiles of a checkerboard."""

from typing import Annotated

import numpy as np

from src.config.allowed import Count, NotNegative, Range, Seed, checked
from src.data.base import Part
from src.data.drawn import ClassShares, DrawnClasses, Samples, TestShare, generator_of, noisy


class CheckerboardDataModule(DrawnClasses):
    """Two classes on tiles of two colours, which fill the square from -1 to 1.

    Args:
        n_samples: Number of training and test points together, at least 2.
        tiles: Number of tiles along each side, from 2 on.
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
        tiles: Annotated[int, Range(low=2, high=1000)],
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
            class_names=("dark", "light"),
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
        self.tiles, self.noise = tiles, noise

    def draw(self, n: int, seed: int) -> Part:
        """A tile of the colour of the class, then a place on it."""
        generator = generator_of(seed)
        labels = self.labels(n, generator)
        tiles = np.indices((self.tiles, self.tiles)).reshape(2, -1).T
        colors = tiles.sum(1) % 2
        chosen = np.empty((n, 2))
        for label in range(2):
            of_color, is_label = tiles[colors == label], labels == label
            chosen[is_label] = of_color[generator.randint(len(of_color), size=int(is_label.sum()))]
        points = 2 * (chosen + generator.uniform(size=(n, 2))) / self.tiles - 1
        return noisy(points, labels, noise=self.noise, generator=generator)
