"""What several tests ask of a figure."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray


def contours(ax: Axes) -> list[ContourSet]:
    return [part for part in ax.collections if isinstance(part, ContourSet)]


def vertices(line: ContourSet) -> NDArray[np.float64]:
    """Corners of all its parts, (n, 2)."""
    return np.concatenate([np.asarray(path.vertices, dtype=np.float64) for path in line.get_paths()])


def width(line: ContourSet) -> float:
    """Width in points."""
    return float(np.atleast_1d(line.get_linewidth())[0])


def assert_readable(figure: Figure) -> None:
    """No text runs over another one, over the legend, or off the figure."""
    figure.draw_without_rendering()
    # A pixel of air belongs to nobody.
    boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in _texts(figure)]
    for i, (name, box) in enumerate(boxes):
        assert min(box.x0, box.y0) >= 0, f"{name!r} leaves the figure"
        assert box.x1 <= figure.bbox.x1, f"{name!r} leaves the figure"
        assert box.y1 <= figure.bbox.y1, f"{name!r} leaves the figure"
        for other_name, other in boxes[:i]:
            assert not box.overlaps(other), f"{name!r} runs over {other_name!r}"


def _texts(figure: Figure) -> list[Text]:
    found = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for ax in figure.axes:
        found += [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            # matplotlib keeps ticks beyond the view, which it does not draw
            found += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [text for text in found if text.get_text() and text.get_visible()]
