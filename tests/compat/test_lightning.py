"""Lightning's counters, which a block of epochs moves on, and its early stopping without a trainer."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.demos.boring_classes import BoringModel

from tests.compat.parts import part_of


class Skipping(BoringModel):
    """Trains by hand; after its first epoch it says that it has trained three."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.seen: list[int] = []

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> None:  # noqa: ARG002
        optimizer = self.optimizers()
        assert isinstance(optimizer, pl.core.optimizer.LightningOptimizer)
        optimizer.step()

    def on_train_epoch_end(self) -> None:
        from src.compat.lightning import skip_epochs

        self.seen.append(self.current_epoch)
        if self.current_epoch == 0:
            skip_epochs(self.trainer, 2, n_steps=10)


def quiet_trainer(path: Path, **arguments: Any) -> pl.Trainer:
    return pl.Trainer(
        limit_train_batches=2,
        limit_val_batches=0,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=path,
        **arguments,
    )


def test_skipped_epochs_and_steps_count_and_are_stored(tmp_path: Path) -> None:
    with part_of("lightning", "lightning"):
        model = Skipping()
        trainer = quiet_trainer(tmp_path, max_epochs=5)
        trainer.fit(model)
        assert model.seen == [0, 3, 4]
        assert trainer.current_epoch == 5
        assert trainer.global_step == 3 * 2 + 10
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        stored = torch.load(tmp_path / "last.ckpt", weights_only=True)
        assert (stored["epoch"], stored["global_step"]) == (5, 16)


LOSSES = [1.0, 0.5, 0.6, 0.4, 0.45, 0.39, 0.5, 0.6, 3.0, float("nan")]


class Measuring(Skipping):
    """Measures what it is told to."""

    def on_train_epoch_end(self) -> None:
        self.trainer.callback_metrics["loss"] = torch.tensor(LOSSES[self.current_epoch])


@pytest.mark.parametrize(
    "numbers",
    [
        {"patience": 2},
        {"patience": 1, "min_delta": 0.3},
        {"patience": 3, "mode": "max", "check_on_train_epoch_end": True},
        {"patience": 9, "stopping_threshold": 0.42},
        {"patience": 9, "divergence_threshold": 2.0},
        {"patience": 9},
        {"patience": 9, "check_finite": False},
        {"patience": 2, "check_on_train_epoch_end": False},
    ],
)
def test_early_stopping_decides_without_a_trainer_what_it_decides_with_one(
    numbers: dict[str, Any], tmp_path: Path
) -> None:
    from src.compat.lightning import completed, would_stop
    from src.tasks.checkpoint import loops_of

    with part_of("lightning", "lightning"):
        expected, callback = EarlyStopping("loss", **numbers), EarlyStopping("loss", **numbers)
        loops: list[dict[str, Any]] = []

        class Noting(Measuring):
            def on_train_epoch_end(self) -> None:
                super().on_train_epoch_end()
                loops.append(completed(loops_of(self.trainer)))

        trainer = quiet_trainer(tmp_path, max_epochs=len(LOSSES), callbacks=[expected])
        trainer.fit(Noting())
        looks = (would_stop(callback, {"loss": torch.tensor(loss)}, epoch=i) for i, loss in enumerate(LOSSES))
        n_epochs = next((i + 1 for i, stops in enumerate(looks) if stops), len(LOSSES))
        assert n_epochs == trainer.current_epoch
        assert str(callback.state_dict()) == str(expected.state_dict())
        # what its loops store at the end of an epoch is what they store once it is over
        assert loops[-1] == loops_of(trainer)
