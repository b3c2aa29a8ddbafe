"""An interrupted run goes on as if nothing had been."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from src.models.mlp import MLP
from src.tasks.checkpoint import load_checkpoint
from src.tasks.training.network import OneNetwork
from src.train import train
from tests.slow import slow
from tests.tasks.by_hand import rows_of
from tests.tasks.runs import interrupted_once, small

LONG = (
    "callbacks=none",
    "logger=csv",
    "model=circle_v2",
    "model.net._target_=tests.tasks.test_resuming.WithDropout",
    "scheduler=plateau",
    "scheduler.patience=2",
    "data.n_samples=50",
    "data.n_val=30",
    "data.batch_size=16",
    "optimizer.lr=0.8",
    "optimizer.momentum=0.9",
    "trainer.max_epochs=50",
    "task.log_every_n_epochs=7",
    "callbacks.checkpoint.every_s=0",
)


class WithDropout(MLP):
    """Draws from the global generator at every step."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.dropout(x, 0.1, self.training))


def states(run_dir: Path) -> list[dict[str, Any]]:
    return [load_checkpoint(run_dir / "checkpoints" / name) for name in ("last.ckpt", "best.ckpt")]


def identical(a: Any, b: Any) -> bool:
    """Bit by bit, through all containers."""
    if isinstance(a, Tensor):
        return torch.equal(a, b) and a.dtype == b.dtype
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(identical(value, b[key]) for key, value in a.items())
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(identical, a, b))
    return bool(a == b)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("uninterrupted")
    train(small(*LONG, run_dir=path))
    return path


@pytest.mark.parametrize("epochs", [(24,), *slow(((3,),), ((49,),), ((1, 14, 15, 30),))], ids=str)
def test_an_interrupted_run_goes_on_to_the_same_bits(
    epochs: tuple[int, ...], uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_epoch = OneNetwork.start_epoch
    for interrupted_at in epochs:

        def interrupt(self: OneNetwork, epoch: int, at: int = interrupted_at) -> None:
            if epoch == at:
                raise KeyboardInterrupt
            start_epoch(self, epoch)

        monkeypatch.setattr(OneNetwork, "start_epoch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(small(*LONG, run_dir=tmp_path))
        assert not (tmp_path / "result.json").exists()
    monkeypatch.setattr(OneNetwork, "start_epoch", start_epoch)
    train(small(*LONG, run_dir=tmp_path))
    for mine, whole in zip(states(tmp_path), states(uninterrupted), strict=True):
        for key in ("state_dict", "optimizer_states", "epoch", "global_step"):
            assert identical(mine[key], whole[key]), key
    assert identical(*(run[0]["lr_schedulers"] for run in (states(tmp_path), states(uninterrupted))))
    assert rows_of(tmp_path) == rows_of(uninterrupted)


def test_a_resumed_run_trains_only_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = interrupted_once(monkeypatch, 30)
    with pytest.raises(KeyboardInterrupt):
        train(small(*LONG, run_dir=tmp_path))
    train(small(*LONG, run_dir=tmp_path))
    # the block of epochs 29 to 35 has begun twice
    assert trained == [*range(31), *range(29, 50)]


def test_the_uninterrupted_run_used_its_plateau(uninterrupted: Path) -> None:
    assert len({row["lr"] for row in rows_of(uninterrupted).values()}) > 1
