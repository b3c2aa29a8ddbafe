"""Models of a cohort, one by one, once they are trained: their rows and their states, as a single run has them.

Axes: ``p`` weights of one model, ``e`` measured epochs.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from torch import Tensor

from src.tasks.base import Task
from src.tasks.finite import NonFiniteLossError
from src.vmap.cohort import Cohort, Snapshot
from src.vmap.members import Member

Row = dict[str, float]


@dataclass(frozen=True)
class Trained:
    """A model after its training.

    Attributes:
        member: What it began with.
        rows: Epoch, step, losses, scores and learning rate of the measured epochs, up to the one that has lost it.
        error: Why it has failed; None if it has not.
        first_weights: The parameters that it began with.
        weights: The last weights (p,).
        best_weights: Those of the best epoch; None if no epoch had a finite score.
        state: Weights and optimiser as in a checkpoint of the last epoch.
        best_state: As in one of the best epoch.
        best_score: What the best weights were chosen by.
        scheduler: State of the scheduler; None without one.
        numbers: Of the optimiser, as the configuration sets them.
        n_steps: Steps of the optimiser.
    """

    member: Member
    rows: list[Row]
    error: NonFiniteLossError | None
    first_weights: list[Tensor]
    weights: Tensor
    best_weights: Tensor | None
    state: dict[str, Any]
    best_state: dict[str, Any] | None
    best_score: float
    scheduler: dict[str, Any] | None
    numbers: dict[str, Any]
    n_steps: int


def trained(cohort: Cohort, *, n_epochs: int) -> Iterator[Trained]:
    """All models of a cohort that has trained so many epochs."""
    last = _to_cpu(cohort.snapshot(n_epochs))
    best = None if cohort.best is None else _to_cpu(cohort.best)
    means, lrs = cohort.means, cohort.lrs
    for i, member in enumerate(cohort.members):
        rows, error = _until_lost(_rows(cohort, means[:, :, i], lrs[:, i]))
        best_score = float(cohort.best_score[i])
        own_best = best if best_score < math.inf else None
        group = cohort.optimizer.groups[i]
        yield Trained(
            member=member,
            rows=rows,
            error=error,
            first_weights=_copies(cohort.net.split(member.weights.to(last.weights))),
            weights=last.weights[i],
            best_weights=None if own_best is None else own_best.weights[i],
            state=_state(cohort, i, last, n_epochs=n_epochs),
            best_state=None if own_best is None else _state(cohort, i, own_best, n_epochs=n_epochs),
            best_score=best_score,
            scheduler=cohort.rates.state_dict(i),
            numbers={**group, "lr": group.get("initial_lr", group["lr"])},
            n_steps=n_epochs * cohort.n_batches,
        )


def score_names(task: Task) -> list[str]:
    """What a cohort measures, in its order."""
    return [f"{split}/{name}" for split in ("train", "val") for name in ("loss", task.score_name)]


def _rows(cohort: Cohort, means: Tensor, lrs: Tensor) -> list[Row]:
    """Rows of one model from its means (e, 4) and learning rates (e,)."""
    names = score_names(cohort.task)
    return [
        {"epoch": epoch, "step": (epoch + 1) * cohort.n_batches, **dict(zip(names, values, strict=True)), "lr": lr}
        for epoch, values, lr in zip(cohort.epochs, means.tolist(), lrs.tolist(), strict=True)
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


def _state(cohort: Cohort, i: int, snapshot: Snapshot, *, n_epochs: int) -> dict[str, Any]:
    """Weights and optimiser of one model, in the layout of Lightning's checkpoints."""
    epoch, split, optimizer = int(snapshot.epoch[i]), cohort.net.split, cohort.optimizer
    # a checkpoint within an epoch bears its number, one after the last epoch the number of epochs
    n_steps = min(epoch + 1, n_epochs) * cohort.n_batches
    weights = dict(zip(cohort.net.names, _copies(split(snapshot.weights[i])), strict=True))
    states: dict[int, dict[str, Tensor]] = {}
    for name in optimizer.names_of(i):
        for place, piece in enumerate(_copies(split(snapshot.state[name][i]))):
            # every parameter counts its steps by itself
            count = {"step": torch.tensor(float(n_steps))} if optimizer.counts_steps else {}
            states.setdefault(place, count)[name] = piece
    group = {**optimizer.groups[i], "lr": float(snapshot.lr[i]), "params": list(range(len(weights)))}
    # such as the weights of classes, which belong to the loss
    others = {name: value for name, value in cohort.task.state_dict().items() if not name.startswith("net.")}
    return {
        "epoch": epoch,
        "global_step": n_steps,
        "pytorch-lightning_version": lightning.__version__,
        "state_dict": {**{f"net.{name}": weight for name, weight in weights.items()}, **others},
        "optimizer_states": [{"state": states, "param_groups": [group]}],
    }


def _copies(views: Sequence[Tensor]) -> list[Tensor]:
    """Tensors of their own: a file of a view would hold the weights of all models."""
    return [view.clone() for view in views]


def _to_cpu(snapshot: Snapshot) -> Snapshot:
    state: Mapping[str, Tensor] = {name: tensor.cpu() for name, tensor in snapshot.state.items()}
    return snapshot._replace(weights=snapshot.weights.cpu(), state=dict(state))
