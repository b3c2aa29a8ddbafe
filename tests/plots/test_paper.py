"""Vector pictures for a paper."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from src.plots.paper import GroupCurve, GroupValues, group_curves_figure, groups_figure, save_vector


def curves() -> Figure:
    epochs = np.arange(3.0)
    curve = GroupCurve("a_b $x$ <&>", "#0072B2", epochs, epochs + 1, epochs, epochs + 2)
    one = GroupCurve("one", "#D55E00", epochs[:1], epochs[:1] + 1, epochs[:1], epochs[:1] + 2)
    return group_curves_figure({"loss": [curve, one], "accuracy": [curve]}, shares=frozenset({"accuracy"}))


def test_curves_have_a_panel_per_metric_and_a_line_per_group() -> None:
    figure = curves()
    assert [ax.get_title() for ax in figure.axes] == ["loss", "accuracy"]
    assert [len(ax.lines) for ax in figure.axes] == [2, 1]
    assert np.asarray(figure.axes[0].lines[-1].get_ydata()).tolist() == [1.0, 2.0, 3.0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a_b $x$ <&>", "one"]


def test_groups_show_values_mean_and_interval() -> None:
    groups = [GroupValues("a", "#0072B2", [0.5, 0.7], 0.6, (0.4, 0.8)), GroupValues("b", "#D55E00", [0.2], 0.2, None)]
    (ax,) = groups_figure(groups, metric="test accuracy", is_share=True).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert [np.asarray(line.get_xdata()).tolist() for line in ax.lines] == [[0.5, 0.7], [0.4, 0.8], [0.6], [0.2], [0.2]]


@pytest.mark.parametrize(("ending", "start"), [("pdf", b"%PDF-"), ("svg", b"<?xml")])
def test_a_vector_picture_is_the_same_bytes_every_time(tmp_path: Path, ending: str, start: bytes) -> None:
    for name in "ab":
        save_vector(curves(), tmp_path / f"{name}.{ending}")
    first, second = ((tmp_path / f"{name}.{ending}").read_bytes() for name in "ab")
    assert first.startswith(start)
    assert first == second


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"saved as \.pdf or \.svg, got 'a\.png'"):
        save_vector(curves(), tmp_path / "a.png")
