"""One run from configuration to run directory, and the lessons that the runs teach."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from src.config.compose import compose_train
from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.run.lock import locked
from src.train import train
from tests.slow import slow

QUIET = ["callbacks=none", "logger=none"]
SHORT = "trainer.max_epochs=12"


def result_of(run_dir: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((run_dir / "result.json").read_text())
    return result


def final(run_dir: Path, *overrides: str) -> dict[str, float]:
    """Metrics of a run."""
    train(compose_train([*QUIET, *overrides], run_dir=run_dir))
    metrics: dict[str, float] = result_of(run_dir)["metrics"]
    return metrics


def weights(run_dir: Path, name: str = "last") -> dict[str, torch.Tensor]:
    checkpoint = torch.load(run_dir / "checkpoints" / f"{name}.ckpt", weights_only=True)
    state: dict[str, torch.Tensor] = checkpoint["state_dict"]
    return state


# The run directory


def test_a_run_leaves_everything_that_the_run_directory_promises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value = train(compose_train([SHORT], run_dir=tmp_path))
    for name in (
        ".hydra/begun.txt",
        ".hydra/config.yaml",
        ".hydra/overrides.yaml",
        "metrics.csv",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "plots/boundary.png",
        "plots/confusion.png",
        "plots/calibration.png",
        "result.json",
    ):
        assert (tmp_path / name).stat().st_size > 0, name
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))
    result = result_of(tmp_path)
    assert result["status"] == "completed"
    assert result["optimized_metric"] == {"name": "val/loss", "value": value}
    assert result["metrics"]["val/loss"] == value
    assert result["seed"] == 42
    assert result["device"] == "cpu"
    assert result["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert set(result["git"]) == {"commit", "dirty"}
    assert [row["support"] for row in result["per_class"]] == [100, 100]
    out = capsys.readouterr().out
    told = (tmp_path / "train.log").read_text() if (tmp_path / "train.log").exists() else out
    assert "picked by trainer.accelerator=auto" in told or "results" in out
    assert f"{result['metrics']['test/accuracy']:.4f}" in out
    assert str(tmp_path) in out


@pytest.mark.slow
def test_regression_leaves_a_picture_of_predictions(tmp_path: Path) -> None:
    train(compose_train(["data=line", "model=line", SHORT], run_dir=tmp_path))
    assert (tmp_path / "plots" / "predictions.png").stat().st_size > 0
    metrics = result_of(tmp_path)["metrics"]
    assert {"test/loss", "test/mae", "test/mse", "test/r2"} <= set(metrics)
    assert metrics["test/loss"] == pytest.approx(metrics["test/mae"], abs=1e-6)


@pytest.mark.slow
def test_tensorboard_holds_scalars_pictures_config_and_hparams(tmp_path: Path) -> None:
    train(compose_train([SHORT, "optimizer.lr=0.03"], run_dir=tmp_path))
    events = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    assert {"train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr"} <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("val/loss")] == list(range(12))
    assert {"boundary", "confusion"} <= set(tags["images"])
    text = events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "noise: 0.03" in text
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert start.hparams["optimizer.lr"].number_value == 0.03
    assert start.hparams["model.name"].string_value == "circle_v2"
    assert events.Scalars("whole/test/accuracy")[-1].value == pytest.approx(
        result_of(tmp_path)["metrics"]["test/accuracy"]
    )


def test_a_completed_run_returns_its_value_without_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = compose_train([*QUIET, SHORT], run_dir=tmp_path)
    value = train(cfg)
    monkeypatch.setattr("src.fit.fit", lambda *_args, **_kwargs: pytest.fail("trained again"))
    assert train(cfg) == value


def test_another_configuration_is_refused_and_leaves_the_directory_as_it_was(tmp_path: Path) -> None:
    train(compose_train([*QUIET, SHORT], run_dir=tmp_path))
    before = (tmp_path / ".hydra" / "config.yaml").read_text()
    with pytest.raises(ConfigError, match=r"data\.noise: stored 0\.03, given 0\.1"):
        train(compose_train([*QUIET, SHORT, "data.noise=0.1"], run_dir=tmp_path))
    assert (tmp_path / ".hydra" / "config.yaml").read_text() == before
    assert result_of(tmp_path)["status"] == "completed"


def test_a_directory_where_another_command_trains_is_left_alone(tmp_path: Path) -> None:
    cfg = compose_train([*QUIET, SHORT], run_dir=tmp_path)
    with locked(tmp_path, key="run_dir"), pytest.raises(ConfigError, match=f"run_dir={tmp_path}: another command"):
        train(cfg)
    assert not list(tmp_path.iterdir())


def test_a_failed_run_records_its_error_and_starts_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = compose_train([*QUIET, SHORT], run_dir=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("src.fit.measure", lambda *_args, **_kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(cfg)
    failed = result_of(tmp_path)
    assert failed["status"] == "failed"
    assert failed["error"]["type"] == "ZeroDivisionError"
    assert "measure" in failed["error"]["traceback"]
    assert RunDir(tmp_path).claim(cfg) == "fresh"
    train(cfg)
    assert result_of(tmp_path)["status"] == "completed"


def test_a_part_that_exits_does_not_pass_for_a_run_that_has_ended_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.fit.build", lambda _: sys.exit())
    with pytest.raises(ConfigError, match=r"have called sys\.exit\(\), before its end"):
        train(compose_train([], run_dir=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_diverging_run_fails_with_the_epoch_and_a_hint(tmp_path: Path) -> None:
    overrides = ["data=line", "model=line", "loss=mse", "optimizer.lr=1000", SHORT]
    with pytest.raises(RuntimeError, match=r"at epoch \d+; last finite value: .* at epoch \d+\. Try a smaller optim"):
        train(compose_train([*QUIET, *overrides], run_dir=tmp_path))
    assert result_of(tmp_path)["error"]["type"] == "NonFiniteLossError"


# What a seed decides


def test_seed_zero_is_a_seed_like_any_other(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        final(tmp_path / name, SHORT, f"seed={seed}")
    a, b, c = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not all(torch.equal(a[key], c[key]) for key in a)


@pytest.mark.slow
def test_evaluate_chooses_the_weights_that_are_tested(tmp_path: Path) -> None:
    # a learning rate at which validation gets worse again, so that best and last differ
    shared = ["optimizer.lr=3", "trainer.max_epochs=60", "optimizer.momentum=0.9"]
    best = final(tmp_path / "best", *shared, "evaluate=best")
    last = final(tmp_path / "last", *shared, "evaluate=last")
    assert best["val/loss"] < last["val/loss"]


# The lesson


@pytest.mark.parametrize("hidden", ["[10,10]", *slow("[5]", "[64,64,64]")])
def test_linear_networks_stay_at_chance_on_circles_whatever_their_size(hidden: str, tmp_path: Path) -> None:
    overrides = ["model=mlp", f"model.net.hidden={hidden}", "model.net.activation=identity", "optimizer=adam"]
    assert final(tmp_path, *overrides, "trainer.max_epochs=300")["test/accuracy"] <= 0.60


@pytest.mark.parametrize("seed", [42, *slow(0, 1)])
def test_a_relu_network_separates_the_circles(seed: int, tmp_path: Path) -> None:
    overrides = ["model=mlp", "optimizer=adam", "trainer.max_epochs=500", f"seed={seed}"]
    assert final(tmp_path, *overrides)["test/accuracy"] >= 0.99


@pytest.mark.parametrize("activation", ["identity", "relu"])
@pytest.mark.slow
def test_blobs_need_no_non_linearity(activation: str, tmp_path: Path) -> None:
    overrides = ["data=blobs", "model=blob", f"model.net.activation={activation}"]
    assert final(tmp_path, *overrides)["test/accuracy"] >= 0.98


@pytest.mark.slow
def test_the_line_is_fitted_beyond_its_training_points(tmp_path: Path) -> None:
    overrides = ["data=line", "model=line", "optimizer=adam", "scheduler=cosine", "trainer.max_epochs=1000"]
    assert final(tmp_path, *overrides)["test/loss"] < 0.01
