"""Frames: the same size all along, nothing left over from the one before, and what the network says at every place.

And the GIF that they make.
"""

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from src.plots import style
from src.plots.frames import HOLD_MS, PLAY_MS, BoundaryFrames, PredictionFrames, animate, frames_in

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


def red_squares(folder: Path, n: int, *, size: tuple[int, int] = (60, 40)) -> list[int]:
    """Red squares that walk to the right; returns their places."""
    places = [round(i * (size[0] - 10) / max(n - 1, 1)) for i in range(n)]
    for i, place in enumerate(places):
        image = Image.new("RGB", size, "white")
        image.paste((200, 30, 30), (place, 10, place + 10, 20))
        # names that only numbers sort rightly
        image.save(folder / f"epoch_{i * 500:03d}.png")
    return places


def read_gif(data: bytes) -> tuple[list[Image.Image], list[int], Image.Image]:
    film = Image.open(io.BytesIO(data))
    frames, durations = [], []
    for i in range(getattr(film, "n_frames", 1)):
        film.seek(i)
        frames.append(film.convert("RGB"))
        durations.append(film.info["duration"])
    return frames, durations, film


def test_every_frame_is_shown_in_the_order_of_epochs(tmp_path: Path) -> None:
    places = red_squares(tmp_path, 12)
    frames, durations, film = read_gif(animate(tmp_path))
    assert film.format == "GIF"
    assert film.info["loop"] == 0
    assert len(frames) == len(durations) == 12
    for frame, place in zip(frames, places, strict=True):
        red = np.asarray(frame)[..., 1] < 100
        assert np.flatnonzero(red.any(0)).tolist() == list(range(place, place + 10))


@pytest.mark.parametrize(("n", "each"), [(2, 600), (20, 300), (60, 100), (45, 130)])
def test_frames_share_six_seconds_and_the_last_one_stays(n: int, each: int, tmp_path: Path) -> None:
    red_squares(tmp_path, n, size=(200, 30))
    _, durations, _ = read_gif(animate(tmp_path))
    assert durations == [each] * (n - 1) + [HOLD_MS]
    assert sum(durations[:-1]) <= PLAY_MS


def test_a_thousand_frames_are_not_faster_than_the_eye(tmp_path: Path) -> None:
    red_squares(tmp_path, 200, size=(300, 30))
    _, durations, _ = read_gif(animate(tmp_path))
    assert set(durations[:-1]) == {60}


def test_a_single_frame_is_a_picture(tmp_path: Path) -> None:
    red_squares(tmp_path, 1)
    with Image.open(io.BytesIO(animate(tmp_path))) as film:
        assert getattr(film, "n_frames", 1) == 1


def test_large_frames_are_made_smaller_and_keep_their_shape(tmp_path: Path) -> None:
    red_squares(tmp_path, 2, size=(1800, 900))
    frames, _, _ = read_gif(animate(tmp_path))
    assert frames[0].size == (900, 450)


def test_other_files_are_nored_squares(tmp_path: Path) -> None:
    red_squares(tmp_path, 2)
    for name in ("boundary.png", "epoch_last.png", "epoch_1.png.tmp", ".epoch_000001.png"):
        (tmp_path / name).write_bytes(b"no picture")
    assert [path.name for path in frames_in(tmp_path)] == ["epoch_000.png", "epoch_500.png"]


def test_a_folder_without_frames_and_frames_of_two_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no frames epoch_<number>"):
        animate(tmp_path)
    red_squares(tmp_path, 1)
    Image.new("RGB", (7, 7)).save(tmp_path / "epoch_1.png")
    with pytest.raises(ValueError, match=r"epoch_1\.png is \(7, 7\) pixels large, epoch_000\.png \(60, 40\)"):
        animate(tmp_path)
