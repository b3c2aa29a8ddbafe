"""The one look of all pictures: colours, shapes, sizes, and how a picture reaches the disk.

Axes: `k` classes; `...` any leading axes.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

from src.plots.palette import INK as INK
from src.plots.palette import PALETTE as PALETTE
from src.run.files import write_atomically

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
VIOLET = "#542788"  # the units of a network: no class has it
DPI = 110
LABEL: dict[str, Any] = {"size": 12, "color": INK}  # axis names and panel titles
MAX_SHOWN = 2000
_STRENGTH = 0.48  # of a class colour behind the points, so that points of the same class stay visible on it


def color(k: int) -> str:
    """Return the colour of class `k`; the palette repeats after seven."""
    return PALETTE[k % len(PALETTE)]


def marker(k: int) -> str:
    """Return the shape of class `k`; together with the colour it stays unique up to 56 classes."""
    return MARKERS[k % len(MARKERS)]


def soften(probs: NDArray[Any]) -> NDArray[np.uint8]:
    """Colour class probabilities: the likeliest class's colour, as strong as its lead over the runner-up.

    White is a tie. A plain weighted mean of the colours would turn grey-brown there instead of pale.

    Args:
        probs: Class probabilities, (..., k).

    Returns:
        RGB colours, (..., 3).
    """
    ranked = np.partition(probs, -2, axis=-1)
    lead = (ranked[..., -1:] - ranked[..., -2:-1]) * _STRENGTH
    colors = np.array([to_rgb(color(k)) for k in range(probs.shape[-1])])  # (k, 3)
    rgb = 1 - lead * (1 - colors[probs.argmax(-1)])
    colored: NDArray[np.uint8] = np.round(rgb * 255).astype(np.uint8)
    return colored


def soften_one(probs: NDArray[Any], k: int) -> NDArray[np.uint8]:
    """Colour the probability of class `k` alone, (...): white where it is 0, else its colour; RGB (..., 3)."""
    rgb = 1 - probs[..., None] * _STRENGTH * (1 - np.array(to_rgb(color(k))))
    colored: NDArray[np.uint8] = np.round(rgb * 255).astype(np.uint8)
    return colored


def signed_colormap() -> LinearSegmentedColormap:
    """Return a colormap for numbers of both signs: from orange (lowest) over white (zero) to violet (highest).

    Both ends are told apart with any colour vision. Source: ColorBrewer's PuOr, https://colorbrewer2.org.
    """
    return LinearSegmentedColormap.from_list("signed", ["#B35806", "#F1A340", "white", "#998EC3", VIOLET])


def soft_colormap(k: int = 0) -> LinearSegmentedColormap:
    """Return a colormap from white (0) to the colour of class `k` (1)."""
    return LinearSegmentedColormap.from_list("soft", ["white", color(k)])


def ink_on(rgb: tuple[float, ...]) -> str:
    """Return the colour of text on a background: dark or white, whichever has the higher contrast ratio.

    Source: relative luminance and contrast ratio of WCAG 2.1, https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio.
    """

    def luminance(color: tuple[float, ...]) -> float:
        return sum(
            w * (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4)
            for w, c in zip((0.2126, 0.7152, 0.0722), color[:3], strict=True)
        )

    behind = luminance(rgb) + 0.05
    return "white" if 1.05 / behind > behind / (luminance(to_rgb(INK)) + 0.05) else INK


def shown(n: int) -> NDArray[np.intp]:
    """Return which of `n` points to draw: all, or the same `MAX_SHOWN` of them every time."""
    if n <= MAX_SHOWN:
        return np.arange(n)
    return np.random.default_rng(0).choice(n, MAX_SHOWN, replace=False)


def marker_size(n: int) -> float:
    """Return the diameter in points of one of `n` markers: large for few, small for many."""
    return float(np.clip(40 / max(n, 1) ** 0.3, 3.6, 7.5))


def save(figure: Figure, path: Path) -> NDArray[np.uint8]:
    """Draw once, and write a PNG in one atomic step: a reader sees the old picture or the new one, never half of it.

    The same figure gives the same bytes, since the file tells no date and no version.

    Args:
        figure: What to draw.
        path: Where, ending in `.png`; missing folders are created.

    Returns:
        The picture, RGB (height, width, 3).

    Raises:
        ValueError: If `path` does not end in `.png`.
    """
    if path.suffix != ".png":
        raise ValueError(f"a picture is saved as .png, got {path.name!r}")
    for text in figure.findobj(Text):
        # names are those of data and models, and no formulas
        text.set_parse_math(False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib has no types there
    rgb = np.array(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]
    data = io.BytesIO()
    Image.fromarray(rgb).save(data, format="png", compress_level=3)
    write_atomically(path, data.getvalue())
    return rgb
