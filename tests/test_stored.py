"""Run directories that an earlier version has written: they are evaluated, drawn, resumed, reported and repeated.

tests/stored holds a run, one that was killed after epoch 10 of 20, a sweep, and a sweep of stacked models. They are
never written anew: whatever makes one of these tests fail would break the runs that users keep.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import DictConfig, OmegaConf

from src.config.compose import CONF_DIR, compose_train
from src.config.origins import hydra_at
from src.draw import draw
from src.eval import evaluate
from src.report import report
from src.run.directory import RunDir
from src.run.metrics import read_metrics
from src.sweep.guard import guarded
from src.sweep.jobs import compose_jobs
from src.sweep.values import expand
from src.train import train
from tests.sweep.configs import composed

STORED = Path(__file__).parent / "stored"


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A copy, moved to where nobody has trained it."""
    return shutil.copytree(STORED, tmp_path / "stored")


def result_of(run_dir: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run_dir / "result.json").read_text())
    return content


def asked_again(run_dir: Path) -> DictConfig:
    """What the run's command composes to today."""
    return compose_train(yaml.safe_load((run_dir / ".hydra" / "overrides.yaml").read_text()), run_dir=run_dir)


def sweep_again(sweep_dir: Path) -> DictConfig:
    """What the sweep's command composes to today."""
    given = yaml.safe_load((sweep_dir / "multirun.yaml").read_text())["hydra"]["overrides"]
    own = [line for line in given["hydra"] if not line.startswith(("hydra.sweep.dir=", "hydra.mode="))]
    return composed(*own, *given["task"], f"hydra.sweep.dir={sweep_dir}", quiet=False)


def weights(run_dir: Path, name: str) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run_dir / "checkpoints" / f"{name}.ckpt", weights_only=True)[
        "state_dict"
    ]
    return state


@pytest.mark.parametrize("name", ["run", "sweep/0", "sweep/3", "stacked/1"])
def test_a_stored_run_evaluates_to_its_metrics(name: str, stored: Path) -> None:
    cfg = OmegaConf.create({"run": str(stored / name), "checkpoint": "best", "overrides": []})
    metrics = result_of(stored / name)["metrics"]
    expected = {key: value for key, value in metrics.items() if not key.startswith("train/")}
    measured = evaluate(cfg).metrics
    # later versions measure more
    assert {key: measured[key] for key in expected} == pytest.approx(expected, abs=1e-5)


def test_a_stored_run_is_drawn(stored: Path) -> None:
    asked = ["boundary", "confusion", "curves"]
    files = draw(OmegaConf.create({"run": str(stored / "run"), "checkpoint": None, "pictures": asked}))
    assert files == [stored / "run" / "plots" / f"{name}.png" for name in asked]
    assert all(file.stat().st_size > 0 for file in files)


def test_the_command_of_a_stored_run_returns_its_value(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.fit.fit", lambda *_args, **_kwargs: pytest.fail("trained again"))
    assert train(asked_again(stored / "run")) == result_of(stored / "run")["optimized_metric"]["value"]


@pytest.mark.slow
def test_a_stored_run_that_was_killed_goes_on_to_what_it_would_have_come_to(stored: Path, tmp_path: Path) -> None:
    killed, whole = stored / "interrupted", tmp_path / "whole"
    n_measured = len(read_metrics(killed / "metrics.csv")["epoch"])
    cfg = asked_again(killed)
    assert RunDir(killed).look(cfg) == "resume"
    train(cfg)
    cfg.run_dir = str(whole)
    train(cfg)
    rows, expected = ((path / "metrics.csv").read_text().splitlines() for path in (killed, whole))
    assert len(rows) == len(expected) == 21
    # to the last bit, unless this machine computes the epochs before the kill in another order of operations
    exact = rows[: n_measured + 1] == expected[: n_measured + 1]
    atol = 0.0 if exact else 1e-4
    if exact:
        assert rows == expected
    for name in ("best", "last"):
        resumed, straight = weights(killed, name), weights(whole, name)
        assert resumed.keys() == straight.keys()
        assert all(torch.allclose(resumed[key], straight[key], rtol=0, atol=atol) for key in resumed)
    assert result_of(killed)["metrics"] == pytest.approx(result_of(whole)["metrics"], rel=0, abs=atol)


@pytest.mark.parametrize(("name", "labels"), [("sweep", {"circle_v1", "mlp"}), ("stacked", {"all jobs"})])
def test_a_stored_sweep_reports_its_groups(name: str, labels: set[str], stored: Path) -> None:
    summary = report(OmegaConf.create({"sweep": str(stored / name), "metric": "test/accuracy"}))
    assert summary.is_complete
    assert {each.group.label for each in summary.groups} == labels
    for each in summary.groups:
        jobs = each.group.jobs
        expected = {job.seed: result_of(job.path)["metrics"]["test/accuracy"] for job in jobs}
        assert each.group.by_unit("test/accuracy") == expected == {seed: expected[seed] for seed in (0, 1)}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sweep", "stacked"])
def test_the_command_of_a_stored_sweep_finds_all_its_jobs_completed(name: str, stored: Path) -> None:
    n_jobs = len(list((stored / name).glob("*/result.json")))
    with hydra_at(CONF_DIR):
        config = sweep_again(stored / name)
        jobs = list(compose_jobs(config, expand(config) or []))
        assert len(jobs) == n_jobs
        with guarded(config):
            assert [RunDir(job.run_dir).look(job.cfg) for job in jobs] == ["completed"] * n_jobs
