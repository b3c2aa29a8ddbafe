"""Every experiment and every debug preset runs for a moment."""

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from src.config.compose import CONF_DIR, compose_train
from src.train import train
from tests.shipped import shipped

SHORT = ["trainer.max_epochs=2", "callbacks=none", "logger=csv"]


def is_sweep(experiment: str) -> bool:
    return "hydra" in OmegaConf.load(CONF_DIR / "experiment" / f"{experiment}.yaml")


@pytest.mark.parametrize("name", shipped("experiment"))
def test_every_experiment_opens_with_its_question_and_what_to_expect(name: str) -> None:
    lines = (CONF_DIR / "experiment" / f"{name}.yaml").read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith("# Question: ")
    assert lines[2] == f"# Command:  python -m src.train experiment={name}"
    assert lines[3].startswith("# Expect:   ")


@pytest.mark.parametrize("name", [name for name in shipped("experiment") if not is_sweep(name)])
@pytest.mark.slow
def test_every_experiment_runs(name: str, tmp_path: Path) -> None:
    train(compose_train([f"experiment={name}", *SHORT], run_dir=tmp_path))
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "completed"


@pytest.mark.parametrize("name", shipped("debug"))
@pytest.mark.slow
def test_every_debug_preset_runs(name: str, tmp_path: Path) -> None:
    train(compose_train([f"debug={name}"], run_dir=tmp_path))
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["status"] == "completed"
    if name == "overfit":
        assert result["metrics"]["train/loss"] < 0.6, "sixteen samples can be learnt by heart"
    if name == "profiler":
        assert "run_training_epoch" in (tmp_path / "fit-profile.txt").read_text()
