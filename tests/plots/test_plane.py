"""The part of the plane that is seen, and asking a classifier about every place of it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from src.plots.plane import CHUNK, Background, View, class_probs

Floats = NDArray[np.float32]


def test_many_points_are_asked_for_in_chunks_and_come_back_in_order() -> None:
    points = np.random.default_rng(0).random((2 * CHUNK + 5, 2))
    sizes = []

    def predict(chunk: Floats) -> Floats:
        sizes.append(len(chunk))
        return np.stack([chunk[:, 0], 1 - chunk[:, 0]], 1)

    probs = class_probs(predict, points, 2)
    assert sizes == [CHUNK, CHUNK, 5]
    assert np.array_equal(probs[:, 0], points[:, 0].astype(np.float32))


@pytest.mark.parametrize(
    ("span", "is_true_to_scale"), [((2.0, 2.0), True), ((10.0, 6.0), True), ((6.0, 7.0), True), ((1.0, 50.0), False)]
)
def test_a_view_holds_every_cloud_and_is_true_to_scale_unless_it_were_a_strip(
    span: tuple[float, float], *, is_true_to_scale: bool
) -> None:
    clouds = [np.random.default_rng(i).random((50, 2)) * np.array(span) for i in range(2)]
    view = View.around(*clouds, width=3.0)
    every = np.concatenate(clouds)
    assert (view.lower < every.min(0)).all()
    assert (view.upper > every.max(0)).all()
    units = (view.upper - view.lower) / np.array(view.size)
    assert (units[0] == pytest.approx(units[1])) == is_true_to_scale
    assert view.size[0] <= 3.0
    assert 0.5 <= view.size[1] / view.size[0] <= 1.3


def test_rows_of_the_grid_go_up_and_columns_to_the_right() -> None:
    def predict(points: Floats) -> Floats:
        assert points.dtype == np.float32
        return np.stack([points[:, 0], 1 - points[:, 0]], 1)

    view = View(np.array([0.0, 5.0]), np.array([1.0, 7.0]), (4.0, 2.0))
    grid = Background.of(predict, view, n_classes=2)
    assert grid.probs.shape == (len(grid.y), len(grid.x), 2)
    assert (grid.x[0], grid.x[-1], grid.y[0], grid.y[-1]) == (0.0, 1.0, 5.0, 7.0)
    assert grid.probs[0, :, 0] == pytest.approx(grid.x, abs=1e-6)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 4), (2, 2)])
def test_probabilities_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"one column per class name, \(3, 2\), got shape"):
        class_probs(lambda _: np.full(shape, 0.5, dtype=np.float32), np.zeros((3, 2)), 2)


@pytest.mark.parametrize("row", [(2.0, -1.0), (0.5, 0.6), (float("nan"), 0.5), (float("inf"), 0.0)])
def test_numbers_that_are_no_probabilities_are_refused(row: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="must return probabilities"):
        class_probs(lambda points: np.array([row] * len(points), dtype=np.float32), np.zeros((3, 2)), 2)


def test_rounding_to_16_bits_is_allowed() -> None:
    probs = np.array([[0.334, 0.334, 0.334]], dtype=np.float16).astype(np.float32)
    assert class_probs(lambda _: probs, np.zeros((1, 2)), 3).shape == (1, 3)
