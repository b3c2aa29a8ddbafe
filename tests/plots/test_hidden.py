"""Asking a network for its hidden units at many places."""

import numpy as np
from numpy.typing import NDArray

from src.plots.hidden import Layer, evaluate_hidden

Floats = NDArray[np.float32]


def test_layers_come_back_row_by_row_from_small_chunks_and_only_the_first_units_are_kept() -> None:
    sizes = []

    def hidden(points: Floats) -> list[Layer]:
        sizes.append(len(points))
        before = np.concatenate([points, -points], 1) - np.float32(0.25)
        return [Layer("relu", folds=True, before=before, after=np.maximum(before, 0))]

    (layer,) = evaluate_hidden(hidden, np.array([0.0, 5.0]), np.array([1.0, 7.0]), size=(3.0, 2.0), max_units=3)
    assert max(sizes) <= 4096
    assert len(sizes) > 1
    assert sum(sizes) == len(layer.x) * len(layer.y)
    assert (layer.name, layer.folds, layer.n_units) == ("relu", True, 4)
    assert layer.before.shape == (len(layer.y), len(layer.x), 3)
    assert np.allclose(layer.before[..., 0], layer.x[None, :] - 0.25, atol=1e-6)
    assert np.allclose(layer.before[..., 1], layer.y[:, None] - 0.25, atol=1e-6)
    assert np.array_equal(layer.after, np.maximum(layer.before, 0))
    assert layer.crosses_zero().tolist() == [True, False, False]
