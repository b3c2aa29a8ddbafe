"""Every notebook runs, agrees with its text form, is stored with its outputs, and leaves code of its own to `src`."""

import ast
import re
from pathlib import Path
from typing import Any

import jupytext
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from benchmarks.executed import plain
from tests.waiting import LIMIT_S, ROOT

NOTEBOOKS = ROOT / "notebooks"
PAIRS = sorted(NOTEBOOKS.glob("*.md"))

every_notebook = pytest.mark.parametrize("text", PAIRS, ids=lambda path: path.stem)


def both_forms(text: Path) -> list[Any]:
    return [jupytext.read(path) for path in (text, text.with_suffix(".ipynb"))]


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def execute(notebook: Any, *, folder: Path) -> None:
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=LIMIT_S, kernel_name="python3", resources=resources).execute()


def test_every_text_has_a_notebook_and_every_notebook_a_text() -> None:
    assert PAIRS
    assert {path.stem for path in PAIRS} == {path.stem for path in NOTEBOOKS.glob("*.ipynb")}


@every_notebook
def test_text_and_notebook_hold_the_same_cells(text: Path) -> None:
    of_text, of_notebook = ([(cell.cell_type, cell.source) for cell in form.cells] for form in both_forms(text))
    assert of_text == of_notebook, f"run jupytext --sync notebooks/{text.name}"


@every_notebook
def test_metadata_pair_both_forms_and_name_no_machine(text: Path) -> None:
    for form in both_forms(text):
        assert form.metadata.keys() == {"jupytext", "kernelspec"}
        assert form.metadata.jupytext.formats == "ipynb,md"
        assert form.metadata.kernelspec == {"display_name": "Python 3", "language": "python", "name": "python3"}
        assert all(not cell.metadata for cell in form.cells)


@every_notebook
def test_notebook_is_stored_with_the_outputs_of_one_run(text: Path) -> None:
    cells = code_cells(jupytext.read(text.with_suffix(".ipynb")))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), (
        "run python -m benchmarks.executed"
    )
    outputs = [output for cell in cells for output in cell.outputs]
    assert len(outputs) > 5
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


@every_notebook
def test_outputs_are_small_and_name_no_folder_of_a_machine(text: Path) -> None:
    path = text.with_suffix(".ipynb")
    assert path.stat().st_size < 1_000_000
    stored = path.read_text()
    assert not re.search(r"/(home|root|Users|work|private)/|/tmp/(?!notebook)", stored)


def test_paths_of_a_machine_are_taken_out_of_an_output() -> None:
    said = f"run directory: /tmp/tmpab12_c/run, code in {ROOT}/src"
    output = NotebookNode(output_type="stream", name="stdout", text=said)  # type: ignore[no-untyped-call]
    assert plain(output).text == "run directory: /tmp/notebook/run, code in linear-vs-relu/src"


@every_notebook
def test_notebook_defines_no_functions_or_classes(text: Path) -> None:
    for cell in code_cells(jupytext.read(text)):
        for statement in ast.parse(cell.source).body:
            assert not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef), cell.source


@every_notebook
@pytest.mark.slow
def test_first_cell_finds_src_from_the_repository_root(text: Path) -> None:
    notebook = jupytext.read(text)
    first = code_cells(notebook)[0]
    first.source += "\nimport src"
    notebook.cells = [first]
    execute(notebook, folder=ROOT)


@pytest.mark.slow
@every_notebook
def test_notebook_runs_in_its_folder_and_leaves_nothing_there(text: Path) -> None:
    before = set(NOTEBOOKS.iterdir())
    execute(jupytext.read(text), folder=NOTEBOOKS)
    assert set(NOTEBOOKS.iterdir()) == before
