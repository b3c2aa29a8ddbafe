"""Sweeps that are killed, interrupted and repeated."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.moments import Moment
from tests.sweep.commands import run, start

# Two models, two seeds, and a checkpoint after every epoch.
SWEEP = (
    "-m",
    "model=circle_v1,circle_v2",
    "seed=0,1",
    "data.batch_size=100",
    "trainer=cpu",
    "trainer.max_epochs=40",
    "callbacks=none",
    "callbacks.checkpoint.every_s=0",
    "logger=csv",
)
N_JOBS = 4

# Each start begins where the one before was killed.
MOMENTS = (
    # of the first job: before its first checkpoint, between its best and its last, in the middle of training
    Moment("*/0/checkpoints/best.ckpt"),
    Moment("*/0/checkpoints/last.ckpt"),
    Moment("*/0/checkpoints/last.ckpt", n=15),
    # trained, and its result not written
    Moment("*/0/result.json"),
    # its result written, and the next one begun
    Moment("*/1/checkpoints/last.ckpt", n=30),
    Moment("*/1/checkpoints/last.ckpt", n=5),
    Moment("*/3/result.json"),
    # all jobs done, and their table not written
    Moment("*/summary.csv"),
)


def outcome(sweep: Path) -> dict[str, Any]:
    """What all jobs of a sweep have come to: metrics, the whole course of training, weights."""
    found: dict[str, Any] = {}
    for number in range(N_JOBS):
        job = sweep / str(number)
        result = json.loads((job / "result.json").read_text())
        assert result["status"] == "completed"
        found[f"{number} metrics"] = result["metrics"]
        found[f"{number} course"] = (job / "metrics.csv").read_text()
        for name in ("best", "last"):
            checkpoint = torch.load(job / "checkpoints" / f"{name}.ckpt", weights_only=True)
            found[f"{number} {name}"] = {key: value.tolist() for key, value in checkpoint["state_dict"].items()}
    return found


def finished(sweep: Path) -> dict[str, int]:
    """Time of the last change of every result that is there."""
    return {path.parent.name: path.stat().st_mtime_ns for path in sweep.glob("*/result.json")}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert run(*SWEEP, f"hydra.sweep.dir={folder}/sweep", output=folder / "output") == 0
    return outcome(folder / "sweep")


@pytest.mark.slow
def test_a_sweep_that_is_killed_again_and_again_ends_as_if_it_had_never_been(
    tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    sweep, output = tmp_path / "sweep", tmp_path / "output"
    for moment in MOMENTS:
        killed = start(*SWEEP, f"hydra.sweep.dir={sweep}", output=output, killed_at=moment)
        assert killed.end() == -signal.SIGKILL, killed.said()
    assert run(*SWEEP, f"hydra.sweep.dir={sweep}", output=output) == 0
    assert outcome(sweep) == uninterrupted
    results = finished(sweep)
    # once more: nothing is run a second time
    assert run(*SWEEP, f"hydra.sweep.dir={sweep}", output=output) == 0
    assert finished(sweep) == results


@pytest.mark.slow
def test_results_of_a_killed_sweep_stay_untouched(tmp_path: Path, uninterrupted: dict[str, Any]) -> None:
    sweep, output = tmp_path / "sweep", tmp_path / "output"
    moment = Moment(f"{sweep}/2/checkpoints/last.ckpt", n=2)
    killed = start(*SWEEP, f"hydra.sweep.dir={sweep}", output=output, killed_at=moment)
    assert killed.end() == -signal.SIGKILL, killed.said()
    kept = finished(sweep)
    assert set(kept) == {"0", "1"}
    assert run(*SWEEP, f"hydra.sweep.dir={sweep}", output=output) == 0
    assert {job: changed for job, changed in finished(sweep).items() if job in kept} == kept
    assert output.read_text().count("already completed") == 2
    assert outcome(sweep) == uninterrupted


@pytest.mark.slow
def test_ctrl_c_ends_a_sweep_with_what_it_has_and_how_to_go_on(tmp_path: Path, uninterrupted: dict[str, Any]) -> None:
    sweep, output = tmp_path / "sweep", tmp_path / "output"
    moment = Moment(f"{sweep}/1/checkpoints/last.ckpt", n=2)
    process = start(*SWEEP, f"hydra.sweep.dir={sweep}", output=output, interrupted_at=moment)
    assert process.end() == 130
    said = process.said()
    assert f"hydra.sweep.dir={sweep}" in said
    assert "Traceback" not in said
    assert (sweep / "summary.csv").is_file()
    assert not (sweep / "3").exists()
    assert run(*SWEEP, f"hydra.sweep.dir={sweep}", output=output) == 0
    assert outcome(sweep) == uninterrupted
