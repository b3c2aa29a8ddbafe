"""Callbacks and flags do here what they do in a usual LightningModule with the same network, data and seed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch import callbacks
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import Logger
from omegaconf import open_dict
from torch import Tensor, nn
from torchmetrics.functional.classification import binary_accuracy, binary_f1_score

from src.build import Built, build
from src.config.compose import compose_train
from src.run.metrics import read_metrics
from tests.tasks.runs import small

EPOCHS = 24
OWN = ("data.batch_size=300", f"trainer.max_epochs={EPOCHS}", "optimizer.lr=0.3", "task.log_every_n_epochs=5")


class Usual(pl.LightningModule):
    """As tutorials write it."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.loss = net, nn.BCEWithLogitsLoss()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:  # noqa: ARG002
        loss: Tensor = self.loss(self.net(batch.x), batch.y.float().unsqueeze(1))
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.x))
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        outputs = self.net(batch.x)
        self.log("val/loss", self.loss(outputs, batch.y.float().unsqueeze(1)), batch_size=len(batch.x))
        self.log("val/accuracy", binary_accuracy(outputs[:, 0], batch.y), batch_size=len(batch.x))
        self.log("val/f1", binary_f1_score(outputs[:, 0], batch.y), batch_size=len(batch.x))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.3)


class Memory(Logger):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int | None, dict[str, float]]] = []

    @property
    def name(self) -> str:
        return "memory"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        pass

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.rows.append((step, dict(metrics)))


def ours(tmp_path: Path, watching: Callback | None, own: tuple[str, ...] = (), **flags: Any) -> Built:
    """A run by this project's way, in whichever loop it chooses."""
    cfg = small("model=circle_v2", *OWN, *own, run_dir=tmp_path / "ours")
    with open_dict(cfg):
        cfg.trainer.update(flags)
        if watching is not None:
            cfg.callbacks = {"watching": {"_target_": f"{__name__}.given"}}
            GIVEN.append(watching)
    built = build(cfg)
    built.fit()
    return built


GIVEN: list[Callback] = []


def given() -> Callback:
    """The callback that a test has made."""
    return GIVEN.pop()


def usual(tmp_path: Path, watching: Callback | None, **flags: Any) -> pl.Trainer:
    """The usual way, with the network that the same seed draws and the same batches."""
    built = build(small("model=circle_v2", *OWN, run_dir=tmp_path / "never"))
    own: dict[str, Any] = {"max_epochs": EPOCHS, "logger": False, "enable_checkpointing": False, "log_every_n_steps": 3}
    shown: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    if isinstance(watching, callbacks.Checkpoint):
        del own["enable_checkpointing"]
    trainer = pl.Trainer(
        callbacks=[] if watching is None else [watching], default_root_dir=tmp_path, **{**own, **shown, **flags}
    )
    trainer.fit(Usual(built.task.net), datamodule=built.datamodule)
    return trainer


def net_of(trainer: pl.Trainer) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in trainer.lightning_module.state_dict().items() if name.startswith("net.")}


def assert_same_net(trainer: pl.Trainer, expected: pl.Trainer) -> None:
    found, others = net_of(trainer), net_of(expected)
    assert found.keys() == others.keys()
    assert all(torch.equal(found[name], others[name]) for name in others)


class Diary(Callback):
    """Notes where it is called."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, int, int]] = []

    def _note(self, hook: str, trainer: pl.Trainer) -> None:
        if not trainer.sanity_checking:
            self.lines.append((hook, trainer.current_epoch, trainer.global_step))


def _noting(hook: str) -> Any:
    def note(self: Diary, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:  # noqa: ARG001
        self._note(hook, trainer)

    return note


for _hook in (name for name in vars(Callback) if name.startswith("on_") and "checkpoint" not in name):
    setattr(Diary, _hook, _noting(_hook))


def test_every_hook_is_called_where_lightning_documents_it(tmp_path: Path) -> None:
    found, expected = Diary(), Diary()
    ours(tmp_path, found)
    usual(tmp_path, expected)
    assert found.lines == expected.lines
    assert len(found.lines) > 10 * EPOCHS


def test_a_callback_may_wait_for_an_epoch(tmp_path: Path) -> None:
    class Freezes(Callback):
        def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
            if trainer.current_epoch == 10:
                pl_module.net.layers[0].weight.requires_grad_(requires_grad=False)

    assert_same_net(ours(tmp_path, Freezes()).trainer, usual(tmp_path, Freezes()))


class StopsAt(Callback):
    """Stops at a step."""

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:  # noqa: ARG002
        trainer.should_stop = trainer.global_step >= 7


CALLBACKS: dict[str, Callable[[], Callback]] = {
    "ema": lambda: callbacks.EMAWeightAveraging(decay=0.9),
    "swa": lambda: callbacks.StochasticWeightAveraging(swa_lrs=0.05, swa_epoch_start=0.5, annealing_epochs=3),
    "swa that never starts": lambda: callbacks.StochasticWeightAveraging(swa_lrs=0.05, swa_epoch_start=100),
    "accumulation": lambda: callbacks.GradientAccumulationScheduler({0: 1, 4: 2}),
    "pruning of weights": lambda: callbacks.ModelPruning(
        "l1_unstructured", amount=0.2, use_lottery_ticket_hypothesis=False
    ),
    "a stop at a step": StopsAt,
    "early stopping": lambda: callbacks.EarlyStopping("val/loss", patience=2, min_delta=0.01),
    "early stopping at validation": lambda: callbacks.EarlyStopping(
        "val/loss", patience=2, min_delta=0.01, check_on_train_epoch_end=False
    ),
    "early stopping on training": lambda: callbacks.EarlyStopping("train/loss", patience=1, min_delta=0.01),
}


@pytest.mark.parametrize("name", CALLBACKS)
@pytest.mark.filterwarnings("ignore:.*(Swapping scheduler|does not have any trainable).*")
def test_a_callback_leads_to_the_same_weights(name: str, tmp_path: Path) -> None:
    run, expected = ours(tmp_path, CALLBACKS[name]()), usual(tmp_path, CALLBACKS[name]())
    assert (run.trainer.current_epoch, run.trainer.global_step) == (expected.current_epoch, expected.global_step)
    assert_same_net(run.trainer, expected)


FLAGS: dict[str, dict[str, Any]] = {
    "accumulation": {"accumulate_grad_batches": 2},
    "clipping by norm": {"gradient_clip_val": 0.01},
    "clipping by value": {"gradient_clip_val": 0.001, "gradient_clip_algorithm": "value"},
    "a number of steps": {"max_steps": 31},
    "few batches": {"limit_train_batches": 2},
    "no batches": {"limit_train_batches": 0},
    "no validation": {"limit_val_batches": 0},
    "validation within an epoch": {"val_check_interval": 1},
    "validation at some epochs": {"check_val_every_n_epoch": 4},
    "a mapping": {"max_time": {"hours": 1}},
}


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_leads_to_the_same_weights(name: str, tmp_path: Path) -> None:
    own = ("optimized_metric=train/loss",) if name == "no validation" else ()
    run, expected = ours(tmp_path, None, own, **FLAGS[name]), usual(tmp_path, None, **FLAGS[name])
    assert run.trainer.global_step == expected.global_step
    assert_same_net(run.trainer, expected)


CHECKPOINTS: dict[str, dict[str, Any]] = {
    "every ten epochs": {"every_n_epochs": 10, "save_top_k": -1},
    "every seven steps": {"every_n_train_steps": 7, "save_top_k": -1},
    "at validation": {"save_on_train_epoch_end": False, "monitor": "val/accuracy", "mode": "max", "save_top_k": 2},
    "by f1": {"monitor": "val/f1", "mode": "max", "save_last": True},
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_checkpoints_are_written_where_lightning_documents_it(name: str, tmp_path: Path) -> None:
    left: list[dict[str, dict[str, Tensor]]] = []
    for way in (ours, usual):
        folder = tmp_path / way.__name__ / "kept"
        way(tmp_path, callbacks.ModelCheckpoint(dirpath=folder, **CHECKPOINTS[name]))
        files = sorted(folder.glob("*.ckpt"))
        left.append({file.name: torch.load(file, weights_only=True)["state_dict"] for file in files})
    assert left[0].keys() == left[1].keys()
    assert left[1]
    for file, weights in left[1].items():
        assert all(torch.equal(left[0][file][key], weights[key]) for key in weights)


def test_the_best_weights_are_those_of_an_epoch_that_was_validated(tmp_path: Path) -> None:
    files: dict[int, Path] = {}
    for every in (1, 4):
        cfg = small("model=circle_v2", "logger=csv", *OWN, run_dir=tmp_path / str(every))
        with open_dict(cfg):
            cfg.trainer.check_val_every_n_epoch = every
            cfg.task.loop = "steps"
            cfg.task.log_every_n_epochs = 1 if every == 1 else 5
            cfg.callbacks = {"checkpoint": compose_train([], run_dir=tmp_path).callbacks.checkpoint}
        build(cfg).fit()
        files[every] = tmp_path / str(every)
    full, sparse = (read_metrics(files[every] / "metrics.csv") for every in (1, 4))
    validated = {int(e): loss for e, loss in zip(sparse["epoch"], sparse["val/loss"], strict=True) if loss == loss}
    assert [*validated] == [3, 7, 11, 15, 19, 23]
    # rows without validation stand at the logged epochs
    assert [int(epoch) for epoch in sparse["epoch"]] == [0, 3, 5, 7, 10, 11, 15, 19, 20, 23]
    assert all(full["val/loss"][epoch] == loss for epoch, loss in validated.items())
    best = torch.load(files[4] / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == min(validated, key=lambda epoch: validated[epoch])


def test_learning_rates_are_logged_at_their_steps(tmp_path: Path) -> None:
    logger = Memory()
    usual(tmp_path, callbacks.LearningRateMonitor(), logger=logger)
    cfg = small("model=circle_v2", "logger=csv", *OWN, run_dir=tmp_path / "ours")
    with open_dict(cfg):
        cfg.callbacks = {"lr": {"_target_": "lightning.pytorch.callbacks.LearningRateMonitor"}}
        cfg.trainer.log_every_n_steps = 3
    build(cfg).fit()
    logged = read_metrics(tmp_path / "ours" / "logged.csv")
    expected = [(step, row["lr-SGD"]) for step, row in logger.rows if "lr-SGD" in row]
    assert list(zip(logged["step"], logged["lr-SGD"], strict=True)) == expected
    # the course of the run stays what it is
    assert read_metrics(tmp_path / "ours" / "metrics.csv")["epoch"] == [0, 5, 10, 15, 20, EPOCHS - 1]
