"""Training equals a loop by hand."""

from functools import partial
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.optim import SGD, Adam, AdamW, RMSprop
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau, StepLR

from tests.tasks.by_hand import MINI, ByHand, MakeOptimizer, MakeScheduler, rows_of
from tests.tasks.runs import circle_v2, close, fit, small, validate_and_test, weights

OPTIMIZERS: list[tuple[list[str], MakeOptimizer]] = [
    (["optimizer=sgd", "optimizer.lr=0.3"], partial(SGD, lr=0.3)),
    (["optimizer=sgd", "optimizer.momentum=0.9"], partial(SGD, lr=0.1, momentum=0.9)),
    (
        ["optimizer=sgd", "optimizer.momentum=0.9", "optimizer.nesterov=true", "optimizer.weight_decay=0.01"],
        partial(SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    ),
    (
        ["optimizer=adam", "optimizer.betas=[0.8,0.9]", "optimizer.weight_decay=0.1"],
        partial(Adam, lr=0.01, betas=(0.8, 0.9), weight_decay=0.1),
    ),
    (["optimizer=adamw", "optimizer.weight_decay=0.1"], partial(AdamW, lr=0.01, weight_decay=0.1)),
    (
        ["optimizer=rmsprop", "optimizer.momentum=0.5", "optimizer.alpha=0.9"],
        partial(RMSprop, lr=0.01, momentum=0.5, alpha=0.9),
    ),
]


@pytest.mark.parametrize(
    ("overrides", "optimizer"), OPTIMIZERS, ids=["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop"]
)
def test_mini_batch_training_equals_a_loop_by_hand(
    overrides: list[str], optimizer: MakeOptimizer, tmp_path: Path
) -> None:
    built = fit(small(*MINI, *overrides, "task.log_every_n_epochs=3", run_dir=tmp_path))
    by_hand = ByHand(built, n_epochs=8, optimizer=optimizer)
    assert close(weights(built.task.net), weights(by_hand.net))
    assert not close(weights(by_hand.net), weights(circle_v2()), atol=1e-3)


SCHEDULERS: list[tuple[list[str], MakeScheduler]] = [
    (["scheduler=cosine", "scheduler.eta_min=0.001"], partial(CosineAnnealingLR, T_max=8, eta_min=0.001)),
    (["scheduler=step", "scheduler.step_size=3"], partial(StepLR, step_size=3, gamma=0.5)),
    (
        ["scheduler=plateau", "scheduler.patience=0", "scheduler.factor=0.3"],
        partial(ReduceLROnPlateau, patience=0, factor=0.3),
    ),
]


@pytest.mark.parametrize(("overrides", "scheduler"), SCHEDULERS, ids=["cosine", "step", "plateau"])
@pytest.mark.parametrize("batch_size", ["16", "null"])
def test_schedulers_step_once_an_epoch(
    overrides: list[str], scheduler: MakeScheduler, batch_size: str, tmp_path: Path
) -> None:
    given = ["optimizer.lr=1.5", "optimizer.momentum=0.9", f"data.batch_size={batch_size}", "logger=csv"]
    built = fit(small(*MINI, *given, *overrides, "task.log_every_n_epochs=4", run_dir=tmp_path))
    by_hand = ByHand(built, n_epochs=8, optimizer=partial(SGD, lr=1.5, momentum=0.9), scheduler=scheduler)
    assert len(set(by_hand.lr)) > 1
    assert close(weights(built.task.net), weights(by_hand.net), atol=1e-5)
    rows = rows_of(tmp_path)
    assert [row["lr"] for row in rows.values()] == [pytest.approx(by_hand.lr[epoch]) for epoch in rows]
    # a plateau needs a look at every epoch
    assert list(rows) == (list(range(8)) if "plateau" in overrides[0] else [0, 4, 7])


@pytest.mark.parametrize("clip", [0.05, 1e6])
def test_gradients_are_clipped_by_their_norm(clip: float, tmp_path: Path) -> None:
    built = fit(small(*MINI, "optimizer.lr=1", f"task.gradient_clip_val={clip}", run_dir=tmp_path))
    by_hand = ByHand(built, n_epochs=8, optimizer=partial(SGD, lr=1), clip=clip)
    assert close(weights(built.task.net), weights(by_hand.net))
    free = ByHand(built, n_epochs=8, optimizer=partial(SGD, lr=1))
    assert close(weights(free.net), weights(by_hand.net)) == (clip > 1)


@pytest.mark.parametrize("seed", [0, 7])
def test_seed_decides_weights_and_batches(seed: int, tmp_path: Path) -> None:
    built = fit(small(*MINI, f"seed={seed}", run_dir=tmp_path))
    assert built.datamodule.batch_seed == seed
    by_hand = ByHand(built, n_epochs=8, optimizer=partial(SGD, lr=0.1), seed=seed)
    assert close(weights(built.task.net), weights(by_hand.net))


def test_double_precision_equals_a_loop_in_double(tmp_path: Path) -> None:
    built = fit(small(*MINI, "trainer.precision=64-true", run_dir=tmp_path))
    by_hand = ByHand(built, n_epochs=8, optimizer=partial(SGD, lr=0.1), dtype=torch.float64)
    assert {p.dtype for p in built.task.net.parameters()} == {torch.float64}
    assert close(weights(built.task.net), weights(by_hand.net), atol=1e-12)
    assert validate_and_test(built)["val/loss"] == pytest.approx(by_hand.val_loss[-1], abs=1e-6)


def test_rows_hold_the_losses_and_scores_of_a_loop_by_hand(tmp_path: Path) -> None:
    given = ["logger=default", "trainer.max_epochs=25", "task.log_every_n_epochs=10", "task.eval_every_n_epochs=5"]
    built = fit(small(*MINI, *given, run_dir=tmp_path))
    by_hand = ByHand(built, n_epochs=25, optimizer=partial(SGD, lr=0.1))
    rows = rows_of(tmp_path)
    assert list(rows) == [0, 5, 10, 15, 20, 24]
    for epoch, row in rows.items():
        assert row == {
            "epoch": epoch,
            "step": (epoch + 1) * 3,
            "train/loss": pytest.approx(by_hand.train_loss[epoch], abs=1e-5),
            "train/accuracy": pytest.approx(by_hand.train_accuracy[epoch], abs=1e-5),
            "val/loss": pytest.approx(by_hand.val_loss[epoch], abs=1e-5),
            "val/accuracy": pytest.approx(by_hand.val_accuracy[epoch], abs=1e-5),
            "lr": 0.1,
        }
    for logger in built.loggers:
        logger.finalize("success")
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    for name in ("train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr"):
        scalars = events.Scalars(name)
        assert [scalar.step for scalar in scalars] == [0, 10, 20, 24]
        assert [scalar.value for scalar in scalars] == [pytest.approx(rows[s.step][name]) for s in scalars]
