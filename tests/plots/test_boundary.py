"""What the decision boundary picture shows."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import make_blobs, make_circles
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score

from src.plots import style
from src.plots.boundary import boundary_figure
from src.plots.plane import Predict, Samples
from src.plots.style import save
from tests.plots.seen import contours

Floats = NDArray[np.float32]


def _parts(n: int = 200, classes: int = 2) -> tuple[Samples, Samples]:
    if classes == 2:
        x, y = make_circles(n, noise=0.03, random_state=42)
    else:
        x, y = make_blobs(n, centers=classes, cluster_std=1.5, random_state=42)
    return (x[: n * 4 // 5], y[: n * 4 // 5]), (x[n * 4 // 5 :], y[n * 4 // 5 :])


def _ring(points: Floats) -> Floats:
    inner = 1 / (1 + np.exp(np.minimum(20 * ((points**2).sum(1) - 0.8), 80)))
    return np.stack([1 - inner, inner], 1).astype(np.float32)


def _never_sure(points: Floats) -> Floats:
    return np.full((len(points), 2), 0.5, dtype=np.float32)


def _fit(train: Samples) -> Predict:
    model = LogisticRegression().fit(*train)
    return lambda points: np.asarray(model.predict_proba(points), dtype=np.float32)


def _draw(predict: Predict, train: Samples, test: Samples, n_classes: int = 2, **names: Any) -> Figure:
    given = {
        "class_names": [f"class {k}" for k in range(n_classes)],
        "feature_names": ("width", "height"),
        "title": "a title",
    }
    return boundary_figure(predict, train, test, **(given | names))


def _colors_at(figure: Figure, places: NDArray[Any]) -> NDArray[Any]:
    """Return the RGB on screen, (n, 3), at places (n, 2) of the train panel, without the points."""
    ax = figure.axes[0]
    for line in list(ax.lines):
        line.remove()
    file = BytesIO()
    figure.savefig(file)
    with Image.open(file) as image:
        pixels = np.asarray(image)
    columns, rows = ax.transData.transform(places).astype(int).T
    return pixels[len(pixels) - 1 - rows, columns, :3] / 255


def test_both_panels_share_limits_that_hold_every_point() -> None:
    train, test = _parts()
    left, right = _draw(_ring, train, test).axes
    assert (left.get_xlim(), left.get_ylim()) == (right.get_xlim(), right.get_ylim())
    points = np.concatenate([train[0], test[0]])
    assert left.get_xlim()[0] < points[:, 0].min() < points[:, 0].max() < left.get_xlim()[1]
    assert left.get_ylim()[0] < points[:, 1].min() < points[:, 1].max() < left.get_ylim()[1]


@pytest.mark.parametrize("classes", [2, 4])
def test_accuracy_in_each_title_is_that_of_scikit_learn(classes: int) -> None:
    parts = _parts(classes=classes)
    predict = _fit(parts[0])
    for ax, name, (x, y) in zip(_draw(predict, *parts, classes).axes, ("Train", "Test"), parts, strict=True):
        expected = predict(x.astype(np.float32)).argmax(1)
        n_wrong = (expected != y).sum()
        assert (
            ax.get_title() == f"{name}: accuracy {100 * accuracy_score(y, expected):.1f}%\n{n_wrong} of {len(y)} wrong"
        )


def test_predict_gets_float32_pairs_and_a_grid_no_finer_than_every_second_pixel() -> None:
    train, test = _parts()
    calls = []

    def predict(points: Floats) -> Floats:
        assert points.dtype == np.float32
        assert points.shape[1:] == (2,)
        calls.append(len(points))
        return _ring(points)

    box = _draw(predict, train, test).axes[0].bbox
    n_grid = sum(calls) - len(train[0]) - len(test[0])
    assert box.width * box.height / 9 <= n_grid <= box.width * box.height / 4


def test_background_has_the_hue_of_the_predicted_class_and_is_pale_where_unsure() -> None:
    (center, corner, border) = _colors_at(_draw(_ring, *_parts()), np.array([[0, 0], [1.1, 1.1], [0, 0.91]]))
    hues = [rgb_to_hsv(to_rgb(style.color(k)))[0] for k in (1, 0)]
    assert rgb_to_hsv(np.array([center, corner]))[:, 0] == pytest.approx(hues, abs=0.01)
    saturations = rgb_to_hsv(np.array([center, corner, border]))[:, 1]
    assert saturations[2] < 0.3 * saturations[:2].min()


def test_border_lies_where_the_classes_tie() -> None:
    for ax in _draw(_ring, *_parts()).axes:
        (border,) = contours(ax)
        radius = np.linalg.norm(border.get_paths()[0].vertices, axis=1)
        assert radius == pytest.approx(0.8**0.5, abs=0.01)


def test_three_borders_part_four_classes_and_none_a_model_without_opinion() -> None:
    parts = _parts(classes=4)
    assert len(contours(_draw(_fit(parts[0]), *parts, 4).axes[0])) == 3
    assert contours(_draw(_never_sure, *_parts()).axes[0]) == []


def test_exactly_the_wrong_points_have_a_dark_edge() -> None:
    train, test = _parts()
    predict = _fit(train)
    for ax, (x, y) in zip(_draw(predict, train, test).axes, (train, test), strict=True):
        dark = [line.get_xydata() for line in ax.lines if line.get_markeredgecolor() == style.INK]
        expected = x[predict(x.astype(np.float32)).argmax(1) != y]
        drawn = np.concatenate([np.asarray(points) for points in dark])
        assert np.array_equal(np.sort(drawn, axis=0), np.sort(expected, axis=0))


def test_names_and_title_are_told_once() -> None:
    figure = _draw(_ring, *_parts(), class_names=("outer", "inner"))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        *("outer", "inner", "wrong", "decision boundary"),
        "shade: how far a class leads, white is a tie",
    ]
    assert [ax.get_xlabel() for ax in figure.axes] == ["width", "width"]
    assert [ax.get_ylabel() for ax in figure.axes] == ["height", ""]
    assert [text.get_text() for text in figure.texts] == ["a title"]


def test_of_many_points_a_sample_is_drawn_but_all_are_counted() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (100_000, 2))
    labels = rng.integers(0, 2, 100_000)
    ax = _draw(_ring, (points, labels), _parts()[1]).axes[0]
    n_wrong = (_ring(points.astype(np.float32)).argmax(1) != labels).sum()
    assert ax.get_title().splitlines()[1] == f"{n_wrong:,} wrong; 2,000 of 100,000 shown"
    assert sum(len(np.asarray(line.get_xdata())) for line in ax.lines) == 2000


def test_one_unit_is_as_long_on_both_axes_unless_the_data_are_a_strip() -> None:
    def unit_ratio(stretch: float) -> float:
        train, test = _parts()
        scale = np.array([1, stretch])
        ax = _draw(_ring, (train[0] * scale, train[1]), (test[0] * scale, test[1])).axes[0]
        (x0, y0), (x1, y1) = ax.transData.transform([(0, 0), (1, 1)])
        return float((y1 - y0) / (x1 - x0))

    assert unit_ratio(0.7) == pytest.approx(1)
    assert unit_ratio(100) == pytest.approx(0.01, rel=0.2)


def test_a_single_point_can_be_drawn_and_saved(tmp_path: Path) -> None:
    part = (np.zeros((1, 2)), np.zeros(1, dtype=np.int64))
    save(_draw(_never_sure, part, part), tmp_path / "point.png")


GOOD = (np.zeros((3, 2)), np.array([0, 1, 1]))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ((np.zeros((3, 3)), GOOD[1]), r"points must have shape \(n, 2\) with n >= 1, got \(3, 3\)"),
        ((np.zeros((0, 2)), GOOD[1][:0]), r"with n >= 1, got \(0, 2\)"),
        ((np.full((3, 2), np.nan), GOOD[1]), "points must be finite"),
        ((GOOD[0], np.array([0, 1])), r"labels must be \(3,\) integers, got \(2,\)"),
        ((GOOD[0], np.array([0.0, 1.0, 1.0])), "integers, got .* of float64"),
        ((GOOD[0], np.array([0, 1, 2])), r"labels must be in 0\.\.1, got 0\.\.2"),
    ],
)
def test_bad_parts_are_refused_by_name(part: Samples, message: str) -> None:
    with pytest.raises(ValueError, match=f"train {message}" if message[0] == "p" else message):
        _draw(_ring, part, GOOD)
    with pytest.raises(ValueError, match=r"^test "):
        _draw(_ring, GOOD, part)


@pytest.mark.parametrize("names", [{"class_names": ["only"]}, {"feature_names": ["x", "y", "z"]}])
def test_bad_names_are_refused(names: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="2 or more class names and exactly 2 feature names, got"):
        _draw(_ring, GOOD, GOOD, **names)
