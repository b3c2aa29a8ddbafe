"""Colours, shapes, samples, and files that are whole or not there."""

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv, to_rgb
from matplotlib.figure import Figure
from PIL import Image

from src.plots import style


def _figure(value: float = 1.0) -> Figure:
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.add_subplot().plot([0, value])
    return figure


def test_save_creates_folders_and_writes_only_a_valid_png(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "plot.png"
    style.save(_figure(), path)
    with Image.open(path) as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (100, 50))
    assert list(path.parent.iterdir()) == [path]


def test_same_figure_gives_same_bytes_and_another_gives_others(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, value in zip(paths, (1.0, 1.0, -1.0), strict=True):
        style.save(_figure(value), path)
    first, second, third = (path.read_bytes() for path in paths)
    assert first == second != third


def test_failed_save_keeps_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "plot.png"
    style.save(_figure(), path)
    old = path.read_bytes()

    def half_written(_: Image.Image, file: io.BytesIO, **__: object) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", half_written)
    with pytest.raises(OSError, match="disk full"):
        style.save(_figure(-1.0), path)
    assert path.read_bytes() == old


def test_save_refuses_other_formats(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"saved as \.png, got 'plot\.pdf'"):
        style.save(_figure(), tmp_path / "plot.pdf")


def test_a_tie_is_white_and_certainty_has_the_strongest_colour_of_its_class() -> None:
    probs = np.array([[0.5, 0.5, 0.0], [0.2, 0.7, 0.1], [0.0, 1.0, 0.0]])
    colors = style.soften(probs) / 255
    assert np.array_equal(colors[0], np.ones(3))
    hue, saturation, _ = rgb_to_hsv(colors).T
    assert hue[1:] == pytest.approx(rgb_to_hsv(to_rgb(style.color(1)))[0], abs=0.01)
    assert 0 < saturation[1] < saturation[2] < 0.6


def test_soft_colormap_runs_from_white_to_the_class_colour() -> None:
    colormap = style.soft_colormap(2)
    assert colormap(0.0)[:3] == (1.0, 1.0, 1.0)
    assert colormap(1.0)[:3] == pytest.approx(to_rgb(style.color(2)))


def test_one_class_alone_is_white_where_it_is_impossible_and_as_strong_as_in_company_where_it_is_certain() -> None:
    assert np.array_equal(style.soften_one(np.zeros((2, 3)), 1), np.full((2, 3, 3), 255))
    assert np.array_equal(style.soften_one(np.ones(()), 1), style.soften(np.array([0.0, 1.0, 0.0])))


def test_signs_part_at_white_into_two_colours_that_no_class_has() -> None:
    colormap = style.signed_colormap()
    assert colormap(0.5)[:3] == pytest.approx((1, 1, 1), abs=0.01)
    ends = [colormap(0.0)[:3], colormap(1.0)[:3]]
    # blue tells them apart, which all common kinds of colour blindness leave
    assert abs(ends[0][2] - ends[1][2]) > 0.4
    assert not {to_rgb(c) for c in style.PALETTE} & set(ends)


def test_every_class_up_to_56_has_a_look_of_its_own() -> None:
    assert len({(style.color(k), style.marker(k)) for k in range(56)}) == 56


@pytest.mark.parametrize(("rgb", "ink"), [((1, 1, 1), style.INK), ((0, 0, 0), "white"), ((1, 1, 0), style.INK)])
def test_ink_is_dark_on_light_and_white_on_dark(rgb: tuple[float, ...], ink: str) -> None:
    assert style.ink_on(rgb) == ink


def test_few_points_are_all_shown_and_many_are_sampled_the_same_way_without_repeats() -> None:
    assert np.array_equal(style.shown(style.MAX_SHOWN), np.arange(style.MAX_SHOWN))
    chosen = style.shown(1_000_000)
    assert len(np.unique(chosen)) == style.MAX_SHOWN
    assert chosen.max() > 900_000
    assert np.array_equal(chosen, style.shown(1_000_000))
