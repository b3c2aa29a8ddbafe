"""What all data sets share that are drawn from a seed: the draws, the split, classes of chosen sizes.

Each of them spells out its arguments, those that it hands on to these bases among them: configurations are checked
against what stands in its source, without importing it (`src.config.signature`).

Axes: ``n`` samples, ``k`` classes, ``f`` features.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.config.allowed import Count, Range, Seed
from src.data.base import InMemoryDataModule, Part, Parts
from src.data.spec import DataSpec
from src.data.split import apportioned, n_test_samples, shuffled_split, stratified_split

Samples = Annotated[int, Range(low=2, high=1_000_000_000)]
TestShare = Annotated[float, Range(low=0, high=1, open_low=True, open_high=True)]
ClassShares = Sequence[TestShare]

# Shares of classes may be rounded.
_ROUNDING = 1e-6


def generator_of(seed: int) -> np.random.RandomState:
    """A generator of one's own: another one than the split has, also of the same seed.

    `numpy.random.RandomState`, which gives the same numbers in every version of NumPy.
    """
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))


class DrawnDataModule(InMemoryDataModule):
    """Base of data sets that are drawn: train and test from one draw, validation from another.

    Args:
        n_samples: Number of training and test points together.
        seed: Draws the points.
        test_size: Share of the points in the test part.
        split_seed: Draws which points these are.
        n_val: Number of validation points, a draw of their own.
        val_seed: Draws the validation points.
        batch_size: Points per training batch; None for the whole training part.
        batch_seed: Orders the training batches.
        drop_last: Leave out a last training batch that is smaller than the others.

    Raises:
        ValueError: If ``test_size`` leaves a part empty.
    """

    def __init__(
        self,
        *,
        n_samples: int,
        seed: int,
        test_size: float,
        split_seed: int,
        n_val: int,
        val_seed: int,
        batch_size: Count | None,
        batch_seed: Seed,
        drop_last: bool = False,
    ) -> None:
        super().__init__(batch_size=batch_size, batch_seed=batch_seed, drop_last=drop_last)
        n_test_samples(n_samples, test_size)
        self.n_samples, self.seed, self.test_size, self.split_seed = n_samples, seed, test_size, split_seed
        self.n_val, self.val_seed = n_val, val_seed

    @abstractmethod
    def draw(self, n: int, seed: int) -> Part:
        """Draw so many points; nothing but the seed decides which."""

    def make_parts(self) -> Parts:
        """Train and test from one draw, validation from another."""
        train, test = self.split(self.draw(self.n_samples, self.seed))
        return Parts(train=train, val=self.draw_val(), test=test)

    def draw_val(self) -> Part:
        """Draw the validation points."""
        return self.draw(self.n_val, self.val_seed)

    def split(self, both: Part) -> tuple[Part, Part]:
        """Cut a draw into train and test."""
        return shuffled_split(both, test_size=self.test_size, seed=self.split_seed)


class DrawnClasses(DrawnDataModule):
    """Base of classifications that are drawn.

    Args:
        class_names: One per class.
        class_shares: Share of each class, which add up to 1; every part then has them. None for classes of equal size,
            of which a draw decides the part.
        n_features: Number of coordinates of a point.
        **drawn: As in `DrawnDataModule`.

    Raises:
        ValueError: If there is not a share for each class, they do not add up to 1, or leave a class out of a part.
    """

    def __init__(
        self,
        *,
        class_names: tuple[str, ...],
        class_shares: Sequence[float] | None,
        n_features: int = 2,
        **drawn: Any,
    ) -> None:
        super().__init__(**drawn)
        self.class_names, self.n_features = class_names, n_features
        self.class_shares = None if class_shares is None else list(class_shares)
        self._class_counts: tuple[int, ...] = ()
        self._check_shares()

    def _check_shares(self) -> None:
        if self.class_shares is None:
            return
        k, given = len(self.class_names), f"data.class_shares={self.class_shares}"
        if len(self.class_shares) != k:
            raise ValueError(
                f"{given} are {len(self.class_shares)} shares; allowed: null or {k}, one for each class: "
                f"{', '.join(self.class_names)}"
            )
        if abs(sum(self.class_shares) - 1) > _ROUNDING:
            raise ValueError(f"{given} add up to {sum(self.class_shares):g}; allowed: shares that add up to 1")
        sizes, n_test = self.class_sizes(self.n_samples), self._n_test_of_classes()
        parts = {
            "train": [n - out for n, out in zip(sizes, n_test, strict=True)],
            "val": self.class_sizes(self.n_val),
            "test": n_test,
        }
        for part, counts in parts.items():
            if 0 in counts:
                key = f"data.n_val={self.n_val}" if part == "val" else f"data.n_samples={self.n_samples}"
                raise ValueError(
                    f"{given} of {key} leave no point of class {self.class_names[counts.index(0)]!r} for part {part}; "
                    "allowed: at least one point of each class in each part"
                )

    @property
    def spec(self) -> DataSpec:
        """One logit for two classes, else one per class; classes are counted once the parts are made."""
        k = len(self.class_names)
        return DataSpec(
            task="binary" if k == 2 else "multiclass",
            n_features=self.n_features,
            n_outputs=1 if k == 2 else k,
            feature_names=features(self.n_features),
            class_names=self.class_names,
            class_counts=self._class_counts,
        )

    def make_parts(self) -> Parts:
        """The same, and count the classes."""
        parts = super().make_parts()
        self._class_counts = tuple(torch.bincount(parts.train.y, minlength=len(self.class_names)).tolist())
        return parts

    def split(self, both: Part) -> tuple[Part, Part]:
        """Cut a draw into train and test; where classes have shares, both parts have them."""
        if self.class_shares is None:
            return super().split(both)
        return stratified_split(both, n_test=self._n_test_of_classes(), seed=self.split_seed)

    def class_sizes(self, n: int) -> list[int]:
        """Points of each class among ``n``; of equal classes the first ones have what is left over."""
        k = len(self.class_names)
        if self.class_shares is None:
            return [n // k + (i < n % k) for i in range(k)]
        return apportioned(n, self.class_shares)

    def _n_test_of_classes(self) -> list[int]:
        sizes = self.class_sizes(self.n_samples)
        return apportioned(n_test_samples(self.n_samples, self.test_size), [n / self.n_samples for n in sizes])

    def labels(self, n: int, generator: np.random.RandomState) -> NDArray[np.int64]:
        """Labels (n,) of classes of these sizes in a drawn order."""
        y = np.repeat(np.arange(len(self.class_names)), self.class_sizes(n))
        generator.shuffle(y)
        return y


class DrawnNumbers(DrawnDataModule):
    """Base of regressions that are drawn: one number from features that are uniform from -1 to 1.

    Args:
        noise: Standard deviation of the Gaussian noise on the target.
        n_features: Number of features.
        **drawn: As in `DrawnDataModule`.
    """

    def __init__(
        self,
        *,
        noise: float,
        n_features: int = 2,
        **drawn: Any,
    ) -> None:
        super().__init__(**drawn)
        self.noise, self.n_features = noise, n_features

    @abstractmethod
    def target(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The target (n,) of inputs (n, f), without noise."""

    @property
    def spec(self) -> DataSpec:
        """One number out."""
        return DataSpec(
            task="regression",
            n_features=self.n_features,
            n_outputs=1,
            feature_names=features(self.n_features),
            class_names=("y",),
        )

    def draw(self, n: int, seed: int) -> Part:
        """Places, then noise on their target."""
        generator = generator_of(seed)
        x = generator.uniform(-1, 1, size=(n, self.n_features))
        y = self.target(x) + generator.normal(scale=self.noise, size=n)
        return Part(float32(x), float32(y).unsqueeze(1))


def features(n: int) -> tuple[str, ...]:
    """Names of so many coordinates; of a single one ``x``."""
    return ("x",) if n == 1 else tuple(f"X{i + 1}" for i in range(n))


def float32(values: NDArray[np.float64]) -> Tensor:
    """The same in single precision; float64 never reaches a device."""
    return torch.from_numpy(values).float()


def noisy(
    points: NDArray[np.float64], labels: NDArray[np.int64], *, noise: float, generator: np.random.RandomState
) -> Part:
    """Points (n, f) with Gaussian noise on each coordinate, and their labels (n,).

    Args:
        points: Where they are without noise.
        labels: Their classes.
        noise: Standard deviation.
        generator: Draws the noise.
    """
    return Part(float32(points + generator.normal(scale=noise, size=points.shape)), torch.from_numpy(labels).long())
