"""docs/reference/data.md shows every data set that is drawn, and its commands compose."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.gallery import SHOWN, data_of, figure_of, main
from src.config.compose import compose_train
from tests.data.test_toys import NUMBERS, REACHED, TOYS
from tests.waiting import ROOT

PAGE = ROOT / "docs" / "reference" / "data.md"


def test_every_toy_problem_has_its_picture() -> None:
    shown = re.findall(r"!\[(.+?)\]\(\.\./pictures/data_(\w+)\.png\)", PAGE.read_text())
    assert sorted(name for _, name in shown) == sorted(SHOWN)
    assert {*TOYS, "line"} <= set(SHOWN)
    for name in SHOWN:
        picture = ROOT / "docs" / "pictures" / f"data_{name}.png"
        assert picture.stat().st_size < 60_000
        with Image.open(picture) as image:
            assert min(image.size) > 200


@pytest.mark.parametrize("name", ["moons", "three_spirals", "plane", "sine"])
def test_a_picture_shows_all_training_points(name: str) -> None:
    datamodule = data_of(name)
    (ax,) = figure_of(datamodule, "title").axes
    x = datamodule.parts.train.x
    if name == "plane":
        (points,) = ax.collections
        assert np.shape(points.get_offsets()) == (len(x), 2)
    else:
        assert sum(np.size(line.get_xdata()) for line in ax.lines) == len(x)
        assert len(ax.lines) == (1 if name == "sine" else len(datamodule.spec.class_names))
    assert ax.get_xlabel() == datamodule.spec.feature_names[0]


@pytest.mark.slow
def test_all_pictures_are_drawn(tmp_path: Path) -> None:
    main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"data_{name}.png" for name in SHOWN}


def test_the_commands_of_the_page_compose() -> None:
    commands = re.findall(r"^python -m src\.train (.+)$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) >= 5
    for command in commands:
        compose_train(shlex.split(command))


def test_the_page_says_what_tests_hold_to_be_reached() -> None:
    said = re.findall(r"`(\w+)` \| (\d+)% (right|of the variance)", PAGE.read_text())
    assert {name: int(share) / 100 for name, share, _ in said} == REACHED
    assert {name for name, _, of in said if of != "right"} == set(NUMBERS)
