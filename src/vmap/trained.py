"""Models of a tile, one by one, once they are trained: their rows and their states, as a single run has them.

Axes: ``m`` models, ``p`` weights of one model, ``e`` measured epochs.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from src.tasks.checkpoint import run_checkpoint
from src.tasks.finite import NonFiniteLossError
from src.vmap.models import Model
from src.vmap.tile import Snapshot, Tile

Row = dict[str, float]


@dataclass(frozen=True)
class TrainedModel:
    """A model after its training.

    Attributes:
        model: What it started with.
        rows: Epoch, step, losses, scores and learning rate of the measured epochs, up to the one whose loss was lost.
        error: Why it has failed; None if it has not.
        first_weights: The parameters that it started with.
        weights: The last weights (p,).
        best_weights: Those of the best epoch; None if no epoch had a finite score.
        best_score: What the best weights were chosen by.
        best: Checkpoint of the best epoch; None if there is none.
        state: Of its last epoch, as `src.tasks.checkpoint.run_checkpoint` takes it.
        numbers: Of the optimiser, as the configuration sets them.
        n_steps: Steps of the optimiser.
    """

    model: Model
    rows: list[Row]
    error: NonFiniteLossError | None
    first_weights: list[Tensor]
    weights: Tensor
    best_weights: Tensor | None
    best_score: float
    best: dict[str, Any] | None
    state: dict[str, Any]
    numbers: dict[str, Any]
    n_steps: int


def trained_models(tile: Tile, *, n_epochs: int) -> Iterator[TrainedModel]:
    """All models of a tile that has trained so many epochs."""
    last = _to_cpu(tile.snapshot(n_epochs))
    best = None if tile.best is None else _to_cpu(tile.best)
    columns, lrs = tile.columns, tile.lrs
    for i, model in enumerate(tile.models):
        rows, error = _until_lost(_rows(tile, {name: means[:, i] for name, means in columns.items()}, lrs[:, i]))
        best_score = float(tile.best_score[i])
        own_best = best if best_score < math.inf else None
        scheduler, group = tile.scheduler.state_dict_of(i), tile.optimizer.groups[i]
        yield TrainedModel(
            model=model,
            rows=rows,
            error=error,
            first_weights=_copies(tile.network.split(model.weights.to(last.weights))),
            weights=last.weights[i],
            best_weights=None if own_best is None else own_best.weights[i],
            best_score=best_score,
            best=None if own_best is None else run_checkpoint(**_state(tile, i, own_best, n_epochs=n_epochs)),
            state={
                **_state(tile, i, last, n_epochs=n_epochs),
                "schedulers": [] if scheduler is None else [scheduler],
            },
            numbers={**group, "lr": group.get("initial_lr", group["lr"])},
            n_steps=n_epochs * tile.n_batches,
        )


def _rows(tile: Tile, columns: Mapping[str, Tensor], lrs: Tensor) -> list[Row]:
    """Rows of one model from its measurements by name and its learning rates, (e,) each."""
    lists = {name: column.tolist() for name, column in columns.items()}
    return [
        {"epoch": epoch, "step": (epoch + 1) * tile.n_batches, **dict(zip(lists, values, strict=True)), "lr": lr}
        for epoch, lr, *values in zip(tile.epochs, lrs.tolist(), *lists.values(), strict=True)
    ]


def _until_lost(rows: Sequence[Row]) -> tuple[list[Row], NonFiniteLossError | None]:
    """Rows before the first whose training loss is not finite, and the error that a single run raises there."""
    finite = [math.isfinite(row["train/loss"]) for row in rows]
    if all(finite):
        row = rows[-1]
        if math.isfinite(row.get("val/loss", 0)):
            return list(rows), None
        before = (int(row["epoch"]), row["train/loss"])
        return list(rows), NonFiniteLossError.at(int(row["epoch"]), row["val/loss"], before, name="val/loss")
    n = finite.index(False)
    last = (int(rows[n - 1]["epoch"]), rows[n - 1]["train/loss"]) if n else None
    return list(rows[:n]), NonFiniteLossError.at(int(rows[n]["epoch"]), rows[n]["train/loss"], last)


def _state(tile: Tile, i: int, snapshot: Snapshot, *, n_epochs: int) -> dict[str, Any]:
    """Weights and optimiser of model ``i``, as `run_checkpoint` takes them."""
    epoch = int(snapshot.epoch[i])
    # a checkpoint within an epoch bears its number, one after the last epoch the number of epochs
    n_steps = min(epoch + 1, n_epochs) * tile.n_batches

    def split(row: Tensor) -> list[Tensor]:
        return _copies(tile.network.split(row))

    weights = dict(zip(tile.network.names, split(snapshot.weights[i]), strict=True))
    # such as the weights of classes, which belong to the loss
    others = {name: value for name, value in tile.task.state_dict().items() if not name.startswith("net.")}
    optimizer = tile.optimizer.state_dict_of(
        i, snapshot.optimizer, lr=float(snapshot.lr[i]), n_steps=n_steps, split=split
    )
    return {
        "epoch": epoch,
        "n_steps": n_steps,
        "weights": {**{f"net.{name}": weight for name, weight in weights.items()}, **others},
        "optimizers": [optimizer],
    }


def _copies(views: Sequence[Tensor]) -> list[Tensor]:
    """Tensors of their own: a file of a view would hold the weights of all models."""
    return [view.clone() for view in views]


def _to_cpu(snapshot: Snapshot) -> Snapshot:
    optimizer = {name: tensor.cpu() for name, tensor in snapshot.optimizer.items()}
    return snapshot._replace(weights=snapshot.weights.cpu(), optimizer=optimizer)
