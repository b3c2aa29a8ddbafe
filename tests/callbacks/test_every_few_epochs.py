"""When something is shown while a network learns."""

from pathlib import Path

import lightning.pytorch as pl
import pytest
from lightning.pytorch.callbacks import EarlyStopping

from src.build import build
from src.callbacks.every_few_epochs import EveryFewEpochs
from src.tasks.base import Task
from tests.slow import slow
from tests.tasks.runs import small


class Epochs(EveryFewEpochs):
    """Notes the epochs at which it was called."""

    def __init__(self, every_n_epochs: int | None) -> None:
        super().__init__(every_n_epochs=every_n_epochs)
        self.epochs: list[int] = []
        self.had_gradients = False

    def show(self, trainer: pl.Trainer, task: Task) -> None:
        assert trainer.callback_metrics["train/loss"] > 0
        self.epochs.append(task.epoch)
        self.had_gradients = all(p.grad is not None for p in task.net.parameters())


def shown(
    every: int | None, *overrides: str, run_dir: Path, more: tuple[pl.Callback, ...] = (), resume: bool = False
) -> list[int]:
    built = build(small("data.n_samples=50", *overrides, run_dir=run_dir))
    callback = Epochs(every)
    built.trainer.callbacks.extend([callback, *more])  # type: ignore[attr-defined]  # Lightning leaves it untyped
    last = run_dir / "checkpoints" / "last.ckpt" if resume else None
    built.trainer.fit(built.task, datamodule=built.datamodule, ckpt_path=last, weights_only=True)
    return callback.epochs


@pytest.mark.parametrize(
    ("every", "log_every", "max_epochs", "epochs"),
    [
        (None, "null", 100, [*range(0, 100, 5), 99]),
        (None, "null", 12, list(range(12))),
        (None, "null", 1, [0]),
        (None, "10", 41, [0, 10, 20, 30, 40]),
        (7, "5", 30, [0, 10, 20, 29]),
        (1, "10", 25, [0, 10, 20, 24]),
        (1000, "null", 30, [0, 29]),
        (0, "null", 30, []),
    ],
)
def test_the_first_the_last_and_every_so_many_logged_epochs(
    every: int | None, log_every: str, max_epochs: int, epochs: list[int], tmp_path: Path
) -> None:
    overrides = [f"trainer.max_epochs={max_epochs}", f"task.log_every_n_epochs={log_every}"]
    assert shown(every, *overrides, run_dir=tmp_path) == epochs


@pytest.mark.parametrize("max_epochs", [150, *slow(999, 1000)])
def test_about_twenty_looks_by_default(max_epochs: int, tmp_path: Path) -> None:
    epochs = shown(None, f"trainer.max_epochs={max_epochs}", run_dir=tmp_path)
    assert 15 <= len(epochs) <= 21
    assert (epochs[0], epochs[-1]) == (0, max_epochs - 1)


def test_a_run_that_stops_early_shows_its_last_epoch(tmp_path: Path) -> None:
    stop = EarlyStopping("train/loss", mode="max", patience=5, check_on_train_epoch_end=True)
    assert shown(4, "trainer.max_epochs=1000", "task.log_every_n_epochs=1", run_dir=tmp_path, more=(stop,)) == [0, 4, 5]


def test_a_run_without_an_end_is_shown_too(tmp_path: Path) -> None:
    epochs = shown(None, "trainer.max_epochs=-1", "trainer.max_steps=12", run_dir=tmp_path)
    assert epochs == [0, 5, 10, 11]


def test_a_resumed_run_goes_on_with_the_same_epochs(tmp_path: Path) -> None:
    overrides = ["optimizer.lr=0.01", "task.log_every_n_epochs=1"]
    first = shown(4, *overrides, "trainer.max_epochs=6", run_dir=tmp_path)
    second = shown(4, *overrides, "trainer.max_epochs=12", run_dir=tmp_path, resume=True)
    assert (first, second) == ([0, 4, 5], [8, 11])


def test_gradients_can_be_looked_at_up_to_the_last_epoch(tmp_path: Path) -> None:
    built = build(small("data.n_samples=50", "trainer.max_epochs=7", run_dir=tmp_path))
    callback = Epochs(4)
    built.trainer.callbacks.append(callback)  # type: ignore[attr-defined]  # Lightning leaves it untyped
    built.trainer.fit(built.task, datamodule=built.datamodule)
    assert callback.epochs[-1] == 6
    assert callback.had_gradients


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match=r"every_n_epochs must be null or a whole number of at least 0, got -1"):
        Epochs(-1)
