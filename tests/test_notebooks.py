"""Every notebook runs, agrees with its text form, stores no outputs, and leaves code of its own to `src`."""

import ast
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PAIRS = sorted(NOTEBOOKS.glob("*.md"))

every_notebook = pytest.mark.parametrize("text", PAIRS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return jupytext.read(path) if path.suffix == ".md" else nbformat.read(path, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks_and_all_are_paired() -> None:
    assert PAIRS
    assert {path.stem for path in PAIRS} == {path.stem for path in NOTEBOOKS.glob("*.ipynb")}


@every_notebook
def test_text_and_notebook_hold_the_same_cells(text: Path) -> None:
    cells = [
        [(cell.cell_type, cell.source) for cell in read(path).cells] for path in (text, text.with_suffix(".ipynb"))
    ]
    assert cells[0] == cells[1], f"run jupytext --sync notebooks/{text.name}"


@every_notebook
def test_text_and_notebook_are_a_jupytext_pair_for_the_same_kernel(text: Path) -> None:
    for path in (text, text.with_suffix(".ipynb")):
        metadata = read(path).metadata
        assert metadata.jupytext.formats == "ipynb,md"
        assert metadata.kernelspec.name == "python3"


@every_notebook
def test_notebook_stores_no_outputs(text: Path) -> None:
    for cell in code_cells(read(text.with_suffix(".ipynb"))):
        assert cell.outputs == [], cell.source
        assert cell.execution_count is None, cell.source


@every_notebook
def test_notebook_defines_no_functions_or_classes(text: Path) -> None:
    for cell in code_cells(read(text)):
        statements = ast.parse(cell.source).body
        assert not any(isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for s in statements), (
            cell.source
        )


@pytest.mark.slow
@pytest.mark.parametrize("folder", [NOTEBOOKS], ids=["notebooks"])
@every_notebook
def test_notebook_runs(text: Path, folder: Path) -> None:
    before = set(NOTEBOOKS.iterdir())
    NotebookClient(read(text), timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    assert set(NOTEBOOKS.iterdir()) == before
