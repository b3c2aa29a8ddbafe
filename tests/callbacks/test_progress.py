"""The progress bar: what it counts, and that it leaves the terminal as it was."""

import io
import itertools
import logging
import re
from contextlib import nullcontext
from pathlib import Path

import pytest
from omegaconf import open_dict
from rich.console import Console

from src.build import Built, build
from src.callbacks.progress import EpochBar, _LiveBar
from src.tasks.finite import NonFiniteLossError
from tests.tasks.runs import fit, small


def with_bar(*overrides: str, run_dir: Path) -> Built:
    cfg = small("data.n_samples=50", "trainer.max_epochs=7", *overrides, run_dir=run_dir)
    with open_dict(cfg):
        cfg.callbacks.progress = {"_target_": "src.callbacks.progress.EpochBar"}
    return build(cfg)


def train(built: Built) -> None:
    built.trainer.fit(built.task, datamodule=built.datamodule)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rich take captured output for a terminal of 80 columns."""
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "80", "LINES": "25"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    """Output without what moves the cursor and sets colours; a bar that was drawn anew stands on a new line."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().out).replace("\r", "\n")


def test_a_pipe_gets_no_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(with_bar(run_dir=tmp_path))
    assert capsys.readouterr() == ("", "")


def test_a_pipe_gets_a_line_now_and_then(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(100.0)
    monkeypatch.setattr("src.callbacks.progress.monotonic", lambda: next(clock))
    monkeypatch.setattr(EpochBar, "LINE_EVERY_S", 3.0)
    caplog.set_level(logging.INFO)
    built = with_bar(run_dir=tmp_path)
    train(built)
    lines = [record.message for record in caplog.records if record.name == "src.callbacks.progress"]
    # a second for each epoch
    assert [line.partition(":")[0] for line in lines] == ["epoch 3 of 7", "epoch 6 of 7"]
    assert re.fullmatch(r"epoch 3 of 7: val loss 0\.\d{4}, accuracy \d\.\d{4}; 4 s left", lines[0])


@pytest.mark.usefixtures("terminal")
def test_beside_a_bar_such_lines_go_to_the_log_of_the_run_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EpochBar, "LINE_EVERY_S", 0.0)
    root = logging.getLogger()
    handler = logging.FileHandler(tmp_path / "train.log")
    root.addHandler(handler)
    try:
        train(with_bar(run_dir=tmp_path))
    finally:
        root.removeHandler(handler)
        handler.close()
    assert "epoch 7 of 7: val loss" in (tmp_path / "train.log").read_text()
    assert "of 7" not in shown(capsys)


@pytest.mark.usefixtures("terminal")
def test_a_notebook_gets_no_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    train(with_bar(run_dir=tmp_path))
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_the_finished_bar_with_the_latest_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = with_bar("trainer.max_epochs=1000", run_dir=tmp_path)
    train(built)
    lines = shown(capsys).splitlines()
    assert all(len(line) <= 80 for line in lines)
    loss, accuracy = (float(built.trainer.callback_metrics[f"val/{name}"]) for name in ("loss", "accuracy"))
    last = next(line for line in reversed(lines) if line.strip())
    assert re.search(rf"^epoch 1000/1000 ━+ took \d+ s val loss {loss:.4f}, accuracy {accuracy:.4f}", last)


@pytest.mark.usefixtures("terminal")
def test_the_cursor_is_visible_again_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for overrides in ((), ("optimizer.lr=1e12", "trainer.max_epochs=30")):
        built = with_bar(*overrides, run_dir=tmp_path)
        with pytest.raises(NonFiniteLossError) if overrides else nullcontext():
            train(built)
        text = capsys.readouterr().out
        assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


@pytest.mark.usefixtures("terminal")
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
    bar.on_train_start(built.trainer, built.task)
    bar.on_train_end(built.trainer, built.task)
    assert "7/7" in shown(capsys)


@pytest.mark.usefixtures("terminal")
def test_an_error_gives_the_terminal_back(tmp_path: Path) -> None:
    built = with_bar("optimizer.lr=1e12", "trainer.max_epochs=30", run_dir=tmp_path)
    with pytest.raises(NonFiniteLossError):
        train(built)
    bar = built.trainer.progress_bar_callback
    assert isinstance(bar, EpochBar)
    assert bar._progress is None


def test_an_error_before_training_is_no_trouble(tmp_path: Path) -> None:
    built = with_bar(run_dir=tmp_path)
    bar = EpochBar()
    bar.on_exception(built.trainer, built.task, RuntimeError())
    bar.on_train_epoch_end(built.trainer, built.task)
    bar.on_train_end(built.trainer, built.task)


@pytest.mark.usefixtures("terminal")
def test_a_run_without_an_end_has_no_total(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(with_bar("trainer.max_epochs=-1", "trainer.max_steps=3", run_dir=tmp_path))
    assert "/?" in shown(capsys)


def test_the_bar_asks_the_task_for_its_epoch_whenever_it_is_drawn(tmp_path: Path) -> None:
    task = fit(small("data.n_samples=50", "trainer.max_epochs=1", run_dir=tmp_path)).task
    console = Console(file=io.StringIO(), force_terminal=True)
    progress = _LiveBar(console)
    progress.module = task
    assert list(progress.get_renderables())
    progress.add("epochs", total=100)
    for epoch in (3, 44):
        task.epoch = epoch
        list(progress.get_renderables())
        assert progress.tasks[0].completed == epoch
