"""Frames of a training run as a GIF."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.plots.animation import HOLD_MS, PLAY_MS, animate, frames_in


def _frames(folder: Path, n: int, *, size: tuple[int, int] = (60, 40)) -> list[int]:
    """Red squares that walk to the right; returns their places."""
    places = [round(i * (size[0] - 10) / max(n - 1, 1)) for i in range(n)]
    for i, place in enumerate(places):
        image = Image.new("RGB", size, "white")
        image.paste((200, 30, 30), (place, 10, place + 10, 20))
        # names that only numbers sort rightly
        image.save(folder / f"epoch_{i * 500:03d}.png")
    return places


def _read(data: bytes) -> tuple[list[Image.Image], list[int], Image.Image]:
    film = Image.open(io.BytesIO(data))
    frames, durations = [], []
    for i in range(getattr(film, "n_frames", 1)):
        film.seek(i)
        frames.append(film.convert("RGB"))
        durations.append(film.info["duration"])
    return frames, durations, film


def test_every_frame_is_shown_in_the_order_of_epochs(tmp_path: Path) -> None:
    places = _frames(tmp_path, 12)
    frames, durations, film = _read(animate(tmp_path))
    assert film.format == "GIF"
    assert film.info["loop"] == 0
    assert len(frames) == len(durations) == 12
    for frame, place in zip(frames, places, strict=True):
        red = np.asarray(frame)[..., 1] < 100
        assert np.flatnonzero(red.any(0)).tolist() == list(range(place, place + 10))


@pytest.mark.parametrize(("n", "each"), [(2, 600), (20, 300), (60, 100), (45, 130)])
def test_frames_share_six_seconds_and_the_last_one_stays(n: int, each: int, tmp_path: Path) -> None:
    _frames(tmp_path, n, size=(200, 30))
    _, durations, _ = _read(animate(tmp_path))
    assert durations == [each] * (n - 1) + [HOLD_MS]
    assert sum(durations[:-1]) <= PLAY_MS


def test_a_thousand_frames_are_not_faster_than_the_eye(tmp_path: Path) -> None:
    _frames(tmp_path, 200, size=(300, 30))
    _, durations, _ = _read(animate(tmp_path))
    assert set(durations[:-1]) == {60}


def test_a_single_frame_is_a_picture(tmp_path: Path) -> None:
    _frames(tmp_path, 1)
    with Image.open(io.BytesIO(animate(tmp_path))) as film:
        assert getattr(film, "n_frames", 1) == 1


def test_large_frames_are_made_smaller_and_keep_their_shape(tmp_path: Path) -> None:
    _frames(tmp_path, 2, size=(1800, 900))
    frames, _, _ = _read(animate(tmp_path))
    assert frames[0].size == (900, 450)


def test_other_files_are_no_frames(tmp_path: Path) -> None:
    _frames(tmp_path, 2)
    for name in ("boundary.png", "epoch_last.png", "epoch_1.png.tmp", ".epoch_000001.png"):
        (tmp_path / name).write_bytes(b"no picture")
    assert [path.name for path in frames_in(tmp_path)] == ["epoch_000.png", "epoch_500.png"]


def test_a_folder_without_frames_and_frames_of_two_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no frames epoch_<number>"):
        animate(tmp_path)
    _frames(tmp_path, 1)
    Image.new("RGB", (7, 7)).save(tmp_path / "epoch_1.png")
    with pytest.raises(ValueError, match=r"epoch_1\.png is \(7, 7\) pixels large, epoch_000\.png \(60, 40\)"):
        animate(tmp_path)
