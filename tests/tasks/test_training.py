"""Training in blocks of epochs equals a loop written by hand, whatever the optimiser, and goes on where it stopped."""

import csv
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from omegaconf import open_dict
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau, StepLR
from torch.utils._python_dispatch import TorchDispatchMode

from src.build import Built, build
from src.callbacks.checkpoint import load_checkpoint
from src.data.base import Batches, Part
from src.models.mlp import MLP
from src.tasks.base import Task
from src.tasks.finite import NonFiniteLossError
from src.train import train
from tests.tasks.runs import circle_v2, close, fit, small, validate_and_test, weights

# 40 training samples make 3 batches, the last one smaller.
MINI = ("data.n_samples=50", "data.n_val=30", "data.batch_size=16", "trainer.max_epochs=8")

MakeOptimizer: TypeAlias = Callable[..., Optimizer]
MakeScheduler: TypeAlias = Callable[..., LRScheduler]


class ByHand:
    """The same training, with nothing between the reader and PyTorch."""

    def __init__(
        self,
        built: Built,
        *,
        n_epochs: int,
        optimizer: MakeOptimizer,
        scheduler: MakeScheduler | None = None,
        clip: float | None = None,
        seed: int = 42,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        data = built.datamodule
        self.net = circle_v2(seed).to(dtype)
        self.lr: list[float] = []
        self.train_loss: list[float] = []
        self.train_accuracy: list[float] = []
        self.val_loss: list[float] = []
        self.val_accuracy: list[float] = []
        self.loss = nn.BCEWithLogitsLoss()
        train, val = (Part(part.x.to(dtype), part.y.to(dtype).unsqueeze(1)) for part in data.make_parts()[:2])
        optim = optimizer(self.net.parameters())
        schedule = scheduler(optim) if scheduler else None
        batches = Batches(train, batch_size=data.batch_size, seed=data.batch_seed)
        for epoch in range(n_epochs):
            batches.set_epoch(epoch)
            self.lr.append(optim.param_groups[0]["lr"])
            loss = accuracy = 0.0
            for x, y, *_ in batches:
                logits = self.net(x)
                mean = self.loss(logits, y)
                loss += mean.item() * len(x) / batches.n
                accuracy += ((logits > 0) == (y > 0.5)).sum().item() / batches.n
                optim.zero_grad()
                mean.backward()
                if clip is not None:
                    nn.utils.clip_grad_norm_(self.net.parameters(), clip)
                optim.step()
            self.train_loss.append(loss)
            self.train_accuracy.append(accuracy)
            self.look(val)
            if isinstance(schedule, ReduceLROnPlateau):
                schedule.step(self.val_loss[-1])
            elif schedule is not None:
                schedule.step()

    @torch.no_grad()
    def look(self, val: Part) -> None:
        logits = self.net(val.x)
        self.val_loss.append(self.loss(logits, val.y).item())
        self.val_accuracy.append(((logits > 0) == (val.y > 0.5)).double().mean().item())


def rows_of(run_dir: Path) -> dict[int, dict[str, float]]:
    with (run_dir / "metrics.csv").open(newline="") as file:
        return {int(row["epoch"]): {k: float(v) for k, v in row.items()} for row in csv.DictReader(file)}


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


@pytest.mark.parametrize(("precision", "dtype"), [("bf16-true", torch.bfloat16), ("bf16-mixed", torch.float32)])
@pytest.mark.parametrize("data", ["circles", "blobs", "line"])
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
        fit(small("callbacks=early_stopping", "callbacks.pictures=null", "optimizer.lr=1e38", run_dir=tmp_path))


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
    net, x, y = circle_v2(), *built.datamodule.parts.train
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


# Going on

LONG = (
    "callbacks=none",
    "logger=csv",
    "model=circle_v2",
    "model.net._target_=tests.tasks.test_training.WithDropout",
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


@pytest.mark.parametrize("epochs", [(3,), (24,), (49,), (1, 14, 15, 30)], ids=str)
def test_an_interrupted_run_goes_on_to_the_same_bits(
    epochs: tuple[int, ...], uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_epoch = Task._train_epoch
    for interrupted_at in epochs:

        def interrupt(self: Task, *args: Any, at: int = interrupted_at, **kwargs: Any) -> list[Tensor]:
            if self.epoch == at:
                raise KeyboardInterrupt
            return train_epoch(self, *args, **kwargs)

        monkeypatch.setattr(Task, "_train_epoch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(small(*LONG, run_dir=tmp_path))
        assert not (tmp_path / "result.json").exists()
    monkeypatch.setattr(Task, "_train_epoch", train_epoch)
    train(small(*LONG, run_dir=tmp_path))
    for mine, whole in zip(states(tmp_path), states(uninterrupted), strict=True):
        for key in ("state_dict", "optimizer_states", "epoch", "global_step"):
            assert identical(mine[key], whole[key]), key
    assert identical(*(run[0]["lr_schedulers"] for run in (states(tmp_path), states(uninterrupted))))
    assert rows_of(tmp_path) == rows_of(uninterrupted)


def test_a_resumed_run_trains_only_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[int] = []
    train_epoch = Task._train_epoch

    def watch(self: Task, *args: Any, **kwargs: Any) -> list[Tensor]:
        if self.epoch == 30 and 30 not in trained:
            trained.append(30)
            raise KeyboardInterrupt
        trained.append(self.epoch)
        return train_epoch(self, *args, **kwargs)

    monkeypatch.setattr(Task, "_train_epoch", watch)
    with pytest.raises(KeyboardInterrupt):
        train(small(*LONG, run_dir=tmp_path))
    train(small(*LONG, run_dir=tmp_path))
    # the block of epochs 29 to 35 has begun twice
    assert trained == [*range(31), *range(29, 50)]


def test_the_uninterrupted_run_used_its_plateau(uninterrupted: Path) -> None:
    assert len({row["lr"] for row in rows_of(uninterrupted).values()}) > 1


class HostReads(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types there
    """Counts how often a number is asked of a tensor, which makes an accelerator wait."""

    n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_no_step_and_no_epoch_of_a_block_waits_for_the_device(tmp_path: Path) -> None:
    reads = []
    for n in (2, 20):
        block = [f"trainer.max_epochs={n + 1}", f"task.log_every_n_epochs={n}", "task.eval_every_n_epochs=1"]
        with HostReads() as mode:  # type: ignore[no-untyped-call]
            fit(small("data.batch_size=10", *block, run_dir=tmp_path / str(n)))
        reads.append(mode.n)
    assert reads[0] == reads[1]
