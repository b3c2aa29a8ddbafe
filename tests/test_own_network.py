"""docs/how_to/own_network.md is followed word for word, in a folder beside the repository."""

import csv
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from src.run.directory import RunDir
from tests.documented import STEPS, commands, environ
from tests.waiting import ROOT, completed

PAGE = "docs/how_to/own_network.md"


@pytest.mark.slow
def test_a_network_of_ones_own_is_a_model_as_any_other(tmp_path: Path) -> None:
    text = (ROOT / PAGE).read_text()
    files = re.findall(r"^`([\w/]+\.(?:py|yaml))`\n\n```\w+\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert [name for name, _ in files] == ["my_net.py", "my_conf/model/dense.yaml"]
    for name, content in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    todo = json.dumps([("module", shlex.split(line)[2:]) for line in commands(PAGE)])
    done = completed(sys.executable, "-c", STEPS, todo, cwd=tmp_path, env=environ())
    assert done.returncode == 0, done.stderr
    result = RunDir(tmp_path / "outputs" / "runs" / "dense").result()
    assert result is not None
    assert (result.metrics["test/accuracy"] or 0) > 0.95
    assert (tmp_path / "outputs" / "runs" / "dense" / "plots" / "boundary.png").is_file()
    with (tmp_path / "outputs" / "sweeps" / "dense" / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows].count("dense") == 6
    # it trains in a stack
    assert "6 models dense are stacked" in done.stdout + done.stderr
