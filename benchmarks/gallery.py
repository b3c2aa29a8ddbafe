"""Draws the pictures of docs/reference/data.md, one for each toy problem: ``python -m benchmarks.gallery``."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from src.compat.hydra import instantiate
from src.config.compose import compose_train
from src.data.base import InMemoryDataModule
from src.plots import style
from src.plots.layout import panels
from src.plots.plane import View, look

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"

# The options of conf/data, and what of them is changed for a picture.
SHOWN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("circles", "blobs", "line", "moons", "xor", "gauss", "spirals", "checkerboard"), ()),
    **dict.fromkeys(("plane", "multi_gauss", "sine"), ()),
    "three_spirals": ("data=spirals", "data.n_classes=3", "data.turns=0.75"),
    "unequal_moons": ("data=moons", "data.class_shares=[0.95,0.05]"),
}


def data_of(name: str) -> InMemoryDataModule:
    """The data of a picture."""
    given = SHOWN[name] or (f"data={name}",)
    datamodule: InMemoryDataModule = instantiate(compose_train([*given, "model=mlp"], run_dir="never-written").data)
    return datamodule


def figure_of(datamodule: InMemoryDataModule, title: str) -> Figure:
    """The training part: points of each class, heights over a plane as colours, or a curve of one feature."""
    spec, (x, y) = datamodule.spec, (tensor.numpy() for tensor in datamodule.parts.train)
    if spec.n_features == 1:
        figure, (ax,) = panels(1, size=(3.0, 3.0), title=title, above=0.1)
        ax.plot(x[:, 0], y[:, 0], **look(0, size=style.marker_size(len(x))))
    else:
        view = View.around(x, width=3.0)
        legend = _legend(spec.class_names) if spec.task != "regression" else []
        figure, (ax,) = panels(1, size=view.size, title=title, above=0.1, legend=legend)
        _scatter(ax, x, y, is_regression=spec.task == "regression")
        ax.set(**view.limits)
    ax.set_xlabel(spec.feature_names[0], **style.LABEL)
    ax.set_ylabel(spec.feature_names[1] if spec.n_features > 1 else spec.class_names[0], **style.LABEL)
    return figure


def _scatter(ax: Axes, x: Any, y: Any, *, is_regression: bool) -> None:
    if is_regression:
        most = np.abs(y).max()
        ax.scatter(x[:, 0], x[:, 1], c=y[:, 0], s=16, cmap=style.signed_colormap(), vmin=-most, vmax=most, lw=0)
        ax.set_facecolor("#8C8C8C")
        return
    for label in np.unique(y):
        ax.plot(*x[y == label].T, **look(int(label), size=style.marker_size(len(x))))


def _legend(class_names: tuple[str, ...]) -> list[Line2D]:
    return [Line2D([], [], label=name, **look(k, size=8)) for k, name in enumerate(class_names)]


def main(folder: Path = PICTURES) -> None:
    """Draw all of them into a folder."""
    for name in SHOWN:
        path = folder / f"data_{name}.png"
        rgb = style.save(figure_of(data_of(name), name.replace("_", " ")), path)
        # for a page that shows many of them
        Image.fromarray(rgb).quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
