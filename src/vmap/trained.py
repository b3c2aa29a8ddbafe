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
        last_tensors: Its parameters and buffers at the end, by their names in the task.
        best_tensors: Those of the best epoch; None if no epoch had a finite score.
        best_score: What the best weights were chosen by.
        best: Checkpoint of the best epoch; None if there is none.
        state: Of its last epoch, as `src.tasks.checkpoint.run_checkpoint` takes it.
        rng_state: State of its random generator at the end.
        numbers: Of the optimiser, as the configuration sets them.
        n_steps: Steps of the optimiser.
        callbacks: States of those that could have ended its training, by their keys.
    """

    model: Model
    rows: list[Row]
    error: NonFiniteLossError | None
    first_weights: list[Tensor]
    last_tensors: Mapping[str, Tensor]
    best_tensors: Mapping[str, Tensor] | None
    best_score: float
    best: dict[str, Any] | None
    state: dict[str, Any]
    rng_state: Tensor
    numbers: dict[str, Any]
    n_steps: int
    callbacks: dict[str, Any]


def trained_models(tile: Tile, *, n_epochs: int) -> Iterator[TrainedModel]:
    """All models of a tile that has trained so many epochs, or fewer where its models have ended before."""
    n_epochs = n_epochs if tile.ending is None else tile.ending.n_epochs
    last = _to_cpu(tile.snapshot(n_epochs))
    best = None if tile.best is None else _to_cpu(tile.best)
    columns, lrs = tile.columns, tile.lrs
    for i, model in enumerate(tile.models):
        rows, error = _until_lost(_rows(tile, {name: means[:, i] for name, means in columns.items()}, lrs[:, i]))
        best_score = float(tile.best_score[i])
        own_best = best if best_score < math.inf else None
        scheduler, group = tile.scheduler.state_dict_of(i), tile.optimizer.groups[i]
        layout = tile.frame.layout_of(model.task)
        first = layout.tensors(model.weights.to(last.weights), model.held)
        yield TrainedModel(
            model=model,
            rows=rows,
            error=error,
            first_weights=layout.net_parameters(first),
            last_tensors=_tensors(tile, last, i),
            best_tensors=None if own_best is None else _tensors(tile, own_best, i),
            best_score=best_score,
            best=None if own_best is None else run_checkpoint(**_state(tile, i, own_best, n_epochs=n_epochs)),
            state={
                **_state(tile, i, last, n_epochs=n_epochs),
                "schedulers": [] if scheduler is None else [scheduler],
            },
            rng_state=tile.draws.states[i],
            numbers={**group, "lr": group.get("initial_lr", group["lr"])},
            n_steps=n_epochs * tile.n_batches,
            callbacks=tile.stopping.states_of(i),
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

    frame, task = tile.frame, tile.models[i].task
    layout = frame.layout_of(task)
    optimizer = tile.optimizer.state_dict_of(
        i,
        snapshot.optimizer,
        lr=float(snapshot.lr[i]),
        n_steps=n_steps,
        split=lambda row: layout.split(frame.own(task, row).clone()),
    )
    # torch counts the parameters that it does not train, too
    optimizer["state"] = {layout.places[k]: state for k, state in optimizer["state"].items()}
    optimizer["param_groups"][0]["params"] = list(range(layout.n_parameters))
    return {
        "epoch": epoch,
        "n_steps": n_steps,
        "weights": _state_dict(tile, i, snapshot),
        "optimizers": [optimizer],
    }


def _state_dict(tile: Tile, i: int, snapshot: Snapshot) -> dict[str, Any]:
    """State of the task of model ``i``, in tensors of its own: a file of views would hold the weights of all models."""
    frame, task = tile.frame, tile.models[i].task
    layout = frame.layout_of(task)
    held = {name: tensor[i].clone() for name, tensor in snapshot.held.items()}
    # one copy of all weights, which makes one record of a file
    own = layout.tensors(frame.own(task, snapshot.weights[i]).clone(), held)
    return {
        name: own[layout.stored[name]] if name in layout.stored else value for name, value in task.state_dict().items()
    }


def _tensors(tile: Tile, snapshot: Snapshot, i: int) -> dict[str, Tensor]:
    """Parameters and buffers of model ``i`` by name, as views where it has a row of its own length."""
    frame, task = tile.frame, tile.models[i].task
    held = {name: tensor[i] for name, tensor in snapshot.held.items()}
    return frame.layout_of(task).tensors(frame.own(task, snapshot.weights[i]), held)


def _to_cpu(snapshot: Snapshot) -> Snapshot:
    optimizer, held = (
        {name: tensor.cpu() for name, tensor in tensors.items()} for tensors in (snapshot.optimizer, snapshot.held)
    )
    return snapshot._replace(weights=snapshot.weights.cpu(), optimizer=optimizer, held=held)
