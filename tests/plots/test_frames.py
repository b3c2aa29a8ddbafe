"""Frames: the same size all along, nothing left over from the one before, and what the network says at every place."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from src.plots import style
from src.plots.frames import BoundaryFrames, PredictionFrames

N_CLASSES = 3


def boundary_frames(n: int = 60) -> BoundaryFrames:
    """Points near the corners of a square, so that its middle holds none."""
    generator = np.random.default_rng(0)
    points = np.sign(generator.normal(size=(n, 2))) + 0.05 * generator.normal(size=(n, 2))
    labels = generator.integers(N_CLASSES, size=n)
    return BoundaryFrames((points, labels), class_names=["a", "b", "c"], feature_names=["x1", "x2"])


def says(k: int) -> NDArray[np.float32]:
    """Certain of class k."""
    probs = np.zeros(N_CLASSES, np.float32)
    probs[k] = 1
    return probs


def left_or_right(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Class 0 on the left, class 1 on the right."""
    return np.where(points[:, :1] < 0, says(0), says(1))


def middle(picture: NDArray[np.uint8], x: float) -> NDArray[np.uint8]:
    """The colour a little below the middle of the panel, at a share of the picture's width."""
    color: NDArray[np.uint8] = picture[int(0.48 * len(picture)), int(x * picture.shape[1])]
    return color


def test_colours_are_those_of_the_likeliest_class() -> None:
    picture = boundary_frames().draw(left_or_right, title="")
    for k, x in enumerate((0.4, 0.8)):
        assert (middle(picture, x) == style.soften(says(k)[None])[0]).all()
        assert middle(picture, x)[np.argmax(to_rgb(style.color(k)))] > 200


def test_a_line_separates_the_classes() -> None:
    frames = boundary_frames()
    ink = [(frames.draw(predict, title="") < 60).all(-1).sum() for predict in (left_or_right, only)]
    assert ink[0] > ink[1] + 100


def only(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.repeat(says(2)[None], len(points), axis=0)


def test_nothing_of_a_frame_is_left_in_the_next() -> None:
    frames = boundary_frames()
    first = frames.draw(left_or_right, title="epoch 0")
    second = frames.draw(only, title="a title that is longer")
    assert first.shape == second.shape
    assert not np.array_equal(first, second)
    assert np.array_equal(first, frames.draw(left_or_right, title="epoch 0"))
    assert np.array_equal(first, boundary_frames().draw(left_or_right, title="epoch 0"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_that_says_nothing_leaves_the_picture_white(value: float) -> None:
    picture = boundary_frames().draw(lambda points: np.full((len(points), N_CLASSES), value, np.float32), title="")
    assert (middle(picture, 0.4) == 255).all()


def test_many_points_take_no_longer_to_draw_than_2000() -> None:
    frames = boundary_frames(5_000)
    assert sum(len(np.asarray(line.get_xdata())) for line in frames._points) == style.MAX_SHOWN


def test_predictions_move_over_points_that_stay() -> None:
    x = np.linspace(0, 1, 20)
    frames = PredictionFrames((x[:15], x[:15]), (x[15:], x[15:]), feature_name="x", target_name="y")
    blank = frames.draw(x, np.full(20, np.nan), title="epoch 3")
    pictures = [frames.draw(x, y_hat, title="epoch 3") for y_hat in (x, 1 - x, x)]
    assert np.array_equal(pictures[0], pictures[2])
    assert pictures[0].shape == blank.shape
    changed = (pictures[1] != blank).any(-1)
    # a falling line: the upper left and the lower right of the panel
    rows, columns = np.nonzero(changed)
    assert 100 < changed.sum() < 0.05 * changed.size
    assert np.corrcoef(rows, columns)[0, 1] > 0.9
