"""What checkpoints keep of a LightningModule of one's own, and that the best weights are those that are measured."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from src.build import build
from src.config.compose import compose_train
from src.config.errors import ConfigError
from src.eval import evaluate
from src.run.directory import RunDir
from src.tasks.checkpoint import hyper_parameters, load_checkpoint
from src.train import train
from tests.tasks.runs import interrupted
from tests.test_modules import Slope, own, rows_of

EMA = "+callbacks.ema={_target_: lightning.pytorch.callbacks.EMAWeightAveraging, decay: 0.5}"
CHECKPOINTS = "+callbacks.mine={_target_: lightning.pytorch.callbacks.ModelCheckpoint, monitor: val_mse, save_top_k: 2}"


class Grows(Slope):
    """The first epoch is the best by ``val_age``; logs its weights, and axes of its own."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        super().validation_step(batch, batch_idx)
        self.log("val_age", float(self.current_epoch))
        self.log("val_weight", self.layer.weight.sum())
        self.log("epoch", 0.5)
        self.log("step", float(self.current_epoch))


class Remembers(Grows):
    """Keeps something beside weights, by Lightning's hooks, and arguments by its method."""

    def __init__(self, *, lr: float = 0.1, width: int = 1) -> None:
        super().__init__(lr=lr)
        self.save_hyperparameters()
        self.layer = nn.Linear(1, width)
        self.ages: list[int] = []

    def on_train_epoch_end(self) -> None:
        self.ages.append(self.current_epoch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["ages"] = self.ages

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.ages = list(checkpoint["ages"])

    def on_validation_epoch_end(self) -> None:
        self.log("val_ages", float(len(self.ages)))


class LayersInSetup(Slope):
    """Makes its layers where Lightning offers to."""

    def __init__(self, *, lr: float = 0.1) -> None:
        super().__init__(lr=lr)
        del self.layer

    def setup(self, stage: str) -> None:  # noqa: ARG002
        self.layer = nn.Linear(1, 1)


def module(cls: type) -> tuple[str]:
    return (f"module._target_={__name__}.{cls.__name__}",)


def metrics_of(run_dir: Path) -> dict[str, float | None]:
    result = RunDir(run_dir).result()
    assert result is not None
    return dict(result.metrics)


def again(run_dir: Path, checkpoint: str = "best") -> dict[str, float]:
    given = {"run": str(run_dir), "checkpoint": checkpoint, "overrides": [], "trusted_modules": ["tests"]}
    return evaluate(OmegaConf.create(given)).metrics


BARE = ("trainer=cpu", "logger=csv", "callbacks=none", "trainer.max_epochs=2")
FIRST = ("callbacks.checkpoint.monitor=val_age", "callbacks.checkpoint.mode=min")


@pytest.mark.parametrize("more", [(), (EMA,)], ids=["plain", "averaged"])
def test_the_best_weights_are_those_of_their_epoch(more: tuple[str, ...], tmp_path: Path) -> None:
    train(own(tmp_path, *module(Grows), *FIRST, *more))
    first, last = rows_of(tmp_path)[0], rows_of(tmp_path)[-1]
    assert first["val_weight"] != last["val_weight"]
    stored = load_checkpoint(tmp_path / "checkpoints/best.ckpt")["state_dict"]["layer.weight"]
    assert stored.sum().item() == pytest.approx(float(first["val_weight"]))
    for found in (metrics_of(tmp_path), again(tmp_path)):
        assert found["val_weight"] == pytest.approx(float(first["val_weight"]))


@pytest.mark.slow
def test_the_best_averages_of_a_task_are_those_of_their_epoch(tmp_path: Path) -> None:
    # the rate is so high that the loss grows in the end
    given = ("optimizer=adam", "optimizer.lr=0.1", "trainer.max_epochs=60", "logger=csv", "callbacks=none", EMA)
    train(compose_train(["trainer=cpu", "data.n_val=50", *given], run_dir=tmp_path))
    rows = rows_of(tmp_path)
    best = min(float(row["val/loss"]) for row in rows if row["val/loss"])
    assert best < float(rows[-1]["val/loss"])
    for found in (metrics_of(tmp_path), again(tmp_path)):
        assert found["val/loss"] == pytest.approx(best, rel=1e-5)


def test_the_axis_of_the_table_is_the_runs_own(tmp_path: Path) -> None:
    train(own(tmp_path, *module(Grows)))
    assert [(row["epoch"], row["step"]) for row in rows_of(tmp_path)] == [(str(i), str(5 * i + 5)) for i in range(4)]


def test_what_a_module_keeps_beside_weights_is_that_of_the_weights(tmp_path: Path) -> None:
    train(own(tmp_path, *module(Remembers), *FIRST))
    kept = {name: load_checkpoint(tmp_path / f"checkpoints/{name}.ckpt")["ages"] for name in ("best", "last")}
    assert kept == {"best": [0], "last": [0, 1, 2, 3]}
    assert metrics_of(tmp_path)["val_ages"] == again(tmp_path)["val_ages"] == 1
    assert again(tmp_path, "last")["val_ages"] == 4


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_module_is_loaded_with_its_arguments(name: str, tmp_path: Path) -> None:
    train(own(tmp_path, *module(Remembers), "+module.width=3"))
    loaded = Remembers.load_from_checkpoint(tmp_path / f"checkpoints/{name}.ckpt", weights_only=True)
    assert dict(loaded.hparams)["width"] == 3
    assert loaded.layer.out_features == 3


def test_arguments_that_only_code_can_make_are_left_out() -> None:
    part = Remembers(width=3)
    part.hparams["net"], part.hparams["sizes"] = nn.Linear(1, 1), {"a": [1, (2.0, None)]}
    assert hyper_parameters(part) == {
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 0.1, "width": 3, "sizes": {"a": [1, (2.0, None)]}},
    }


def test_layers_that_are_made_in_setup_are_measured_as_they_were_trained(tmp_path: Path) -> None:
    train(own(tmp_path, *module(LayersInSetup)))
    best = min(float(row["val_mse"]) for row in rows_of(tmp_path))
    assert metrics_of(tmp_path)["val_mse"] == again(tmp_path)["val_mse"] == pytest.approx(best)


def test_an_interrupted_run_leaves_the_files_that_a_whole_one_leaves(tmp_path: Path) -> None:
    found = []
    for name in ("whole", "interrupted"):
        cfg = own(tmp_path / name, CHECKPOINTS, "callbacks.checkpoint.every_s=0")
        if name == "interrupted":
            interrupted(cfg, epoch=2)
        train(cfg)
        found.append(sorted(path.name for path in (tmp_path / name / "checkpoints").iterdir()))
    assert found[0] == found[1]
    assert torch.is_tensor(load_checkpoint(tmp_path / "whole/checkpoints" / found[0][0])["state_dict"]["layer.weight"])


def test_files_of_the_names_of_the_runs_own_have_a_folder_of_their_own(tmp_path: Path) -> None:
    lowest = "monitor: val_mse, filename: best, save_last: true"
    node = f"+callbacks.mine={{_target_: lightning.pytorch.callbacks.ModelCheckpoint, {lowest}}}"
    train(own(tmp_path, node, *FIRST, *module(Grows)))
    checkpoints = tmp_path / "checkpoints"
    assert {str(path.relative_to(checkpoints)) for path in checkpoints.rglob("*.ckpt")} == {
        *("best.ckpt", "last.ckpt", "ModelCheckpoint/best.ckpt", "ModelCheckpoint/last.ckpt")
    }
    best = min(rows_of(tmp_path), key=lambda row: float(row["val_mse"]))
    for name, row in (("best", rows_of(tmp_path)[0]), ("ModelCheckpoint/best", best)):
        weight = load_checkpoint(checkpoints / f"{name}.ckpt")["state_dict"]["layer.weight"]
        assert weight.sum().item() == pytest.approx(float(row["val_weight"]))


def test_the_logger_of_a_module_draws(tmp_path: Path) -> None:
    built = build(own(tmp_path, "logger=default"))
    first, second = (getattr(logger, "experiment", None) for logger in built.trainer.loggers)
    assert hasattr(first, "add_image")
    assert second is not None


def test_a_module_whose_file_fails_is_named_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_done.py").write_text("class Net: ...\n\n1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    expected = r"module\._target_=half_done\.Net fails .*: ZeroDivisionError: .*half_done\.py, line 3"
    with pytest.raises(ConfigError, match=expected):
        train(own(tmp_path, "module._target_=half_done.Net", "~module.lr"))


def test_nothing_to_train_on_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING"):
        train(compose_train([*BARE, "+trainer.limit_train_batches=0"], run_dir=tmp_path))
    assert "trainer.limit_train_batches=0: nothing was trained" in caplog.text
