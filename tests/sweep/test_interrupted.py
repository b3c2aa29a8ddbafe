"""Sweeps that are killed, interrupted and repeated."""

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.sweep.commands import run, start

# Two models, two seeds; long enough to be hit in the middle, with a checkpoint in every moment.
SWEEP = (
    "-m",
    "model=circle_v1,circle_v2",
    "seed=0,1",
    "data.batch_size=100",
    "trainer=cpu",
    "trainer.max_epochs=100",
    "callbacks=none",
    "callbacks.checkpoint.every_s=0.01",
    "logger=csv",
)
N_JOBS = 4


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


def progress(sweep: Path) -> set[tuple[str, int]]:
    """Checkpoints and results as they stand."""
    files = [*sweep.glob("*/result.json"), *sweep.glob("*/checkpoints/last.ckpt")]
    return {(str(path), path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert run(*SWEEP, f"hydra.sweep.dir={folder}/sweep", output=folder / "output") == 0
    return outcome(folder / "sweep")


@pytest.mark.slow
def test_a_sweep_killed_at_random_moments_ends_as_if_it_had_never_been(
    tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    rng, sweep, kills, status = random.Random(0), tmp_path / "sweep", 0, None
    while status != 0:
        before = progress(sweep)
        process = start(*SWEEP, f"hydra.sweep.dir={sweep}", output=tmp_path / "output")
        # at least a step further each time, so that it comes to an end
        while process.is_alive() and progress(sweep) == before:
            time.sleep(0.01)
        process.join(rng.uniform(0, 1.5))
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
        status = process.exitcode
        assert status in (0, -signal.SIGKILL), (tmp_path / "output").read_text()
    assert kills > 1
    assert outcome(sweep) == uninterrupted
    results = finished(sweep)
    # once more: nothing is run a second time
    assert run(*SWEEP, f"hydra.sweep.dir={sweep}", output=tmp_path / "output") == 0
    assert finished(sweep) == results


@pytest.mark.slow
def test_results_of_a_killed_sweep_stay_untouched(tmp_path: Path, uninterrupted: dict[str, Any]) -> None:
    sweep = tmp_path / "sweep"
    process = start(*SWEEP, f"hydra.sweep.dir={sweep}", output=tmp_path / "output")
    _wait_for(sweep / "2" / "checkpoints" / "last.ckpt")
    process.kill()
    process.join()
    kept = finished(sweep)
    assert set(kept) == {"0", "1"}
    assert run(*SWEEP, f"hydra.sweep.dir={sweep}", output=tmp_path / "output") == 0
    assert {job: time for job, time in finished(sweep).items() if job in kept} == kept
    said = (tmp_path / "output").read_text()
    assert said.count("already completed") == 2
    assert outcome(sweep) == uninterrupted


@pytest.mark.slow
def test_ctrl_c_ends_a_sweep_with_what_it_has_and_how_to_go_on(tmp_path: Path, uninterrupted: dict[str, Any]) -> None:
    sweep, output = tmp_path / "sweep", tmp_path / "output"
    process = start(*SWEEP, f"hydra.sweep.dir={sweep}", output=output)
    _wait_for(sweep / "1" / "checkpoints" / "last.ckpt")
    assert process.pid is not None
    os.killpg(process.pid, signal.SIGINT)
    process.join(60)
    assert process.exitcode == 130
    said = output.read_text()
    assert f"hydra.sweep.dir={sweep}" in said
    assert "Traceback" not in said
    assert (sweep / "summary.csv").is_file()
    assert not (sweep / "3").exists()
    assert run(*SWEEP, f"hydra.sweep.dir={sweep}", output=output) == 0
    assert outcome(sweep) == uninterrupted


def _wait_for(path: Path) -> None:
    for _ in range(3000):
        if path.exists():
            return
        time.sleep(0.02)
    raise TimeoutError(path)
