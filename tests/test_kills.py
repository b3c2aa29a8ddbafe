"""A run that is killed at any of its writes, and repeated, is the run that nobody has killed."""

import itertools
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from src.tasks.checkpoint import load_checkpoint
from tests.moments import Moment
from tests.sweep.commands import run, start
from tests.tasks.runs import listing
from tests.tasks.test_resuming import identical

QUIET = [
    *("trainer=cpu", "logger=csv", "callbacks=early_stopping", "callbacks.checkpoint.every_s=0"),
    *(f"callbacks.{name}=null" for name in ("progress", "summary", "pictures", "boundary_frames", "model_graph")),
    "callbacks.precision_recall=null",
]
# Six rows, and a line for rings, which asks for a hint.
LINE = [*QUIET, "model=circle_v1", "trainer.max_epochs=48", "task.log_every_n_epochs=10", "data.batch_size=400"]
# Stops long before its last epoch.
STOPPED = [
    *QUIET,
    "trainer.max_epochs=100",
    "callbacks.early_stopping.patience=2",
    "callbacks.early_stopping.min_delta=1",
]

pytestmark = pytest.mark.slow


def outcome(path: Path) -> dict[str, Any]:
    """All that a run leaves, but for times and the files of Hydra's log."""
    result = json.loads((path / "result.json").read_text())
    checkpoints = {name: load_checkpoint(path / "checkpoints" / f"{name}.ckpt") for name in ("best", "last")}
    return {
        "result": {name: value for name, value in result.items() if name != "duration_s"},
        "rows": (path / "metrics.csv").read_text(),
        "files": listing(path),
        **{f"{name} {key}": each[key] for name, each in checkpoints.items() for key in ("state_dict", "epoch")},
    }


@pytest.fixture(scope="module", params=[LINE, STOPPED], ids=["hints", "early stopping"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], dict[str, Any]]:
    """A command, and what it comes to when nobody kills it."""
    path = tmp_path_factory.mktemp("whole")
    assert run(*request.param, f"hydra.run.dir={path}/run", output=path / "output") == 0
    return request.param, outcome(path / "run")


def test_the_runs_of_these_tests_get_a_hint_and_stop_early(whole: tuple[list[str], dict[str, Any]]) -> None:
    command, found = whole
    if command is LINE:
        assert [hint["kind"] for hint in found["result"]["hints"]] == ["linear_at_chance"]
        assert found["last epoch"] == 48
    else:
        assert found["last epoch"] == 3


def test_a_run_that_is_killed_at_a_later_and_later_write(
    whole: tuple[list[str], dict[str, Any]], tmp_path: Path
) -> None:
    command, expected = whole
    path, output = tmp_path / "run", tmp_path / "output"
    for n in itertools.count(1):
        process = start(*command, f"hydra.run.dir={path}", output=output, killed_at=Moment(f"{path}/*", n=n))
        status = process.end()
        assert status in (0, -signal.SIGKILL), process.said()
        if status == 0:
            break
    assert n > 5
    found = outcome(path)
    assert [key for key in expected if not identical(found[key], expected[key])] == []


@pytest.mark.parametrize(
    ("name", "from_the_end"),
    [
        ("result.json", 1),
        *((f"checkpoints/{name}.ckpt", n) for name in ("last", "last.previous", "best") for n in (1, 2)),
    ],
)
def test_a_run_that_is_killed_at_its_last_writes(
    name: str, from_the_end: int, whole: tuple[list[str], dict[str, Any]], tmp_path: Path
) -> None:
    command, expected = whole
    path, output = tmp_path / "run", tmp_path / "output"
    # at each of its looks, and once more at its end; nothing is kept the first time
    n_looks = len(expected["rows"].splitlines())
    n = {"result.json": 1, "checkpoints/last.previous.ckpt": n_looks - 1}.get(name, n_looks) + 1 - from_the_end
    killed = start(*command, f"hydra.run.dir={path}", output=output, killed_at=Moment(f"{path}/{name}", n=n))
    assert killed.end() == -signal.SIGKILL, killed.said()
    assert run(*command, f"hydra.run.dir={path}", output=output) == 0, killed.said()
    found = outcome(path)
    assert [key for key in expected if not identical(found[key], expected[key])] == []
