"""The command of a sweep, as it can be copied, and what it ran with."""

import json
import os
import shlex
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from src.analysis.page.origin import commands, made_with, times
from src.analysis.records import read_jobs
from tests.analysis.jobs import make_job


def record(path: Path, *, own: list[str], task: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    node = {"hydra": {"overrides": {"hydra": own, "task": task}, "job": {"name": "train"}}}
    OmegaConf.save(OmegaConf.create(node), path)


def test_the_command_is_the_one_that_was_typed(tmp_path: Path) -> None:
    task = ["model.net.hidden=[4],[8,8]", "model.name=a b", "seed=0,1"]
    record(tmp_path / "multirun.yaml", own=["hydra.mode=MULTIRUN", "hydra.sweep.dir=x"], task=task)
    (command,) = commands([tmp_path], [])
    assert shlex.split(command) == ["python", "-m", "src.train", "-m", "hydra.sweep.dir=x", *task]


def test_an_experiment_that_sweeps_by_itself_needs_no_flag(tmp_path: Path) -> None:
    record(tmp_path / "multirun.yaml", own=[], task=["experiment=linear_vs_relu"])
    assert commands([tmp_path], []) == ["python -m src.train experiment=linear_vs_relu"]


def test_the_first_job_stands_in_where_the_record_of_the_sweep_is_lost(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "seed=3", metrics={"val/loss": 0.5})
    record(tmp_path / "0" / ".hydra" / "hydra.yaml", own=["hydra.mode=MULTIRUN"], task=["seed=3"])
    assert commands([tmp_path], read_jobs([tmp_path])) == ["python -m src.train seed=3"]


@pytest.mark.parametrize("content", ["", "[", "a: 1", "hydra: 3", "hydra: {overrides: {hydra: 1, task: []}}"])
def test_a_broken_record_is_no_command(tmp_path: Path, content: str) -> None:
    (tmp_path / "multirun.yaml").write_text(content)
    assert commands([tmp_path], []) == []


def test_jobs_that_ran_with_other_versions_are_counted(tmp_path: Path) -> None:
    for i in range(3):
        file = make_job(tmp_path / str(i), f"seed={i}", metrics={"val/loss": 0.5}).result_file
        about = {"versions": {"torch": "2" if i else "1"}, "git": {"commit": "abc", "dirty": i == 0}, "device": "cpu"}
        file.write_text(json.dumps({**json.loads(file.read_text()), **about}))
    assert made_with(read_jobs([tmp_path])) == [
        ("torch", [("2", 2), ("1", 1)]),
        ("commit", [("abc", 2), ("abc and changes", 1)]),
        ("device", [("cpu", 3)]),
    ]


@pytest.mark.parametrize(
    ("begun", "wall"),
    [
        (1000.0, [("from the command to the last result", "1 h 2 min")]),
        (4719.5, []),  # less than one run has taken: the files are copies
    ],
)
def test_the_time_of_all_runs_and_of_the_sweep(tmp_path: Path, begun: float, wall: list[tuple[str, str]]) -> None:
    record(tmp_path / "multirun.yaml", own=[], task=[])
    for seed in range(50):
        file = make_job(tmp_path / str(seed), f"seed={seed}", metrics={"val/loss": 0.5}).result_file
        os.utime(file, (4720, 4720))
    make_job(tmp_path / "50", "seed=50")
    os.utime(tmp_path / "multirun.yaml", (begun, begun))
    found = times([tmp_path], read_jobs([tmp_path]))
    assert found == [("time of all runs together", "1 min 15 s"), *wall]


def test_a_sweep_without_results_has_taken_no_known_time(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "seed=0")
    assert times([tmp_path], read_jobs([tmp_path])) == []
