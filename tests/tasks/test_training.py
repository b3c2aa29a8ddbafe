"""Training in blocks of epochs: what it counts, shows, refuses and leaves out."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from omegaconf import open_dict
from torch import Tensor, nn
from torch.optim import SGD
from torch.utils._python_dispatch import TorchDispatchMode

from src.build import build
from src.tasks.finite import NonFiniteLossError
from tests.tasks.by_hand import MINI, ByHand
from tests.tasks.runs import circle_v2, close, fit, small, validate_and_test, weights


@pytest.mark.parametrize(("precision", "dtype"), [("bf16-true", torch.bfloat16), ("bf16-mixed", torch.float32)])
@pytest.mark.parametrize("data", ["circles", "blobs", "line"])
@pytest.mark.slow
def test_half_precision_comes_near_to_full(precision: str, dtype: torch.dtype, data: str, tmp_path: Path) -> None:
    given = (f"data={data}", "model=mlp", "trainer.max_epochs=3")
    built = fit(small(*given, f"trainer.precision={precision}", run_dir=tmp_path))
    assert {p.dtype for p in built.task.net.parameters()} == {dtype}
    full = validate_and_test(fit(small(*given, run_dir=tmp_path)))
    half = validate_and_test(built)
    assert half.keys() == full.keys()
    for split in ("val", "test"):
        assert half[f"{split}/loss"] == pytest.approx(full[f"{split}/loss"], rel=0.05)
    assert built.task.predict_probs(built.datamodule.parts.test.x).dtype == torch.float32


@pytest.mark.parametrize(("max_epochs", "log_every"), [(1, "null"), (8, "null"), (8, "3"), (8, "100")])
def test_trainer_counts_epochs_and_steps_as_without_blocks(max_epochs: int, log_every: str, tmp_path: Path) -> None:
    given = [f"trainer.max_epochs={max_epochs}", f"task.log_every_n_epochs={log_every}"]
    trainer = fit(small(*MINI, *given, run_dir=tmp_path)).trainer
    assert (trainer.current_epoch, trainer.max_epochs) == (max_epochs, max_epochs)
    assert trainer.global_step == 3 * max_epochs


class Seen(Callback):
    """What a callback sees at the end of every block."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, dict[str, float]]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items()}
        self.rows.append((trainer.current_epoch, trainer.global_step, metrics))


def test_callbacks_see_logged_epochs_with_their_metrics(tmp_path: Path) -> None:
    built, seen = build(small(*MINI, "task.log_every_n_epochs=3", run_dir=tmp_path)), Seen()
    built.trainer.callbacks.append(seen)  # type: ignore[attr-defined]  # Lightning leaves it untyped
    built.trainer.fit(built.task, datamodule=built.datamodule)
    by_hand = ByHand(built, n_epochs=8, optimizer=partial(SGD, lr=0.1))
    assert [(epoch, step) for epoch, step, _ in seen.rows] == [(0, 3), (3, 12), (6, 21), (7, 24)]
    for epoch, _, metrics in seen.rows:
        assert metrics["train/loss"] == pytest.approx(by_hand.train_loss[epoch], abs=1e-5)
        assert metrics["val/loss"] == pytest.approx(by_hand.val_loss[epoch], abs=1e-5)


def test_early_stopping_ends_a_run_at_a_logged_epoch(tmp_path: Path) -> None:
    stop = ["callbacks=early_stopping", "callbacks.early_stopping.patience=1", "callbacks.early_stopping.min_delta=9"]
    cfg = small(*MINI, *stop, "task.log_every_n_epochs=3", run_dir=tmp_path)
    with open_dict(cfg):
        cfg.callbacks = {"early_stopping": cfg.callbacks.early_stopping}
    trainer = fit(cfg).trainer
    # the first look counts as an improvement
    assert trainer.current_epoch == 4
    assert trainer.global_step == 12


def test_a_loss_that_is_not_finite_stops_training_and_says_what_to_try(tmp_path: Path) -> None:
    message = r"train/loss is nan at epoch \d+; last finite value: \S+ at epoch \d+\. Try a smaller optimizer\.lr"
    with pytest.raises(NonFiniteLossError, match=message):
        fit(small("optimizer.lr=1e12", "trainer.max_epochs=30", run_dir=tmp_path))


def test_weights_that_the_last_step_has_lost_are_no_result(tmp_path: Path) -> None:
    """Early stopping ends such a run before its next train/loss would tell."""
    message = r"val/loss is (nan|inf) at epoch 0; last finite value: 0\.69\S+ at epoch 0"
    with pytest.raises(NonFiniteLossError, match=message):
        fit(small("callbacks=early_stopping", "callbacks.pictures=null", "optimizer.lr=1e30", run_dir=tmp_path))


def test_a_loss_that_was_never_finite_says_so(tmp_path: Path) -> None:
    built = build(small(*MINI, run_dir=tmp_path))
    parts = built.datamodule.parts
    parts.train.x[0] = math.nan
    message = r"train/loss is nan at epoch 0; last finite value: never\. Try a smaller optimizer\.lr"
    with pytest.raises(NonFiniteLossError, match=message):
        built.trainer.fit(built.task, datamodule=built.datamodule)


@pytest.mark.parametrize(("limit", "n_batches"), [("2", 2), ("0.4", 1), ("1.0", 3)])
def test_an_epoch_can_be_limited_to_some_batches(limit: str, n_batches: int, tmp_path: Path) -> None:
    built = fit(small(*MINI, f"trainer.limit_train_batches={limit}", run_dir=tmp_path))
    assert built.trainer.global_step == 8 * n_batches


def test_overfitting_takes_the_same_first_samples_every_epoch(tmp_path: Path) -> None:
    built = fit(small(*MINI, "trainer.overfit_batches=1", run_dir=tmp_path))
    net = circle_v2()
    x, y = built.datamodule.parts.train
    optimizer = SGD(net.parameters(), lr=0.1)
    for _ in range(8):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(net(x[:16])[:, 0], y[:16].float()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert close(weights(built.task.net), weights(net))


def test_training_without_validation_batches_runs(tmp_path: Path) -> None:
    built = fit(small(*MINI, "trainer.limit_val_batches=0", "optimized_metric=test/loss", run_dir=tmp_path))
    assert close(weights(built.task.net), weights(ByHand(built, n_epochs=8, optimizer=partial(SGD, lr=0.1)).net))


def test_a_run_never_exceeds_its_number_of_steps(tmp_path: Path) -> None:
    given = ["trainer.max_epochs=40", "trainer.max_steps=12", "task.log_every_n_epochs=10"]
    assert fit(small(*MINI, *given, run_dir=tmp_path)).trainer.global_step == 12


def test_a_run_without_an_end_stops_at_its_number_of_steps(tmp_path: Path) -> None:
    given = ["trainer.max_epochs=-1", "trainer.max_steps=12"]
    assert fit(small(*MINI, *given, run_dir=tmp_path)).trainer.global_step == 12


def test_the_shortest_line_that_is_allowed_can_be_trained_and_measured(tmp_path: Path) -> None:
    built = fit(
        small(
            "data=line", "model=line", "data.step=0.2", "data.test_size=0.4", "trainer.max_epochs=2", run_dir=tmp_path
        )
    )
    assert "test/mae" in validate_and_test(built)


def test_the_losses_of_all_processes_add_up_to_that_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("data.n_samples=50", "trainer.max_epochs=1")
    whole = fit(small(*given, run_dir=tmp_path)).trainer.callback_metrics["train/loss"]
    monkeypatch.setattr(pl.Trainer, "world_size", 2)
    parts: list[Tensor] = []
    for rank in range(2):
        monkeypatch.setattr(pl.Trainer, "global_rank", rank)
        # one process here, so nothing is added to its part
        parts.append(fit(small(*given, run_dir=tmp_path / str(rank))).trainer.callback_metrics["train/loss"])
    assert torch.allclose(sum(parts, start=torch.zeros(())), whole)


class HostReads(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types there
    """Counts how often a number is asked of a tensor, which makes an accelerator wait."""

    n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_no_step_and_no_epoch_of_a_block_waits_for_the_device(tmp_path: Path) -> None:
    reads = []
    for n in (2, 6):
        block = [f"trainer.max_epochs={n + 1}", f"task.log_every_n_epochs={n}", "task.eval_every_n_epochs=1"]
        with HostReads() as mode:  # type: ignore[no-untyped-call]
            fit(small("data.batch_size=100", *block, run_dir=tmp_path / str(n)))
        reads.append(mode.n)
    assert reads[0] == reads[1]
