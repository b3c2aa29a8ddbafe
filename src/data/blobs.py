"""Gaussian clouds around random centres."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_blobs

from src.config.allowed import Count, NotNegative, Range, Seed, checked
from src.data.base import Part
from src.data.drawn import ClassShares, DrawnClasses, Samples, TestShare
from src.data.split import as_part


class BlobsDataModule(DrawnClasses):
    """One class per cloud, from `sklearn.datasets.make_blobs`.

    Args:
        n_samples: Number of training and test points together, at least 2.
        n_features: Number of coordinates of a point, at least 1.
        centers: Number of clouds, that is of classes, at least 3 (for two classes a binary task is the right one).
        cluster_std: Standard deviation of each cloud, at least 0.
        class_shares: Share of each class, in every part; None for classes of equal size.
        seed: Draws the centres and the points.
        test_size: Share of the points in the test part.
        split_seed: Draws which points these are.
        n_val: Number of validation points, a draw of their own around the same centres.
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
        n_features: Annotated[int, Range(low=1, high=1_000_000)],
        centers: Annotated[int, Range(low=3, high=1_000_000)],
        cluster_std: NotNegative,
        seed: Seed,
        test_size: TestShare,
        split_seed: Seed,
        n_val: Annotated[int, Range(low=1, high=1_000_000_000)],
        val_seed: Seed,
        batch_size: Count | None,
        batch_seed: Seed,
        class_shares: ClassShares | None = None,
        drop_last: bool = False,
    ) -> None:
        super().__init__(
            class_names=tuple(f"blob {i}" for i in range(centers)),
            class_shares=class_shares,
            n_features=n_features,
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
        self.centers, self.cluster_std = centers, cluster_std

    def draw(self, n: int, seed: int) -> Part:
        """Clouds around centres that are drawn first."""
        return self._around(None, n, seed)

    def draw_val(self) -> Part:
        """Others around the same centres."""
        # as scikit-learn draws them
        centers = np.random.RandomState(self.seed).uniform(-10, 10, size=(self.centers, self.n_features))
        return self._around(centers, self.n_val, self.val_seed)

    def _around(self, centers: NDArray[np.float64] | None, n: int, seed: int) -> Part:
        has_shares = self.class_shares is not None
        # of sizes it knows the number of centres
        x, y = make_blobs(
            n_samples=self.class_sizes(n) if has_shares else n,
            n_features=self.n_features,
            centers=self.centers if centers is None and not has_shares else centers,
            cluster_std=self.cluster_std,
            random_state=seed,
        )
        return as_part(x, y)
