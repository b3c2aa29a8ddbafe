"""The commands as a user types them, each in a process of its own."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.moments import Moment
from tests.sweep.commands import start
from tests.tasks.runs import stored_weights
from tests.waiting import completed

# whole commands, or whole trainings
pytestmark = pytest.mark.slow

QUIET = ["callbacks=none", "logger=csv"]


def run(*arguments: str, module: str = "src.train") -> subprocess.CompletedProcess[str]:
    return completed(sys.executable, "-m", module, *arguments)


def assert_same_weights(a: Path, b: Path) -> None:
    first, second = stored_weights(a), stored_weights(b)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def printed_metrics(output: str) -> list[str]:
    """Rows of the result table, without the column of training, which evaluation does not have."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if line.endswith("│")]
    return [
        " ".join([row[0], *row[-2:]]) for row in rows if row[0] in ("loss", "accuracy", "f1", "precision", "recall")
    ]


def test_a_run_can_be_evaluated_from_its_directory_with_the_same_numbers(tmp_path: Path) -> None:
    trained = run(f"hydra.run.dir={tmp_path}", "trainer.max_epochs=30", "optimizer=adam")
    assert trained.returncode == 0, trained.stderr
    assert "\x1b" not in trained.stdout
    assert max(len(line) for line in trained.stdout.splitlines() if not line.startswith("run directory")) <= 110
    evaluated = run(f"run={tmp_path}", module="src.eval")
    assert evaluated.returncode == 0, evaluated.stderr
    assert len(printed_metrics(trained.stdout)) == 5
    assert printed_metrics(evaluated.stdout) == printed_metrics(trained.stdout)


def test_a_sweep_gives_every_job_its_directory_and_the_result_of_the_job_alone(tmp_path: Path) -> None:
    shared = [*QUIET, "trainer.max_epochs=15", "data.batch_size=100"]
    swept = run("-m", f"hydra.sweep.dir={tmp_path}", "model=circle_v1,circle_v2", "optimizer.lr=0.01,0.1", *shared)
    assert swept.returncode == 0, swept.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["0", "1", "2", "3"]
    alone = run(f"hydra.run.dir={tmp_path / 'alone'}", "model=circle_v2", "optimizer.lr=0.1", *shared)
    assert alone.returncode == 0, alone.stderr
    assert_same_weights(tmp_path / "3", tmp_path / "alone")
    assert (tmp_path / "3" / "metrics.csv").read_text() == (tmp_path / "alone" / "metrics.csv").read_text()
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("3", "alone")]
    assert results[0]["metrics"] == results[1]["metrics"]


@pytest.mark.slow
def test_two_processes_train_the_network_of_one(tmp_path: Path) -> None:
    # 800 = 12 * 66 + 8: the last batch is smaller
    shared = ["trainer.max_epochs=5", "data.batch_size=66", "trainer.accelerator=cpu", *QUIET]
    for name, trainer in (("one", "default"), ("two", "ddp")):
        done = run(f"hydra.run.dir={tmp_path / name}", f"trainer={trainer}", *shared)
        assert done.returncode == 0, done.stderr
    first, second = stored_weights(tmp_path / "one"), stored_weights(tmp_path / "two")
    assert all(torch.allclose(first[key], second[key], rtol=0, atol=1e-5) for key in first)
    one, two = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("one", "two"))
    assert two["metrics"] == pytest.approx(one["metrics"], abs=1e-5)
    assert two["per_class"][0]["support"] == one["per_class"][0]["support"] == 100
    again = run(f"run={tmp_path / 'two'}", module="src.eval")
    assert again.returncode == 0, again.stderr


LONG = [*QUIET, "trainer.max_epochs=60", "data.batch_size=400", "callbacks.checkpoint.every_s=0"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody interrupts."""
    path = tmp_path_factory.mktemp("whole")
    assert run(f"hydra.run.dir={path}", *LONG).returncode == 0
    return path


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_goes_on_to_the_same_result(sent: signal.Signals, whole: Path, tmp_path: Path) -> None:
    stopped = tmp_path / "stopped"
    moment = Moment(f"{stopped}/checkpoints/last.ckpt", n=20)
    at = {"interrupted_at": moment} if sent == signal.SIGINT else {"killed_at": moment}
    process = start(f"hydra.run.dir={stopped}", *LONG, output=tmp_path / "output", **at)
    assert process.end() == (130 if sent == signal.SIGINT else -sent)
    assert not (stopped / "result.json").exists()
    if sent == signal.SIGINT:
        assert f"hydra.run.dir={stopped}" in process.said()
        assert "Traceback" not in process.said()
    resumed = run(f"hydra.run.dir={stopped}", *LONG)
    assert resumed.returncode == 0, resumed.stderr
    assert_same_weights(stopped, whole)
    assert (stopped / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()


def test_bad_input_ends_with_one_message_and_status_1(tmp_path: Path) -> None:
    failed = run(f"hydra.run.dir={tmp_path}", "data.n_samples=1")
    assert failed.returncode == 1
    allowed = "a whole number from 2 to 1000000000"
    assert failed.stderr == f"data.n_samples (command line: data.n_samples=1): got 1; allowed: {allowed}\n"
    assert "Traceback" not in failed.stdout


def test_full_error_shows_the_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    failed = run(f"hydra.run.dir={tmp_path}", "data.n_samples=1")
    assert failed.returncode == 1
    assert "Traceback" in failed.stderr


def test_starts_in_the_same_second_get_different_directories(tmp_path: Path) -> None:
    arguments = ["--cfg", "hydra", "--package", "hydra.run", "--resolve"]
    assert run(*arguments).stdout != run(*arguments).stdout
    assert not list(tmp_path.iterdir())
