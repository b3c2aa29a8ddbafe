"""docs/how_to/your_own.md is followed word for word, in a folder beside the repository."""

import csv
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from src.run.directory import RunDir
from tests.documented import STEPS, blocks, environ
from tests.documented import commands as shown
from tests.waiting import ROOT, completed

PAGE = "docs/how_to/your_own.md"

GROUPS = ("data", "model", "loss", "optimizer", "scheduler", "callbacks", "logger", "task", "module", "experiment")


def files() -> dict[str, str]:
    """What the page writes, by path."""
    return dict(
        re.findall(r"^`(my_lab/[^`]+)`\n\n```\w+\n(.*?)^```", (ROOT / PAGE).read_text(), re.DOTALL | re.MULTILINE)
    )


def commands() -> list[str]:
    return shown(PAGE)


def write(folder: Path) -> Path:
    """Put the lab there."""
    for name, text in files().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder / "my_lab"


def test_the_page_has_a_file_for_every_group_and_uses_each() -> None:
    options = [Path(name) for name in files() if name.startswith("my_lab/conf/")]
    assert {file.parent.name for file in options} == set(GROUPS)
    said = "\n".join([*commands(), *files().values()])
    for file in options:
        assert re.search(rf"{file.parent.name}(=|: ){file.stem}\b", said), file


def test_the_page_shows_every_file_of_its_tree() -> None:
    (tree,) = blocks(PAGE, "text")
    assert set(re.findall(r"\w+\.py", tree)) == {Path(name).name for name in files() if name.endswith(".py")}
    assert set(re.findall(r"(\w+)/(?=  |\n)", tree)) - {"work", "my_lab", "conf"} == set(GROUPS)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the page was followed."""
    folder = tmp_path_factory.mktemp("work")
    write(folder)
    given = [shlex.split(command) for command in commands()]
    assert all(words[:2] == ["python", "-m"] for words in given)
    todo = json.dumps([("module", words[2:]) for words in given])
    done = completed(sys.executable, "-c", STEPS, todo, cwd=folder, env=environ())
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stdout + done.stderr)
    return folder


def metrics(folder: Path, name: str) -> dict[str, float | None]:
    result = RunDir(folder / "outputs" / "runs" / name).result()
    assert result is not None
    return dict(result.metrics)


@pytest.mark.slow
def test_the_lab_learns_what_the_page_says(followed: Path) -> None:
    waves = metrics(followed, "waves")
    assert {"val/close", "test/close", "test/mae"} <= waves.keys()
    assert (waves["test/close"] or 0) > 0.5
    assert (metrics(followed, "autoencoder")["test/loss"] or 1) < 0.05
    with (followed / "outputs" / "sweeps" / "sines" / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["model"], row["seed"]) for row in rows} == {(m, str(s)) for m in ("sines", "mlp") for s in range(3)}


@pytest.mark.slow
def test_a_callback_that_is_content_keeps_blocks_and_another_gets_steps(followed: Path) -> None:
    runs = followed / "outputs" / "runs"
    assert len((runs / "circles" / "norms.txt").read_text().splitlines()) > 10
    assert "training in steps" not in (runs / "circles" / "train.log").read_text()
    assert (
        "training in steps, as Lightning documents them, for callbacks.largest_gradient (LargestGradient)"
        in (runs / "steps" / "train.log").read_text()
    )
    assert "largest_gradient" in (runs / "steps" / "logged.csv").read_text().splitlines()[0]


@pytest.mark.slow
def test_a_logger_of_ones_own_gets_the_logged_epochs(followed: Path) -> None:
    lines = (followed / "outputs" / "runs" / "line" / "metrics.jsonl").read_text().splitlines()
    assert {"step", "train/loss", "val/mae"} <= json.loads(lines[0]).keys()
    assert [json.loads(line)["step"] for line in lines] == sorted({json.loads(line)["step"] for line in lines})


@pytest.mark.slow
def test_launchers_take_the_lab_along(followed: Path) -> None:
    sweeps = followed / "outputs" / "sweeps"
    for name, n in (("stacked", 4), ("beside", 2)):
        results = [RunDir(path.parent).result() for path in (sweeps / name).glob("*/result.json")]
        assert [result.status for result in results if result is not None] == ["completed"] * n
    assert "trains by itself" not in (followed / "said.txt").read_text()
    # of stacked jobs those that the report shows
    assert len(list((sweeps / "stacked").glob("*/plots/boundary.png"))) == 3
    assert "cannot be drawn" not in (followed / "said.txt").read_text()
