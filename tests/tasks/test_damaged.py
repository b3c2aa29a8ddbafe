"""Damaged checkpoints: none is used, an interrupted run goes on from the one before, and says so."""

import io
import json
import logging
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from src.config.errors import ConfigError
from src.draw import draw
from src.eval import evaluate
from src.run.directory import RunDir
from src.tasks.checkpoint import DamagedCheckpointError, load_checkpoint, save_checkpoint
from src.tasks.training.network import OneNetwork
from src.train import train
from tests.tasks.runs import listing, small
from tests.tasks.test_resuming import identical

SHORT = (
    "callbacks=none",
    "logger=csv",
    "scheduler=plateau",
    "data.n_samples=50",
    "data.n_val=30",
    "data.batch_size=16",
    "optimizer.lr=0.8",
    "trainer.max_epochs=20",
    "task.log_every_n_epochs=4",
    "callbacks.checkpoint.every_s=0",
)


def config(run_dir: Path) -> DictConfig:
    return small(*SHORT, run_dir=run_dir)


def outcome(run_dir: Path) -> dict[str, Any]:
    """All that a run has come to, but for times."""
    result = json.loads((run_dir / "result.json").read_text())
    found = {key: value for key, value in result.items() if key not in ("duration_s", "git")}
    found["rows"] = (run_dir / "metrics.csv").read_text()
    for name in ("best", "last"):
        found[name] = load_checkpoint(run_dir / "checkpoints" / f"{name}.ckpt")
    found["files"] = [name for name in listing(run_dir) if not name.endswith(".set_aside")]
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody interrupts."""
    path = tmp_path_factory.mktemp("whole") / "run"
    train(config(path))
    return path


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that was interrupted in epoch 15."""
    path = tmp_path_factory.mktemp("stopped") / "run"
    start_epoch = OneNetwork.start_epoch

    def interrupt(self: OneNetwork, epoch: int) -> None:
        if epoch == 15:
            raise KeyboardInterrupt
        start_epoch(self, epoch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OneNetwork, "start_epoch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(config(path))
    return path


def flip(path: Path) -> None:
    """Change a bit in the middle of a weight."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        record = max((each for each in file.infolist() if "/data/" in each.filename), key=lambda each: each.file_size)
    # after the header, which is aligned to 64 bytes
    place = data.index(file_content(path, record.filename), record.header_offset)
    data[place + 1] ^= 1
    path.write_bytes(data)


def file_content(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as file:
        return file.read(name)


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "a flipped bit": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-300]),
    "4,096 bytes": lambda path: path.write_bytes(path.read_bytes()[:4096]),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "weights alone": lambda path: torch.save({"state_dict": load_checkpoint(path)["state_dict"]}, path),
    "a best one": lambda path: shutil.copy(path.with_name("best.ckpt"), path),
    "a list": lambda path: torch.save([1], path),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(
    damage: Callable[[Path], Any], stopped: Path, whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Path(shutil.copytree(stopped, tmp_path / "run"))
    last = run / "checkpoints" / "last.ckpt"
    damage(last)
    with caplog.at_level(logging.WARNING):
        train(config(run))
    assert f"{last} is damaged (" in caplog.text
    assert "it is kept as last.ckpt.set_aside" in caplog.text
    assert "going on from the checkpoint before the last one, of epoch 8" in caplog.text
    assert identical(outcome(run), outcome(whole))


def test_a_run_that_was_killed_between_two_renames_goes_on(
    stopped: Path, whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Path(shutil.copytree(stopped, tmp_path / "run"))
    (run / "checkpoints" / "last.ckpt").unlink()
    assert RunDir(run).look(config(run)) == "resume"
    train(config(run))
    assert "damaged" not in caplog.text
    assert identical(outcome(run), outcome(whole))


def test_without_a_whole_checkpoint_a_run_starts_afresh(
    stopped: Path, whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Path(shutil.copytree(stopped, tmp_path / "run"))
    for name in ("last", "last.previous", "best"):
        flip(run / "checkpoints" / f"{name}.ckpt")
    train(config(run))
    assert f"{run}: no checkpoint is whole; training starts afresh" in caplog.text
    assert identical(outcome(run), outcome(whole))


@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_a_best_checkpoint_that_is_damaged_or_gone_is_that_of_the_last_one(
    damage: Callable[[Path], Any], whole: Path, tmp_path: Path
) -> None:
    # trained, and killed before its result
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    (run / "result.json").unlink()
    damage(run / "checkpoints" / "best.ckpt")
    train(config(run))
    assert identical(outcome(run), outcome(whole))


def test_the_checkpoint_before_is_there_while_a_run_goes_on_and_gone_at_its_end(stopped: Path, whole: Path) -> None:
    assert listing(stopped / "checkpoints") == ["best.ckpt", "last.ckpt", "last.previous.ckpt"]
    epochs = [load_checkpoint(stopped / "checkpoints" / f"{name}.ckpt")["epoch"] for name in ("last.previous", "last")]
    assert epochs == [8, 12]
    assert listing(whole / "checkpoints") == ["best.ckpt", "last.ckpt"]


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_damaged_checkpoint_is_neither_evaluated_nor_drawn(name: str, whole: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    flip(run / "checkpoints" / f"{name}.ckpt")
    message = rf"{name}\.ckpt cannot be read as a checkpoint .*: the checksum of \w+/data/\d+ is wrong"
    with pytest.raises(ConfigError, match=message):
        evaluate(OmegaConf.create({"run": str(run), "checkpoint": name, "overrides": []}))
    with pytest.raises(ConfigError, match=message):
        draw(OmegaConf.create({"run": str(run), "checkpoint": name, "pictures": ["boundary"]}))


def test_no_flipped_bit_changes_what_is_read(tmp_path: Path) -> None:
    path, generator = tmp_path / "some.ckpt", random.Random(0)
    save_checkpoint(path, {"state_dict": {"w": torch.randn(7, 5), "b": torch.randn(3)}, "epoch": 3})
    expected, data = load_checkpoint(path), path.read_bytes()
    n_refused = 0
    for place in generator.sample(range(len(data)), 600):
        changed = bytearray(data)
        changed[place] ^= 1 << generator.randrange(8)
        path.write_bytes(changed)
        try:
            found = load_checkpoint(path)
        except DamagedCheckpointError:
            n_refused += 1
        else:
            assert identical(found, expected), place
    # the others are padding and times
    assert n_refused > 100


def test_a_checkpoint_that_grows_when_it_is_read_is_refused(tmp_path: Path) -> None:
    path, data = tmp_path / "last.ckpt", io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data/0", bytes(1 << 20))
    path.write_bytes(data.getvalue())
    with pytest.raises(DamagedCheckpointError, match="it holds compressed records"):
        load_checkpoint(path)


def test_a_refusal_does_not_advise_to_run_what_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": Path("x")}, path)
    with pytest.raises(DamagedCheckpointError) as refused:
        load_checkpoint(path)
    assert "which is not loaded" in str(refused.value)
    assert "weights_only" not in str(refused.value)


def test_a_checkpoint_that_one_may_not_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, {"state_dict": {}})

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("src.run.reading.zipfile.ZipFile", refuse)
    with pytest.raises(ConfigError, match=r"last\.ckpt cannot be opened: Permission denied") as refused:
        load_checkpoint(path)
    assert not isinstance(refused.value, DamagedCheckpointError)
