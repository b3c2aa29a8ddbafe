"""What docs/predict.md and docs/export.md show is run, in its order."""

import importlib.util
import json
import os
import re
import shlex
import sys
from pathlib import Path

import polars
import pytest

from tests.waiting import ROOT, completed

# whole commands
pytestmark = pytest.mark.slow

# One process for a page: importing torch and Lightning takes longer than all of it.
STEPS = """
import json, runpy, sys, warnings
names = {}
for kind, text in json.loads(sys.argv[1]):
    if kind == "python":
        exec(text, names)
        continue
    sys.argv = text
    try:
        runpy.run_module(text[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        assert not end.code, (text, end.code)
"""


def steps(page: str) -> list[tuple[str, str | list[str]]]:
    found: list[tuple[str, str | list[str]]] = []
    text = (ROOT / "docs" / page).read_text()
    for language, block in re.findall(r"^```(python|bash)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if language == "python":
            found.append(("python", block))
            continue
        for line in block.splitlines():
            assert line.startswith("python -m ")
            if "format=onnx" not in line or importlib.util.find_spec("onnxruntime"):
                found.append(("bash", shlex.split(line)[2:]))
    return found


@pytest.mark.parametrize("page", ["predict.md", "export.md"])
def test_every_step_of_a_page_runs(page: str, tmp_path: Path) -> None:
    done = completed(sys.executable, "-c", STEPS, json.dumps(steps(page)), cwd=tmp_path, env=environ())
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr
    if page == "predict.md":
        assert polars.read_csv(tmp_path / "predictions.csv").columns[-3:] == ["label", "p_outer", "p_inner"]
        assert polars.read_parquet(tmp_path / "more.parquet").height == 1
        assert polars.read_csv(tmp_path / "ensemble.csv").columns[-1] == "spread"


def environ() -> dict[str, str]:

    return {**os.environ, "PYTHONPATH": str(ROOT)}
