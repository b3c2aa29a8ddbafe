"""What stacked jobs share with their single runs, and what stacking saves: ``python -m benchmarks.stacked``.

Trains combinations of data, models, optimisers, batches and precisions both ways, and prints the largest differences of
each kind; then networks of several kinds, with the time of both ways. docs/explanations/stacked.md quotes what it
prints.
"""

import argparse
import contextlib
import copy
import itertools
import logging
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from benchmarks.timing import scratch
from src.config.compose import compose_train
from src.run.metrics import read_metrics
from src.sweep.jobs import Job
from src.tasks.checkpoint import load_checkpoint
from src.train import train
from src.vmap.models import ModelFactory
from src.vmap.planning.plan import plan
from src.vmap.train import StackOptions, train_stack

PROBLEMS = (
    ("data=circles", "model=circle_v0"),
    ("data=circles", "model=circle_v1"),
    ("data=circles", "model=circle_v2"),
    ("data=circles", "model=mlp", "model.net.activation=tanh"),
    ("data=blobs", "model=blob"),
    ("data=blobs", "model=mlp", "model.net.activation=gelu"),
    ("data=line", "model=line"),
    ("data=line", "model=mlp"),
)
OPTIMIZERS: dict[str, tuple[str, ...]] = {
    "SGD": (),
    "SGD, momentum, weight decay": ("optimizer.momentum=0.9", "optimizer.weight_decay=0.001"),
    "SGD, cosine": ("scheduler=cosine",),
    "Adam": ("optimizer=adam",),
    "Adam, plateau": ("optimizer=adam", "scheduler=plateau"),
    "AdamW": ("optimizer=adamw",),
    "RMSprop": ("optimizer=rmsprop", "optimizer.lr=0.001"),
}
BATCHES = (("one batch", ()), ("batches of 64", ("data.batch_size=64",)))
PRECISIONS = ("32-true", "64-true")
EPOCHS = 50
NEAR = 1e-5

# Jobs of the second part, and how many of them also train by themselves.
MANY, FEW = 64, 4

QUIET = ("trainer=cpu", "callbacks=checkpoint", "logger=csv")


def make_jobs(given: Sequence[str], each: Sequence[Sequence[str]], **targets: str) -> list[Job]:
    """Jobs that share overrides and have some of their own."""
    folder = scratch()
    made = []
    for number, own in enumerate(each):
        cfg = compose_train([*QUIET, *given, *own], run_dir=folder / str(number))
        if "net" in targets:
            cfg.model = {"name": "own", "task": None, "net": {"_target_": targets["net"]}}
        if "optimizer" in targets:
            cfg.optimizer = {"_target_": targets["optimizer"], "_partial_": True, "lr": cfg.optimizer.lr}
        made.append(Job.of(number, (*given, *own), cfg, OmegaConf.create({"hydra": {"job": {"num": number}}})))
    return made


def train_alone(job: Job) -> Path:
    """The single run of a job, in a directory of its own."""
    cfg = copy.deepcopy(job.cfg)
    cfg.run_dir = str(scratch() / "alone")
    with Path(os.devnull).open("w") as nothing, contextlib.redirect_stdout(nothing):
        train(cfg, overrides=job.overrides)
    return Path(cfg.run_dir)


def differences(job: Job, alone: Path) -> dict[str, float]:
    """Largest differences of what a job has left in its stack and by itself: of losses, scores and weights.

    As a share of what is larger than 1.
    """
    columns = read_metrics(job.run_dir / "metrics.csv")
    found = {"loss": 0.0, "score": 0.0}
    for name, expected in read_metrics(alone / "metrics.csv").items():
        if "/" in name:
            kind = "loss" if name.endswith("/loss") else "score"
            shares = [abs(a - b) / max(1, abs(b)) for a, b in zip(columns[name], expected, strict=True)]
            found[kind] = max(found[kind], *shares)
    stacked, single = (load_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"] for run in (job.run_dir, alone))
    found["weights"] = max(float((stacked[name] - single[name]).abs().max()) for name in single)
    return found


def agreement() -> Iterator[tuple[str, str, list[dict[str, float]]]]:
    """For each optimiser and precision the largest differences of each combination."""
    for (name, optimizer), precision in itertools.product(OPTIMIZERS.items(), PRECISIONS):
        found: list[dict[str, float]] = []
        for problem, (_, batches) in itertools.product(PROBLEMS, BATCHES):
            given = (*problem, *optimizer, *batches, f"trainer.precision={precision}", f"trainer.max_epochs={EPOCHS}")
            jobs = make_jobs(given, [("seed=0",), ("seed=1", "data.batch_seed=5")])
            train_stack(jobs, StackOptions())
            pair = [differences(job, train_alone(job)) for job in jobs]
            found.append({key: max(each[key] for each in pair) for key in pair[0]})
        yield name, precision, found


class Plain(nn.Module):
    """A network of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.middle, self.outer = nn.Linear(2, 16), nn.Linear(16, 16), nn.Linear(16, 1)

    def hidden(self, x: Tensor) -> Tensor:
        """Units (n, 16) before the last layer."""
        return torch.tanh(self.middle(torch.tanh(self.inner(x))))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 1)."""
        outputs: Tensor = self.outer(self.hidden(x))
        return outputs


class Temperature(Plain):
    """With a learnt scalar."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 1)."""
        return super().forward(x) / self.temperature


class Tied(Plain):
    """With one matrix in two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.again = nn.Linear(16, 16)
        self.again.weight = self.middle.weight

    def hidden(self, x: Tensor) -> Tensor:
        """Units (n, 16) before the last layer."""
        return torch.tanh(self.again(super().hidden(x)))


class Frozen(Plain):
    """With a first layer that stays as it was drawn, and features in a buffer."""

    directions: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.inner.requires_grad_(requires_grad=False)
        self.register_buffer("directions", torch.randn(2, 2))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 1)."""
        return super().forward(torch.sin(x @ self.directions))


class Dropping(Plain):
    """With dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.2)

    def hidden(self, x: Tensor) -> Tensor:
        """Units (n, 16) before the last layer."""
        units: Tensor = self.dropout(super().hidden(x))
        return units


class Normed(Plain):
    """With batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(16)

    def hidden(self, x: Tensor) -> Tensor:
        """Units (n, 16) before the last layer."""
        units: Tensor = self.norm(super().hidden(x))
        return units


KINDS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "shipped network, SGD": (("model=circle_v2",), {}),
    "any optimiser (Adagrad)": (("model=circle_v2",), {"optimizer": "torch.optim.adagrad.Adagrad"}),
    "early stopping": (("model=circle_v2", "callbacks=early_stopping", "callbacks.early_stopping.patience=3"), {}),
    "a network of one's own": ((), {"net": f"{__name__}.Plain"}),
    "learnt scalar": ((), {"net": f"{__name__}.Temperature"}),
    "tied weights": ((), {"net": f"{__name__}.Tied"}),
    "frozen weights and a buffer": ((), {"net": f"{__name__}.Frozen"}),
    "dropout": ((), {"net": f"{__name__}.Dropping"}),
    "batch normalisation": ((), {"net": f"{__name__}.Normed"}),
}
# What draws or shows is left out of both ways.
SILENT = tuple(
    f"callbacks.{name}=null"
    for name in ("progress", "summary", "pictures", "boundary_frames", "precision_recall", "model_graph")
)


def gains() -> Iterator[tuple[str, float, float, float]]:
    """For each kind of network: seconds of the proof, and of a job that is stacked and of one that is not, all in."""
    for name, (given, targets) in KINDS.items():
        silent = SILENT if any(each.startswith("callbacks=") for each in given) else ()
        jobs = make_jobs((*given, *silent, "trainer.max_epochs=500"), [(f"seed={i}",) for i in range(MANY)], **targets)
        factory = ModelFactory()
        start = time.perf_counter()
        found = plan(jobs, factory)
        proven = time.perf_counter()
        if len(found.stacks) != 1:
            raise SystemExit(f"{name}: {found.single[0][1]}")
        train_stack(jobs, StackOptions(), factory=factory)
        stacked = (time.perf_counter() - proven) / MANY
        train_alone(jobs[0])
        start_alone = time.perf_counter()
        for job in jobs[:FEW]:
            train_alone(job)
        yield name, proven - start, stacked, (time.perf_counter() - start_alone) / FEW


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["agreement", "gains"])
    part = parser.parse_args().part
    # so that threads do not wait for each other, on a machine that has other work as well
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    if part == "agreement":
        print(f"| optimiser | precision | combinations | of these within {NEAR:g} | loss | score | weights |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for name, precision, found in agreement():
            columns = {key: [each[key] for each in found] for key in ("loss", "score", "weights")}
            near = sum(value <= NEAR for value in columns["loss"])
            numbers = " | ".join(f"{statistics.median(each):.0e}, {max(each):.0e}" for each in columns.values())
            print(f"| {name} | {precision} | {len(found)} | {near} | {numbers} |", flush=True)
    else:
        print("| jobs with | proof, s | stacked, ms per job | by itself | gain |\n| --- | --- | --- | --- | --- |")
        for name, proof, stacked, alone in gains():
            print(
                f"| {name} | {proof:.1f} | {1e3 * stacked:.0f} | {1e3 * alone:.0f} | {alone / stacked:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
