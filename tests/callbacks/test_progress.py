"""The progress bar: what it counts, and that it leaves the terminal as it was."""

import io
import re
import threading
from pathlib import Path

import pytest
from omegaconf import open_dict
from rich.console import Console
from rich.progress import MofNCompleteColumn

from src.build import Built, build
from src.callbacks.progress import EpochBar, _LiveProgress
from src.tasks.base import NonFiniteLossError
from tests.tasks.runs import fit, small


def with_bar(*overrides: str, run_dir: Path) -> Built:
    cfg = small("data.n_samples=50", "trainer.max_epochs=7", *overrides, run_dir=run_dir)
    with open_dict(cfg):
        cfg.callbacks.progress = {"_target_": "src.callbacks.progress.EpochBar"}
    return build(cfg)


def train(built: Built) -> None:
    built.trainer.fit(built.task, datamodule=built.datamodule)


def test_a_pipe_gets_the_finished_bar_without_control_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(with_bar(run_dir=tmp_path))
    text = capsys.readouterr().out
    assert re.search(r"\b7/7\b", text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    assert all(len(line) <= 80 for line in text.splitlines())


def test_it_shows_the_latest_validation_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    built = with_bar(run_dir=tmp_path)
    train(built)
    shown = " ".join(capsys.readouterr().out.split())
    for name in ("val/loss", "val/accuracy"):
        assert f"{name} {built.trainer.callback_metrics[name]:.4f}" in shown


def test_disabled_it_shows_nothing_and_enabled_again_it_shows_the_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = with_bar(run_dir=tmp_path)
    bar = built.trainer.progress_bar_callback
    assert isinstance(bar, EpochBar)
    bar.disable()
    train(built)
    assert capsys.readouterr().out == ""
    bar.enable()
    built = with_bar(run_dir=tmp_path)
    train(built)
    assert "7/7" in capsys.readouterr().out


def test_an_error_gives_the_terminal_back(tmp_path: Path) -> None:
    built = with_bar("optimizer.lr=1e12", "trainer.max_epochs=30", run_dir=tmp_path)
    with pytest.raises(NonFiniteLossError):
        train(built)
    bar = built.trainer.progress_bar_callback
    assert isinstance(bar, EpochBar)
    assert bar._progress is None
    assert threading.active_count() == len([t for t in threading.enumerate() if "_Refresh" not in type(t).__name__])


def test_an_error_before_training_is_no_trouble(tmp_path: Path) -> None:
    built = with_bar(run_dir=tmp_path)
    bar = EpochBar()
    bar.on_exception(built.trainer, built.task, RuntimeError())
    bar.on_train_epoch_end(built.trainer, built.task)
    bar.on_train_end(built.trainer, built.task)


def test_a_run_without_an_end_has_no_total(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(with_bar("trainer.max_epochs=-1", "trainer.max_steps=3", run_dir=tmp_path))
    assert "/?" in capsys.readouterr().out


def test_the_bar_asks_the_task_for_its_epoch_whenever_it_is_drawn(tmp_path: Path) -> None:
    task = fit(small("data.n_samples=50", "trainer.max_epochs=1", run_dir=tmp_path)).task
    console = Console(file=io.StringIO(), force_terminal=True)
    progress = _LiveProgress(MofNCompleteColumn(), console=console, auto_refresh=False)
    progress.module = task
    assert list(progress.get_renderables())
    progress.add_task("epochs", total=100)
    for epoch in (3, 44):
        task.epoch = epoch
        list(progress.get_renderables())
        assert progress.tasks[0].completed == epoch
