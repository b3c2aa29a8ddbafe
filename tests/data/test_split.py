"""Splits against scikit-learn's, and checks of ranges."""

import math

import numpy as np
import pytest
import torch
from sklearn.model_selection import train_test_split

from src.data.base import Part
from src.data.split import as_part, n_test_samples, shuffled_split
from tests.tasks.runs import generator_states


@pytest.mark.parametrize("n", [2, 3, 10, 101, 1000])
@pytest.mark.parametrize("test_size", [0.05, 0.2, 0.3, 0.5])
@pytest.mark.parametrize("seed", [0, 42])
def test_split_is_that_of_scikit_learn(n: int, test_size: float, seed: int) -> None:
    x, y = torch.arange(n * 2.0).view(n, 2), torch.arange(n)
    train, test = shuffled_split(Part(x, y), test_size=test_size, seed=seed)
    expected = train_test_split(x.numpy(), y.numpy(), test_size=test_size, random_state=seed)
    for got, array in zip((train.x, test.x, train.y, test.y), expected, strict=True):
        assert np.array_equal(got.numpy(), array)


def test_split_takes_nothing_from_the_global_generators() -> None:
    before = generator_states()
    shuffled_split(Part(torch.zeros(9, 1), torch.zeros(9)), test_size=0.3, seed=3)
    assert generator_states() == before


@pytest.mark.parametrize("test_size", [0.0, 1.0, -0.1, 1.5, math.nan, True])
def test_test_size_outside_zero_and_one_is_refused(test_size: float) -> None:
    with pytest.raises(ValueError, match=r"data\.test_size must be between 0 and 1, exclusive, got"):
        n_test_samples(10, test_size)


def test_test_size_that_leaves_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(ValueError, match=r"data\.test_size=0\.95 of 10 samples leaves 0 to train on"):
        n_test_samples(10, 0.95)


def test_arrays_become_float32_and_int64() -> None:
    part = as_part(np.ones((3, 2)), np.array([0, 1, 2]))
    assert (part.x.dtype, part.y.dtype) == (torch.float32, torch.int64)
