"""Blocks, unless something wants what Lightning documents."""

import inspect
from pathlib import Path

import lightning.pytorch as pl
import pytest
from lightning.pytorch import callbacks
from omegaconf import open_dict

from src.build import build
from src.checks.loop import ELSEWHERE, IN_BLOCKS, IN_STEPS, REFUSED, is_content
from src.config.errors import ConfigError
from src.tasks.base import Task
from tests.tasks.runs import small

# What each of Lightning's callbacks gets, or why it is no callback that one adds.
BLOCKS = {"ModelSummary", "RichModelSummary"}
NONE = {"BatchSizeFinder", "LearningRateFinder"}
STEPS = {
    *("BackboneFinetuning", "BaseFinetuning", "DeviceStatsMonitor", "EarlyStopping"),
    *("GradientAccumulationScheduler", "LambdaCallback", "LearningRateMonitor"),
    *("ModelCheckpoint", "ModelPruning", "OnExceptionCheckpoint", "RichProgressBar", "StochasticWeightAveraging"),
    *("SpikeDetection", "ThroughputMonitor", "Timer", "TQDMProgressBar", "EMAWeightAveraging", "WeightAveraging"),
    *("BasePredictionWriter", "Callback", "Checkpoint", "ProgressBar"),
}


def test_every_callback_of_lightning_is_decided() -> None:
    assert {*BLOCKS, *STEPS, *NONE} == set(callbacks.__all__)
    assert {kind.__name__ for kind in REFUSED} == NONE
    made = [kind for name in callbacks.__all__ if (kind := getattr(callbacks, name))]
    content = {kind.__name__ for kind in made if is_content(object.__new__(kind))}
    assert content == BLOCKS


def test_every_flag_of_the_trainer_is_decided_once() -> None:
    flags = [*IN_BLOCKS, *IN_STEPS, *ELSEWHERE]
    assert sorted(flags) == sorted(inspect.signature(pl.Trainer).parameters)


@pytest.mark.parametrize("flag", sorted(ELSEWHERE))
def test_a_flag_that_another_key_sets_is_refused_with_that_key(flag: str, tmp_path: Path) -> None:
    cfg = small(run_dir=tmp_path)
    with open_dict(cfg):
        cfg.trainer[flag] = False
    key = ELSEWHERE[flag].split("=")[0]
    with pytest.raises(ConfigError, match=rf"trainer\.{flag}=False belongs to another key: {key}="):
        build(cfg)


WANTING = {
    "accumulate_grad_batches": 2,
    "check_val_every_n_epoch": 2,
    "gradient_clip_algorithm": "value",
    "gradient_clip_val": 0.5,
    "log_every_n_steps": 5,
    "max_time": "00:01:00:00",
    "min_steps": 3,
    "num_sanity_val_steps": 0,
    "profiler": "simple",
    "reload_dataloaders_every_n_epochs": 1,
    "val_check_interval": 1,
}


def built(tmp_path: Path, *overrides: str, **flags: object) -> Task:
    cfg = small(*overrides, run_dir=tmp_path)
    with open_dict(cfg):
        cfg.trainer.update(flags)
    task = build(cfg).task
    assert isinstance(task, Task)
    return task


def test_each_flag_that_wants_steps_is_tried() -> None:
    assert set(WANTING) == set(IN_STEPS)


@pytest.mark.parametrize("flag", WANTING)
def test_a_flag_that_wants_steps_gets_them_and_is_named(
    flag: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        assert not built(tmp_path, **{flag: WANTING[flag]}).trains_in_blocks
    assert f"training in steps, as Lightning documents them, for trainer.{flag}={WANTING[flag]}" in caplog.text
    with pytest.raises(
        ConfigError, match=rf"task\.loop=blocks cannot do trainer\.{flag}={WANTING[flag]}; task\.loop=auto"
    ):
        built(tmp_path, "task.loop=blocks", **{flag: WANTING[flag]})


def test_a_run_that_nothing_looks_at_trains_in_blocks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert built(tmp_path, "callbacks=default", "logger=default").trains_in_blocks
        assert built(tmp_path, check_val_every_n_epoch=1, accumulate_grad_batches=1).trains_in_blocks
        assert built(tmp_path, "callbacks=early_stopping").trains_in_blocks
        assert built(tmp_path, "callbacks=histograms").trains_in_blocks
    assert "steps" not in caplog.text


def test_steps_can_be_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not built(tmp_path, "task.loop=steps").trains_in_blocks
    assert "training in steps" not in caplog.text


@pytest.mark.parametrize("name", sorted(NONE))
def test_what_would_change_the_configuration_is_refused_with_what_does_it(name: str, tmp_path: Path) -> None:
    cfg = small(run_dir=tmp_path)
    cfg.callbacks = {"finder": {"_target_": f"lightning.pytorch.callbacks.{name}"}}
    with pytest.raises(
        ConfigError, match=rf"^callbacks\.finder \({name}\) would change .*: (data\.batch_size|optimizer\.lr) is"
    ):
        build(cfg)


IMPOSSIBLE = {
    "val_check_interval": (9, r"trainer\.val_check_interval=9 .* 3 training batches .*at most 3"),
    "check_val_every_n_epoch": (9, r"trainer\.check_val_every_n_epoch=9 never validates in trainer\.max_epochs=4"),
}


@pytest.mark.parametrize("flag", IMPOSSIBLE)
def test_a_validation_that_cannot_come_is_refused_before_training(flag: str, tmp_path: Path) -> None:
    value, words = IMPOSSIBLE[flag]
    cfg = small("data.batch_size=300", "trainer.max_epochs=4", run_dir=tmp_path)
    with open_dict(cfg):
        cfg.trainer[flag] = value
        cfg.callbacks = {
            "stop": {"_target_": "src.callbacks.early_stopping.EarlyStopping", "monitor": "val/loss", "patience": 1}
        }
    with pytest.raises(ConfigError, match=words):
        build(cfg)


def test_a_callback_that_wants_a_part_that_no_task_has_is_refused(tmp_path: Path) -> None:
    cfg = small(run_dir=tmp_path)
    with open_dict(cfg):
        cfg.callbacks = {"fine": {"_target_": "lightning.pytorch.callbacks.BackboneFinetuning"}}
    with pytest.raises(ConfigError, match=r"callbacks\.fine \(BackboneFinetuning\) freezes the attribute `backbone`"):
        build(cfg)


def test_what_lightning_refuses_at_the_start_of_training_is_one_message(tmp_path: Path) -> None:
    cfg = small(run_dir=tmp_path)
    with open_dict(cfg):
        cfg.callbacks = {
            "average": {
                "_target_": "lightning.pytorch.callbacks.GradientAccumulationScheduler",
                "scheduling": {0: 2},
            }
        }
        cfg.trainer.accumulate_grad_batches = 3
    with pytest.raises(ConfigError, match="Lightning refuses to train"):
        build(cfg).fit()


@pytest.mark.parametrize("every", [0.5, 0.7, 1, 4])
def test_a_validation_that_ends_every_epoch_goes_without_a_word(
    every: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # four batches, of which a share is rounded down
    built(tmp_path, "data.batch_size=200", val_check_interval=every)
    assert "in the middle of epochs" not in caplog.text


@pytest.mark.parametrize("every", [0.9, 3])
def test_a_validation_in_the_middle_of_epochs_is_told(
    every: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    built(tmp_path, "data.batch_size=200", val_check_interval=every)
    assert f"trainer.val_check_interval={every} measures in the middle of epochs" in caplog.text
