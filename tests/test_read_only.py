"""Directories that one may only read, or not even that: a run that has completed is of use all the same."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from src.config.compose import compose_train
from src.run.directory import RunDir
from src.train import train
from tests.waiting import ROOT

pytestmark = pytest.mark.slow

SMALL = ("trainer=cpu", "trainer.max_epochs=2", "callbacks=none", "logger=csv")

# Root may write anywhere, unless it gives that up.
_RIGHTS = "-dac_override,-dac_read_search,-fowner"
_AS_A_USER = ["setpriv", f"--bounding-set={_RIGHTS}", f"--inh-caps={_RIGHTS}"] if os.geteuid() == 0 else []


def run(module: str, *arguments: str) -> tuple[int, str]:
    """Status and output of a command of somebody who has no more rights than files give."""
    if _AS_A_USER and shutil.which("setpriv") is None:
        # where root cannot give up its rights nothing is read-only to it; CI has setpriv, and fails on a skip
        pytest.skip("root may write anywhere")
    done = subprocess.run(
        [*_AS_A_USER, sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def set_writable(path: Path, *, is_writable: bool) -> None:
    for each in (path, *path.rglob("*")):
        if each.is_dir():
            each.chmod(0o755 if is_writable else 0o555)
        elif not each.is_symlink():
            each.chmod(0o644 if is_writable else 0o444)


@pytest.fixture
def completed(tmp_path: Path) -> Iterator[Path]:
    """The directory of a run that one may only read."""
    path = tmp_path / "sweep" / "run"
    train(compose_train([*SMALL, "callbacks=default"], run_dir=path))
    set_writable(path.parent, is_writable=False)
    yield path
    set_writable(path.parent, is_writable=True)


def contents(path: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_a_completed_run_that_one_may_only_read_is_of_use(completed: Path, tmp_path: Path) -> None:
    before, result = contents(completed.parent), RunDir(completed).result()
    assert result is not None
    # the same command
    status, said = run("src.train", *SMALL, "callbacks=default", f"hydra.run.dir={completed}")
    assert (status, said) == (0, f"already completed: {completed}\n")
    status, said = run("src.eval", f"run={completed}")
    assert status == 0, said
    assert f"{result.metrics['test/accuracy']:.4f}" in said
    status, said = run("src.draw", f"run={completed}", "pictures=[boundary]", f"folder={tmp_path / 'drawn'}")
    assert (status, said) == (0, f"{tmp_path / 'drawn' / 'boundary.png'}\n")
    assert (tmp_path / "drawn" / "boundary.png").read_bytes() == (completed / "plots" / "boundary.png").read_bytes()
    # where it may not draw
    status, said = run("src.draw", f"run={completed}", "pictures=[boundary]")
    assert status == 1
    assert said.splitlines()[0].startswith(f"{completed / 'plots' / 'boundary.png'}: no permission;"), said
    assert "Traceback" not in said
    status, said = run("src.report", f"sweep={completed.parent}")
    assert status == 0, said
    assert "1 job: 1 completed" in said
    assert f"{completed.parent / 'summary.csv'} cannot be written: Permission denied" in said
    assert contents(completed.parent) == before


@pytest.mark.parametrize(
    ("given", "further", "answer"),
    [
        (["seed=0,1"], ["seed=0,1,2"], ""),
        (
            ["hydra/sweeper=optuna", "optimizer.lr=interval(0.1,0.2)", "hydra.sweeper.n_trials=2"],
            ["hydra.sweeper.n_trials=3"],
            "2 trials: 2 completed",
        ),
    ],
    ids=["grid", "search"],
)
def test_a_completed_sweep_that_one_may_only_read_shows_its_answer(
    given: list[str], further: list[str], answer: str, tmp_path: Path
) -> None:
    path = tmp_path / "sweep"
    asked = ("-m", *SMALL, *given, f"hydra.sweep.dir={path}")
    assert run("src.train", *asked)[0] == 0
    before = contents(path)
    set_writable(path, is_writable=False)
    try:
        status, said = run("src.train", *asked)
        more_status, more = run("src.train", *asked, *further)
    finally:
        set_writable(path, is_writable=True)
    assert status == 0, said
    assert answer in said
    assert "2 jobs: 2 completed" in said
    assert contents(path) == before
    # with something left to do
    assert more_status == 1
    assert "no permission" in more
    assert "Traceback" not in more


@pytest.mark.parametrize("launcher", ["basic", "joblib", "vmap", "submitit_local"])
def test_a_directory_that_may_not_be_written_ends_a_sweep_in_words(launcher: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    path = tmp_path / "sweep"
    try:
        status, said = run(
            "src.train", "-m", *SMALL, "seed=0,1", f"hydra/launcher={launcher}", f"hydra.sweep.dir={path}"
        )
    finally:
        tmp_path.chmod(0o755)
    assert status == 1
    assert said.splitlines()[0] == f"{path}: no permission; choose another directory, or ask its owner", said
    assert "Traceback" not in said


def unreadable_run(path: Path) -> Path:
    (path / ".hydra").mkdir(parents=True)
    path.chmod(0o000)
    return path


def unreadable_result(path: Path) -> Path:
    (path / ".hydra").mkdir(parents=True)
    (path / "result.json").write_text("{}")
    (path / "result.json").chmod(0o000)
    return path / "result.json"


@pytest.mark.parametrize("job", [unreadable_run, unreadable_result])
def test_a_job_that_may_not_be_read_is_counted_and_named(job: Callable[[Path], Path], tmp_path: Path) -> None:
    closed = job(tmp_path / "3")
    try:
        status, said = run("src.report", f"sweep={tmp_path}")
    finally:
        closed.chmod(0o755)
    assert status == 0, said
    assert "1 job: 0 completed, 1 unfinished" in said
    assert f"{tmp_path / '3' / 'result.json'} cannot be read: Permission denied" in said
