"""Small pictures of a network while it learns, many of a run, and the animated GIF that they make.

What stays the same is drawn once: a whole figure takes about 150 ms, which a run of some seconds cannot spend twenty
times; a frame takes about 20.

Axes: `n` points, `k` classes, `h` and `w` rows and columns of the picture.
"""

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from PIL import Image

from src.plots import style
from src.plots.layout import panels
from src.plots.plane import Background, Predict, Samples, View, look

SMALL, LARGE = 80, 190  # pixels per inch: many beside each other, and one that is projected
_WIDTH = 3.4  # inches of the panel

PLAY_MS = 6000  # all frames but the last
HOLD_MS = 2500  # the last one, which is what the run came to
_MAX_WIDTH = 900  # pixels of the GIF
_SAMPLED = 8  # frames that its colours are made from
_COLORS = 128  # soft colours and smooth letters; twice as many make the file half as large again


class _Film:
    """A figure of one panel whose still parts are kept as pixels.

    Args:
        figure: Holds the still parts.
        ax: The panel, whose limits must not change any more.
    """

    def __init__(self, figure: Figure, ax: Axes, dpi: int) -> None:
        figure.set_dpi(dpi)
        self._ax = ax
        self._title = ax.set_title("", size=12, color=style.INK, y=1.0, animated=True)
        self._canvas = FigureCanvasAgg(figure)
        self._canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib has no types there
        self._still = self._canvas.copy_from_bbox(figure.bbox)  # type: ignore[no-untyped-call]

    def frame(self, moving: Iterable[Artist], title: str) -> NDArray[np.uint8]:
        """Draw the moving parts, from the lowest to the topmost, over the still ones; RGB (h, w, 3)."""
        self._canvas.restore_region(self._still)  # type: ignore[no-untyped-call]
        self._title.set_text(title)
        for artist in (*moving, *self._ax.spines.values(), self._title):
            self._ax.draw_artist(artist)
        return np.array(self._canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]


class BoundaryFrames:
    """Frames of a classifier of two features: what it says about every place, under the points that it learns from.

    Args:
        points: Points (n, 2) and their integer labels (n,). Of more than 2,000 points the same 2,000 are drawn.
        class_names: One per class, k of them.
        feature_names: Of the horizontal and the vertical axis.
        dpi: Pixels per inch.
    """

    def __init__(
        self, points: Samples, *, class_names: Sequence[str], feature_names: Sequence[str], dpi: int = SMALL
    ) -> None:
        self._n_classes, self._dpi = len(class_names), dpi
        self._view = View.around(points[0], width=_WIDTH)
        chosen = style.shown(len(points[0]))
        x, labels = points[0][chosen], points[1][chosen]
        size = 0.8 * style.marker_size(len(chosen))
        lines = [Line2D([], [], label=name, animated=True, **look(k, size=size)) for k, name in enumerate(class_names)]
        figure, (self._ax,) = panels(1, size=self._view.size, title="", above=0.35, legend=lines)
        for k, line in enumerate(lines):
            line.set_data(x[labels == k, 0], x[labels == k, 1])
            self._ax.add_line(line)
        self._points = lines
        self._ax.set(**self._view.limits)
        self._ax.set_xlabel(feature_names[0], **style.LABEL)
        self._ax.set_ylabel(feature_names[1], **style.LABEL)
        self._film = _Film(figure, self._ax, dpi)

    def draw(self, predict: Predict, *, title: str) -> NDArray[np.uint8]:
        """Draw a frame.

        Args:
            predict: Takes points, float32 (n, 2), and returns class probabilities, (n, k). Where it returns no
                numbers, as a network that has diverged does, the picture stays white.
            title: What stands above the panel.

        Returns:
            RGB (h, w, 3), of the same size for all frames.
        """

        def tamed(points: NDArray[np.float32]) -> NDArray[np.float32]:
            probs = predict(points)
            return np.where(np.isfinite(probs).all(1, keepdims=True), probs, np.float32(1 / self._n_classes))

        background = Background.of(tamed, self._view, n_classes=self._n_classes, dpi=self._dpi)
        background.draw(self._ax)
        colors, borders = list(self._ax.images), list(self._ax.collections)
        picture = self._film.frame((*colors, *self._points, *borders), title)
        for artist in (*colors, *borders):
            artist.remove()
        return picture


class PredictionFrames:
    """Frames of a regression of one feature: the points, and the line that the model draws through them.

    Args:
        train: The feature (n,) and the target (n,).
        test: The same for the points that are held back.
        feature_name: Name of the horizontal axis.
        target_name: Name of the vertical axis.
        dpi: Pixels per inch.
    """

    def __init__(self, train: Samples, test: Samples, *, feature_name: str, target_name: str, dpi: int = SMALL) -> None:
        view = View.around(*(np.stack(part, 1) for part in (train, test)))
        lines = []
        for k, (name, points) in enumerate((("train", train), ("test", test))):
            chosen = style.shown(len(points[0]))
            lines.append(Line2D(points[0][chosen], points[1][chosen], label=name, **look(k, size=5)))
        self._prediction = Line2D([], [], label="prediction", color=style.INK, lw=1.6, animated=True)
        lines.append(self._prediction)
        figure, (ax,) = panels(1, size=(4.6, 2.9), title="", above=0.35, legend=lines)
        for line in lines:
            ax.add_line(line)
        ax.set(**view.limits)
        ax.grid(color="#E4E4E4", lw=0.8)
        ax.set_axisbelow(True)
        ax.set_xlabel(feature_name, **style.LABEL)
        ax.set_ylabel(target_name, **style.LABEL)
        self._film = _Film(figure, ax, dpi)

    def draw(self, x: NDArray[Any], y_hat: NDArray[Any], *, title: str) -> NDArray[np.uint8]:
        """Draw a frame.

        Args:
            x: Where the model was asked (m,), from left to right.
            y_hat: What it answered (m,); what lies outside the range of the targets is cut off.
            title: What stands above the panel.

        Returns:
            RGB (h, w, 3), of the same size for all frames.
        """
        self._prediction.set_data(x, y_hat)
        return self._film.frame([self._prediction], title)


def frames_in(folder: Path) -> list[Path]:
    """List the frames `epoch_<number>.png` of a folder, in the order of their epochs."""
    numbered = [(re.fullmatch(r"epoch_(\d+)\.png", path.name), path) for path in folder.glob("epoch_*.png")]
    return [path for _, path in sorted((int(found[1]), path) for found, path in numbered if found)]


def animate(folder: Path) -> bytes:
    """Make a GIF that repeats for ever of the frames in a folder.

    All frames take about 6 seconds together, no one less than 60 ms nor more than 600 ms, and the last stays for 2.5 s.

    Args:
        folder: Holds `epoch_000100.png` and so on, all of the same size.

    Returns:
        The file's content. Frames wider than 900 pixels are made smaller.

    Raises:
        ValueError: If there is no frame, or the sizes differ.
    """
    files = frames_in(folder)
    if not files:
        raise ValueError(f"{folder} holds no frames epoch_<number>.png")
    frames = [_read(path) for path in files]
    for path, frame in zip(files, frames, strict=True):
        if frame.size != frames[0].size:
            raise ValueError(
                f"{path} is {frame.size} pixels large, {files[0].name} {frames[0].size}; all must be alike"
            )
    # One palette for all, from some: with palettes of their own, still parts would flicker.
    some = [*frames[:: -(-len(frames) // _SAMPLED)], frames[-1]]
    sheet = Image.new("RGB", (frames[0].width, len(some) * frames[0].height))
    for i, frame in enumerate(some):
        sheet.paste(frame, (0, i * frame.height))
    palette = sheet.quantize(_COLORS, method=Image.Quantize.MEDIANCUT)
    drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    each = min(600, max(60, PLAY_MS // len(drawn) // 10 * 10))  # a GIF counts in hundredths of a second
    file = io.BytesIO()
    drawn[0].save(
        file, format="gif", save_all=True, append_images=drawn[1:], loop=0,
        duration=[*[each] * (len(drawn) - 1), HOLD_MS],
    )  # fmt: skip
    return file.getvalue()


def _read(path: Path) -> Image.Image:
    with Image.open(path) as image:
        frame = image.convert("RGB")
    if frame.width <= _MAX_WIDTH:
        return frame
    return frame.resize((_MAX_WIDTH, round(frame.height * _MAX_WIDTH / frame.width)), Image.Resampling.LANCZOS)
