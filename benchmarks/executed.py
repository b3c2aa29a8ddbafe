"""Runs the notebooks and stores them with their outputs: ``python -m benchmarks.executed``; two or three minutes.

What differs from run to run for no reason of the lesson is left out: times of cells, and paths of this machine.
"""

import base64
import io
import re
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image

from benchmarks.timing import ROOT

NOTEBOOKS = ROOT / "notebooks"
# Seconds that a cell may take.
LIMIT_S = 900
# Pixels of the widest picture.
WIDTH = 800

# What stands for folders of this machine.
_PATHS = ((re.escape(str(ROOT)), "linear-vs-relu"), (r"/tmp/tmp\w+", "/tmp/notebook"))


def executed(text: Path) -> Any:
    """A notebook of a text, with the outputs of its cells."""
    notebook = jupytext.read(text)
    NotebookClient(
        notebook, timeout=LIMIT_S, kernel_name="python3", resources={"metadata": {"path": str(text.parent)}}
    ).execute()
    notebook.metadata.pop("language_info", None)
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [plain(output) for output in cell.outputs]
    return notebook


def plain(output: Any) -> Any:
    """An output as it is stored."""
    output.metadata = {} if "metadata" in output else output.get("metadata")
    if output.get("metadata") is None:
        output.pop("metadata", None)
    if "text" in output:
        output.text = without_paths(output.text)
    for kind, content in output.get("data", {}).items():
        if kind.startswith("text/"):
            output.data[kind] = without_paths(content)
        elif kind == "image/png":
            output.data[kind] = smaller(content)
    return output


def smaller(png: str) -> str:
    """A picture, in base 64, of fewer pixels and colours."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    picture.thumbnail((WIDTH, 2 * WIDTH), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    picture.quantize(48, dither=Image.Dither.NONE).save(written, format="PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


def without_paths(text: str) -> str:
    """A text without folders of this machine."""
    for pattern, instead in _PATHS:
        text = re.sub(pattern, instead, text)
    return text


def main(*names: str) -> None:
    """Run those that are named, or all, and store them."""
    for text in sorted(NOTEBOOKS.glob("*.md")):
        if names and text.stem not in names:
            continue
        path = text.with_suffix(".ipynb")
        # cells keep their names, so that a difference shows what has changed
        before = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        notebook = executed(text)
        for cell, other in zip(notebook.cells, before.cells, strict=False):
            cell.id = other.id
        notebook.nbformat, notebook.nbformat_minor = before.nbformat, before.nbformat_minor
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(*sys.argv[1:])
