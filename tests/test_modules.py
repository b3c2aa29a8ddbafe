"""LightningModules of one's own with any LightningDataModule."""

import csv
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from src.build import build
from src.config.compose import compose_train
from src.config.errors import ConfigError
from src.eval import evaluate
from src.run.directory import RunDir
from src.sweep.jobs import Job
from src.tasks.checkpoint import load_checkpoint
from src.train import train
from src.vmap.planning.plan import plan
from tests.tasks.runs import interrupted

QUIET = ("trainer=cpu", "logger=csv", "callbacks.summary=null", "callbacks.progress=null", "trainer.max_epochs=4")


class Lines(pl.LightningDataModule):
    """Points on a line; nothing to test on."""

    def __init__(self, *, n: int = 40) -> None:
        super().__init__()
        x = torch.linspace(0, 1, n).unsqueeze(1)
        self.points = TensorDataset(x, 2 * x - 1)

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.points, batch_size=8, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.points, batch_size=40)


class Slope(pl.LightningModule):
    """Logs names of its own."""

    def __init__(self, *, lr: float = 0.1) -> None:
        super().__init__()
        self.layer, self.dropout, self.lr = nn.Linear(1, 1), nn.Dropout(0.1), lr

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:  # noqa: ARG002
        x, y = batch
        loss: Tensor = (self.layer(self.dropout(x)) - y).square().mean()
        self.log("train_mse", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        x, y = batch
        self.log("val_mse", (self.layer(x) - y).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.5)


OWN = (
    "module=digits_cnn",
    "module._target_=tests.test_modules.Slope",
    "~module.channels",
    "~module.dropout",
    "data._target_=tests.test_modules.Lines",
    "~data.batch_size",
    "~data.num_workers",
    "~data.split_seed",
    "optimized_metric=val_mse",
    "callbacks.checkpoint.monitor=val_mse",
)


def own(tmp_path: Path, *overrides: str) -> DictConfig:
    return compose_train([*OWN, *QUIET, *overrides], run_dir=tmp_path)


def ends(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def rows_of(run_dir: Path) -> list[dict[str, str]]:
    with (run_dir / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_data_that_lie_in_memory_come_to_any_module_as_pairs_of_inputs_and_targets(tmp_path: Path) -> None:
    given = [each for each in OWN if not each.startswith(("data.", "~data."))]
    train(compose_train([*given, "data=line", "data.batch_size=16", *QUIET], run_dir=tmp_path))
    result = RunDir(tmp_path).result()
    assert result is not None
    assert result.metrics["val_mse"] == pytest.approx(0, abs=0.2)
    # 80 points in batches of 16
    assert [row["step"] for row in rows_of(tmp_path)] == ["5", "10", "15", "20"]


@pytest.mark.slow
def test_digits_are_learnt_by_a_network_as_tutorials_have_it(tmp_path: Path) -> None:
    cfg = compose_train(["module=digits_cnn", *QUIET, "trainer.max_epochs=10"], run_dir=tmp_path)
    train(cfg)
    result = RunDir(tmp_path).result()
    assert result is not None
    assert (result.metrics["test/accuracy"] or 0) > 0.9
    assert [row["epoch"] for row in rows_of(tmp_path)] == [str(epoch) for epoch in range(10)]
    evaluated = evaluate(OmegaConf.create({"run": str(tmp_path), "checkpoint": "best", "overrides": []}))
    assert evaluated.metrics == pytest.approx({k: v for k, v in result.metrics.items() if not k.startswith("train")})


def test_what_a_module_logs_is_what_a_run_leaves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        value = train(own(tmp_path))
    result = RunDir(tmp_path).result()
    assert result is not None
    assert result.metrics.keys() == {"train_mse", "val_mse"}
    assert value == result.metrics["val_mse"] == pytest.approx(min(float(row["val_mse"]) for row in rows_of(tmp_path)))
    assert [(row["epoch"], row["step"]) for row in rows_of(tmp_path)] == [(str(i), str(5 * i + 5)) for i in range(4)]
    assert "no test: Slope has no test_step" in caplog.text


def test_an_interrupted_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    more = ("trainer.max_epochs=8", "callbacks.checkpoint.every_s=0")
    train(own(tmp_path / "whole", *more))
    for epoch in (3, 5):
        interrupted(own(tmp_path / "parts", *more), epoch=epoch)
    train(own(tmp_path / "parts", *more))
    assert rows_of(tmp_path / "parts") == rows_of(tmp_path / "whole")
    for name in ("best", "last"):
        found, expected = (
            load_checkpoint(tmp_path / way / "checkpoints" / f"{name}.ckpt")["state_dict"] for way in ("parts", "whole")
        )
        assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_a_run_that_is_killed_before_its_result_has_that_of_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # validation at every second epoch only: a row in between has the value before
    more = ("+trainer.check_val_every_n_epoch=2", "callbacks.checkpoint.every_s=0")
    train(own(tmp_path / "whole", *more))
    with monkeypatch.context() as patch:
        patch.setattr("src.fit.measure", ends)
        with pytest.raises(KeyboardInterrupt):
            train(own(tmp_path / "parts", *more))
    train(own(tmp_path / "parts", *more))
    interrupted(own(tmp_path / "between", *more), epoch=2)
    train(own(tmp_path / "between", *more))
    results = {way: RunDir(tmp_path / way).result() for way in ("whole", "parts", "between")}
    assert results["whole"] is not None
    for way in ("parts", "between"):
        result = results[way]
        assert result is not None
        assert result.metrics == results["whole"].metrics
        assert rows_of(tmp_path / way) == rows_of(tmp_path / "whole")


def test_a_metric_that_is_never_logged_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"optimized_metric=val_loss was not logged by module; logged: train_mse, val_mse"
    ):
        train(own(tmp_path, "optimized_metric=val_loss"))


def test_a_monitor_that_is_never_logged_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"callbacks\.checkpoint\.monitor=val_loss is not measured.*train_mse, val_mse"
    ):
        train(own(tmp_path, "callbacks.checkpoint.monitor=val_loss", "callbacks.checkpoint.mode=min"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer=sgd", r"^optimizer.*: the module brings its own; give optimizer=none, or leave module out"),
        ("model=mlp", r"^model.*: the module brings its own; give model=none"),
        ("callbacks=default", r"^callbacks\.pictures.*callbacks\.pictures=null leaves it out, callbacks=module all"),
        ("module.lrr=1", r"module\.lrr"),
        (
            "data._target_=torch.nn.Linear",
            r"^data\._target_=torch\.nn\.Linear makes a Linear; allowed: a LightningDataModule",
        ),
    ],
)
def test_what_does_not_go_with_a_module_is_refused(override: str, message: str, tmp_path: Path) -> None:
    own_data = ("+data.in_features=1", "+data.out_features=1") if "Linear" in override else ()
    with pytest.raises(ConfigError, match=message):
        build(compose_train([*OWN, *QUIET, override, *own_data], run_dir=tmp_path))


def test_a_callback_that_looks_at_a_task_is_left_out_with_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        built = build(own(tmp_path, "callbacks=default", "callbacks.pictures=null"))
    assert "callbacks.hints looks at a task of this project, and is left out" in caplog.text
    kinds = {type(each).__name__ for each in built.trainer.callbacks}  # type: ignore[attr-defined]
    assert "Hints" not in kinds
    assert "BestAndLast" in kinds


def test_jobs_with_a_module_run_one_by_one_in_a_stacked_sweep(tmp_path: Path) -> None:
    jobs = [
        Job.of(i, (f"seed={i}",), own(tmp_path / str(i), f"seed={i}"), OmegaConf.create({"hydra": {"job": {"num": i}}}))
        for i in range(2)
    ]
    assert [reason for _, reason in plan(jobs).single] == ["module=... trains by itself"] * 2
