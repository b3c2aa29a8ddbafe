"""Claims about models that train together: circle_v2, each with a seed of its own."""

import copy
import json
import resource
import subprocess
import sys
import time
from typing import Any

import torch
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from benchmarks.figures import cost_curve
from benchmarks.lightning_pattern import fit as usual_fit
from benchmarks.problem import circle_net, circles, plain_loop
from benchmarks.timing import Claim, command, in_turn, scratch
from src.build import build, build_trainer
from src.config.compose import compose_train
from src.console.sweep import NoProgress
from src.plots.style import color
from src.sweep.jobs import Job
from src.vmap.limits import Limits
from src.vmap.models import ModelFactory
from src.vmap.module import StackedModule
from src.vmap.stacked.fused import is_fit

EPOCHS = 1000
# Enough of what is a hundred times slower; the rest is scaled.
FEW = 4
MANY = 1024
MEASURED = ("task.eval_every_n_epochs=1", "task.log_every_n_epochs=10")
WIDTHS = (8, 10, 12, 16, 20, 24, 28, 32)
COUNTS = (1, 4, 16, 64, 256, 1024, 4096, 10_000)


def jobs(n: int, epochs: int, *overrides: str) -> list[Job]:
    """Models that differ in their seeds, measured every epoch."""
    folder = scratch()
    given = (f"trainer.max_epochs={epochs}", "trainer=cpu", "callbacks=none", "logger=csv", *overrides)
    cfg = compose_train(given, run_dir=folder)
    made = []
    for number in range(n):
        own = copy.deepcopy(cfg)
        own.seed, own.run_dir = number, str(folder / str(number))
        made.append(
            Job.of(number, (*given, f"seed={number}"), own, OmegaConf.create({"hydra": {"job": {"num": number}}}))
        )
    return made


def together(made: list[Job], *, fused: bool = True) -> float:
    """Seconds of training and evaluating models, without what stands around it; by PyTorch if it is not ``fused``."""
    factory = ModelFactory()
    cfg = made[0].cfg
    trainer = build_trainer(cfg, [], [])
    models = [factory.model(job) for job in made]
    cpu = torch.device("cpu")
    limits = Limits.of(models[0], models[0].task.net, cpu, memory_gb=None, tile=None, fused=fused)
    size = factory.batch_size(made[0])
    with factory.computing_threads(made[0]) as threads:
        module = StackedModule(
            models,
            batch_size=size,
            monitor=None,
            tile=limits.tile_of(len(made)),
            progress=NoProgress(),
            threads=threads,
            fused=fused and is_fit([model.task for model in models]),
        )
        start = time.perf_counter()
        trainer.fit(module, train_dataloaders=[0])
        return time.perf_counter() - start


def plain(epochs: int) -> float:
    """Seconds of a plain loop that trains and evaluates one model every epoch."""
    parts = circles().make_parts()
    return plain_loop(circle_net(), parts.train, parts.val, epochs)[0]


def per_model_epoch() -> Claim:
    """256 models together, against one in a plain loop; seconds per model and epoch."""
    made = jobs(256, 40, *MEASURED)
    return in_turn(
        "256 models together / plain loop, per model and epoch",
        lambda: together(made) / 256 / 40,
        lambda: plain(400) / 400,
        target=1 / 10,
    )


def compiled_kernel() -> list[Claim]:
    """256 models, measured every tenth epoch: Numba against PyTorch, and against 10 µs; per model and epoch."""
    made = jobs(256, EPOCHS)
    claim = in_turn(
        "256 models together, Numba / PyTorch, per model and epoch",
        lambda: together(made) / 256 / EPOCHS,
        lambda: together(made, fused=False) / 256 / EPOCHS,
        target=1 / 2,
    )
    absolute = Claim("256 models together, Numba / 10 µs", claim.ours_s, [1e-5] * len(claim.ours_s), target=1)
    return [claim, absolute]


def of_widths() -> Claim:
    """A hidden layer of 8 to 32 units, padded to train together, against the single runs."""
    made = jobs(len(WIDTHS), EPOCHS, "model=mlp")
    for job, width in zip(made, WIDTHS, strict=True):
        job.cfg.model.net.hidden = [width]
    return in_turn("8 widths together / single runs", lambda: together(made), lambda: sum(map(_alone, made)))


def _alone(job: Job) -> float:
    built = build(job.cfg)
    start = time.perf_counter()
    built.fit()
    return time.perf_counter() - start


def sweep(n: int, *overrides: str) -> float:
    """Seconds of a whole sweep."""
    return command(
        *("-m", "src.train", "-m", f"seed=range(0,{n})", "trainer=cpu", f"trainer.max_epochs={EPOCHS}"),
        *(f"hydra.sweep.dir={scratch()}/sweep", *overrides),
    )


def whole_command() -> list[Claim]:
    """1,024 jobs of 1000 epochs, against few jobs of each other way, scaled; each is run once."""
    ours = sweep(MANY, "hydra/launcher=vmap", "logger=csv") / MANY
    start = time.perf_counter()
    usual_fit(scratch(), EPOCHS)
    usual = time.perf_counter() - start
    # the first job of a sweep pays for the start of the process
    basic = (sweep(1 + FEW, "logger=csv") - sweep(1, "logger=csv")) / FEW
    loop = sum(plain(EPOCHS) for _ in range(FEW)) / FEW
    return [
        Claim("1,024 jobs together, per job / usual LightningModule", [ours], [usual], target=1 / 100),
        Claim("1,024 jobs together, per job / a job of the basic launcher", [ours], [basic], target=1 / 20),
        Claim("1,024 jobs together, per job / plain loop", [ours], [loop], target=1 / 5),
    ]


def claims() -> list[Claim]:
    """All of them."""
    return [per_model_epoch(), *compiled_kernel(), of_widths(), *whole_command()]


def curve() -> list[dict[str, Any]]:
    """Seconds per model and epoch by number of models, and the memory of the largest, each in a process of its own."""
    rows = []
    for n in COUNTS:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.vectorised", str(n)], capture_output=True, text=True, check=True
        )
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    return rows


def curve_figure(rows: list[dict[str, Any]]) -> Figure:
    """Cost per model and epoch against the number of models."""
    counts, costs = [row["n"] for row in rows], [row["ms"] for row in rows]
    title = "circle_v2, 800 points, measured every epoch"
    figure, axes = cost_curve(counts, costs, of="models", unit="ms per model and epoch", title=title)
    axes.axhline(rows[0]["plain_ms"], color=color(1), linestyle="--")
    axes.set_ylim(top=2 * rows[0]["plain_ms"])
    axes.text(counts[-1], 1.1 * rows[0]["plain_ms"], "plain loop, one model after the other", ha="right", va="bottom")
    axes.text(counts[3], 1.1 * costs[3], "together", va="bottom")
    return figure


def _row(n: int) -> dict[str, Any]:
    epochs = max(10, min(400, 20_000 // n))
    made = jobs(n, epochs, *MEASURED)
    seconds = min(together(made) for _ in range(2 if n < 1000 else 1))
    # training alone; the files of one model after the other add little
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"n": n, "ms": seconds / n / epochs * 1e3, "plain_ms": plain(400) / 400 * 1e3, "peak_gb": peak}


if __name__ == "__main__":
    print(json.dumps(_row(int(sys.argv[1]))))
