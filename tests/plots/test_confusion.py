"""What the confusion matrix picture shows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from src.plots.confusion import confusion_figure
from src.plots.style import save

MATRIX = np.array([[3, 1, 0], [0, 0, 0], [1, 0, 999]])
NAMES = ("ant", "bee", "cat")


def test_cells_hold_counts_and_row_shares_and_never_round_a_few_to_none() -> None:
    ax = confusion_figure(MATRIX, NAMES, title="t").axes[0]
    cells = {tuple(map(int, reversed(text.get_position()))): text.get_text() for text in ax.texts}
    assert cells == {
        (0, 0): "3\n75%", (0, 1): "1\n25%", (0, 2): "0",
        (1, 0): "0", (1, 1): "0", (1, 2): "0",
        (2, 0): "1\n<1%", (2, 1): "0", (2, 2): "999\n>99%",
    }  # fmt: skip


def test_rows_are_true_classes_from_top_to_bottom() -> None:
    ax = confusion_figure(MATRIX, NAMES, title="t").axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    assert [label.get_text() for label in ax.get_yticklabels()] == list(NAMES)
    assert ax.get_ylim() == (2.5, -0.5)


def test_shade_is_the_share_of_the_row_and_an_empty_row_has_none() -> None:
    (image,) = confusion_figure(MATRIX, NAMES, title="t").axes[0].images
    assert np.asarray(image.get_array()) == pytest.approx(np.array([[0.75, 0.25, 0], [0, 0, 0], [0.001, 0, 0.999]]))


def test_numbers_contrast_with_every_shade() -> None:
    for share in range(1, 100, 7):
        matrix = np.array([[share, 100 - share], [0, 1]])
        ax = confusion_figure(matrix, ("a", "b"), title="t").axes[0]
        ink = 1.0 if ax.texts[0].get_color() == "white" else 0.0
        background = ax.images[0].to_rgba(matrix / 100)[0, 0, :3]
        assert abs(ink - background @ (0.2126, 0.7152, 0.0722)) > 0.3


@pytest.mark.parametrize("k", [2, 10])
def test_long_names_stay_within_the_figure(k: int) -> None:
    names = [f"{i} a name that goes on and on" for i in range(k)]
    figure = confusion_figure(np.eye(k, dtype=np.int64), names, title="t")
    box = figure.axes[0].get_tightbbox()
    assert box is not None
    assert min(box.x0, box.y0) >= 0
    assert figure.axes[0].get_yticklabels()[0].get_text() == "0 a name that goes …"


def test_a_hundred_classes_are_drawn_as_shades_alone(tmp_path: Path) -> None:
    figure = confusion_figure(np.eye(100, dtype=np.int64), [str(i) for i in range(100)], title="t")
    assert len(figure.axes[0].texts) == 0
    save(figure, tmp_path / "many.png")


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((3, 2), dtype=np.int64), r"matrix must be \(k, k\) .* got \(3, 2\) and 3 names"),
        (np.zeros((2, 2), dtype=np.int64), r"got \(2, 2\) and 3 names"),
        (np.zeros(3, dtype=np.int64), r"got \(3,\) and 3 names"),
        (np.eye(3), "must hold integers >= 0 .* got float64"),
        (-np.eye(3, dtype=np.int64), "must hold integers >= 0"),
    ],
)
def test_bad_matrices_are_refused(matrix: NDArray[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_figure(matrix, NAMES, title="t")
