"""A temperature that is fitted to a run, and what a run measures of its probabilities."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from scipy.optimize import minimize_scalar
from torch.nn import functional

from src.config.errors import ConfigError
from src.eval import evaluate
from src.predict import load
from src.run.directory import RunDir
from src.tasks.temperature import best_temperature, stored_temperature
from src.train import train
from src.vmap.planning.plan import plan
from src.vmap.train import StackOptions, train_stack
from tests.tasks.runs import small
from tests.vmap.stacked_jobs import make_jobs, result_of, train_alone

SMALL = ("callbacks=none", "logger=csv", "data.n_samples=60", "data.n_val=50", "trainer.max_epochs=60")
# with mistakes in validation, by which a temperature is fitted
OF_CIRCLES = (*SMALL, "data.noise=0.3", "optimizer=adam")
OF_BLOBS = (*SMALL, "data=blobs", "data.cluster_std=6", "model=mlp", "optimizer=adam", "optimizer.lr=0.05")


def asked(run: Path, **given: Any) -> DictConfig:
    return OmegaConf.create({"run": str(run), "checkpoint": "best", "overrides": [], "temperature": "fit", **given})


@pytest.mark.parametrize("k", [2, 5])
def test_the_temperature_is_the_one_that_makes_the_labels_likeliest(k: int) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        outputs = torch.tensor(rng.normal(size=(200, 1 if k == 2 else k)) * 10 ** rng.uniform(-1, 1))
        y = torch.tensor(rng.integers(k, size=200))
        clear = outputs.clone()
        if k == 2:
            clear[:, 0] += (2 * y - 1) * outputs.std()
        else:
            clear[torch.arange(200), y] += outputs.std()

        def nll(log_t: float, z: torch.Tensor = clear, y: torch.Tensor = y) -> float:
            scaled = z / np.exp(log_t)
            if k == 2:
                return functional.binary_cross_entropy_with_logits(scaled[:, 0], y.double()).item()
            return functional.cross_entropy(scaled, y).item()

        expected = minimize_scalar(nll, bounds=(np.log(0.01), np.log(100)), method="bounded", options={"xatol": 1e-9})
        assert best_temperature(clear, y) == pytest.approx(np.exp(expected.x), rel=1e-4), seed


def test_a_part_without_a_mistake_or_with_nothing_else_has_a_temperature_at_the_bound() -> None:
    outputs, y = torch.tensor([[1.0], [-1.0]], dtype=torch.float64), torch.tensor([1, 0])
    assert best_temperature(outputs, y) == 0.01
    assert best_temperature(-outputs, y) == 100


@pytest.mark.parametrize("given", [OF_CIRCLES, OF_BLOBS], ids=["binary", "multiclass"])
def test_a_temperature_is_fitted_printed_and_stored_beside_the_run(
    given: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(small(*given, run_dir=tmp_path))
    before = json.loads((tmp_path / "result.json").read_text())
    evaluate(asked(tmp_path))
    found = json.loads((tmp_path / "calibration.json").read_text())
    assert stored_temperature(RunDir(tmp_path), weights=found["weights"]) == found["temperature"] > 0
    # those of the run itself, and labels no less likely
    names = [f"{split}/{name}" for split in ("val", "test") for name in ("ece", "brier")]
    assert found["before"] == {name: pytest.approx(before["metrics"][name], abs=1e-6) for name in names}
    assert found["after"].keys() == found["before"].keys()
    said = capsys.readouterr().out
    assert "fitted on val" in said
    assert str(tmp_path / "calibration.json") in said.replace("\n", "")
    assert json.loads((tmp_path / "result.json").read_text()) == before


def test_a_temperature_of_other_weights_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert stored_temperature(run, weights="last epoch") is None
    train(small(*OF_CIRCLES, run_dir=tmp_path))
    evaluate(asked(tmp_path, checkpoint="last"))
    assert stored_temperature(run, weights="last epoch") is not None
    with pytest.raises(ConfigError, match=r"calibration\.json cannot be read: it is of other weights than these"):
        stored_temperature(run, weights="best, epoch 3")
    for text in ("{", '{"format": 1, "temperature": "x"}', '{"format": 1, "temperature": 0}', '{"format": 2}'):
        run.calibration_file.write_text(text)
        with pytest.raises(ConfigError, match=r"calibration\.json cannot be read"):
            stored_temperature(run, weights="last epoch")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"temperature": "fitt"}, "temperature=fitt: allowed: fit, or null for none"),
        ({"overrides": ["data.noise=0.2"]}, "for the run as it is stored; leave out data.noise=0.2"),
    ],
)
def test_what_cannot_be_fitted_is_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    train(small(*SMALL, run_dir=tmp_path))
    with pytest.raises(ConfigError, match=said):
        evaluate(asked(tmp_path, **changes))
    assert not (tmp_path / "calibration.json").exists()


@pytest.mark.parametrize("more", [OF_CIRCLES, OF_BLOBS])
def test_predictions_have_the_temperature_that_was_fitted(more: tuple[str, ...], tmp_path: Path) -> None:
    run, points = tmp_path / "run", np.random.default_rng(0).normal(size=(20, 2))
    train(small(*more, run_dir=run))
    before, last = load(run)(points), load(run, checkpoint="last")(points)
    evaluate(asked(run))
    temperature = json.loads((run / "calibration.json").read_text())["temperature"]
    assert temperature != pytest.approx(1, abs=0.01)
    after = load(run)(points)
    scaled = np.log(before) / temperature
    expected = np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(after, expected, atol=1e-6)
    assert (after.argmax(1) == before.argmax(1)).all()
    # of other weights it says nothing
    np.testing.assert_array_equal(load(run, checkpoint="last")(points), last)


def test_a_temperature_at_its_bound_is_said_and_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    train(small(*SMALL, run_dir=tmp_path))
    monkeypatch.setattr("src.tasks.temperature.best_temperature", lambda *_: 0.01)
    with caplog.at_level(logging.WARNING):
        evaluate(asked(tmp_path))
    assert "no temperature fits a part that is answered without a mistake" in caplog.text
    assert not (tmp_path / "calibration.json").exists()


def test_a_regression_has_no_temperature(tmp_path: Path) -> None:
    train(small("callbacks=none", "data=line", "model=line", "trainer.max_epochs=2", run_dir=tmp_path))
    with pytest.raises(ConfigError, match="only classifications have probabilities"):
        evaluate(asked(tmp_path))
    assert not any("ece" in name for name in json.loads((tmp_path / "result.json").read_text())["metrics"])


def test_an_evaluation_without_it_leaves_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train(small(*SMALL, run_dir=tmp_path))
    with caplog.at_level(logging.INFO):
        measured = evaluate(asked(tmp_path, temperature=None))
    assert measured.metrics["test/ece"] == json.loads((tmp_path / "result.json").read_text())["metrics"]["test/ece"]
    assert not (tmp_path / "calibration.json").exists()


@pytest.mark.parametrize("given", [OF_CIRCLES, OF_BLOBS], ids=["binary", "multiclass"])
def test_stacked_runs_have_the_numbers_of_single_ones(given: tuple[str, ...], tmp_path: Path) -> None:
    jobs = make_jobs((*given[:-1], "trainer.max_epochs=5"), [("seed=1",), ("seed=2",)], tmp_path / "stacked")
    train_alone(jobs, tmp_path / "single")
    (stack,) = plan(jobs).stacks
    train_stack(stack.jobs, StackOptions())
    for job in jobs:
        alone, found = result_of(tmp_path / "single" / str(job.number))["metrics"], result_of(job.run_dir)["metrics"]
        for name in ("val/ece", "test/ece", "val/brier", "test/brier"):
            assert found[name] == pytest.approx(alone[name], abs=1e-5), name
