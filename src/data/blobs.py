"""Gaussian clouds around random centres."""

from typing import Annotated

from sklearn.datasets import make_blobs

from src.config.allowed import Count, NotNegative, Range, Seed, checked
from src.data.base import InMemoryDataModule, Parts
from src.data.spec import DataSpec
from src.data.split import as_part, n_test_samples, shuffled_split


class BlobsDataModule(InMemoryDataModule):
    """One class per cloud, from `sklearn.datasets.make_blobs`.

    Args:
        n_samples: Number of training and test points together, at least 2.
        n_features: Number of coordinates of a point, at least 1.
        centers: Number of clouds, that is of classes, at least 3 (for two classes a binary task is the right one).
        cluster_std: Standard deviation of each cloud, at least 0.
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
        n_samples: Annotated[int, Range(low=2, high=1_000_000_000)],
        n_features: Annotated[int, Range(low=1, high=1_000_000)],
        centers: Annotated[int, Range(low=3, high=1_000_000)],
        cluster_std: NotNegative,
        seed: Seed,
        test_size: Annotated[float, Range(low=0, high=1, open_low=True, open_high=True)],
        split_seed: Seed,
        n_val: Annotated[int, Range(low=1, high=1_000_000_000)],
        val_seed: Seed,
        batch_size: Count | None,
        batch_seed: Seed,
        drop_last: bool = False,
    ) -> None:
        super().__init__(batch_size=batch_size, batch_seed=batch_seed, drop_last=drop_last)
        n_test_samples(n_samples, test_size)
        self.n_samples, self.n_features, self.centers, self.cluster_std = n_samples, n_features, centers, cluster_std
        self.seed, self.test_size, self.split_seed = seed, test_size, split_seed
        self.n_val, self.val_seed = n_val, val_seed

    @property
    def spec(self) -> DataSpec:
        """One logit per cloud."""
        return DataSpec(
            task="multiclass",
            n_features=self.n_features,
            n_outputs=self.centers,
            feature_names=tuple(f"X{i + 1}" for i in range(self.n_features)),
            class_names=tuple(f"blob {i}" for i in range(self.centers)),
        )

    def make_parts(self) -> Parts:
        """Train and test from one draw, validation from another around the same centres."""
        x, y, centers = make_blobs(
            n_samples=self.n_samples,
            n_features=self.n_features,
            centers=self.centers,
            cluster_std=self.cluster_std,
            random_state=self.seed,
            return_centers=True,
        )
        train, test = shuffled_split(as_part(x, y), test_size=self.test_size, seed=self.split_seed)
        val = make_blobs(
            n_samples=self.n_val, centers=centers, cluster_std=self.cluster_std, random_state=self.val_seed
        )
        return Parts(train=train, val=as_part(*val), test=test)
