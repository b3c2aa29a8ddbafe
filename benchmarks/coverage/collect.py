"""Train 2,000 runs of each of twelve configurations, and store what they have measured."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.coverage.results import STORED
from benchmarks.timing import scratch

N_RUNS = 2000
AT_ONCE = 2000  # jobs of a sweep

# Two configurations of each problem, which are compared on the same seeds.
PROBLEMS: dict[str, dict[str, str]] = {
    "moons": {
        "linear": "data=moons data.noise=0.2 model.net.hidden=[4] model.net.activation=identity trainer.max_epochs=50",
        "tanh": "data=moons data.noise=0.2 model.net.hidden=[4] model.net.activation=tanh trainer.max_epochs=50",
    },
    "circles": {
        "careful": "data=circles data.noise=0.1 data.factor=0.5 model.net.hidden=[3] optimizer=adam optimizer.lr=0.02 "
        "trainer.max_epochs=100",
        "bold": "data=circles data.noise=0.1 data.factor=0.5 model.net.hidden=[3] optimizer=adam optimizer.lr=0.1 "
        "trainer.max_epochs=100",
    },
    "spirals": {
        "relu": "data=spirals data.turns=0.75 model.net.hidden=[8,8] optimizer=adam optimizer.lr=0.03 "
        "trainer.max_epochs=100",
        "tanh": "data=spirals data.turns=0.75 model.net.hidden=[8,8] model.net.activation=tanh optimizer=adam "
        "optimizer.lr=0.03 trainer.max_epochs=100",
    },
    "xor": {
        "two units": "data=xor model.net.hidden=[2] optimizer=adam optimizer.lr=0.1 trainer.max_epochs=100",
        "three units": "data=xor model.net.hidden=[3] optimizer=adam optimizer.lr=0.1 trainer.max_epochs=100",
    },
    "sine": {
        "tanh": "data=sine model.net.hidden=[8] model.net.activation=tanh optimizer=adam optimizer.lr=0.05 "
        "trainer.max_epochs=150",
        "relu": "data=sine model.net.hidden=[8] optimizer=adam optimizer.lr=0.05 trainer.max_epochs=150",
    },
    "wine": {
        "SGD": "data=wine model.net.hidden=[8] optimizer.lr=0.3 trainer.max_epochs=50",
        "RMSprop": "data=wine model.net.hidden=[8] optimizer=rmsprop optimizer.lr=0.02 trainer.max_epochs=50",
    },
}
METRICS = ("val/loss", "test/accuracy", "test/chance", "test/mae", "test/r2")


def collect() -> None:
    """Train what is not yet stored, one sweep after the other, and store it."""
    found = dict(np.load(STORED)) if STORED.exists() else {}
    for problem, configurations in PROBLEMS.items():
        for name, overrides in configurations.items():
            group = f"{problem}, {name}"
            if any(key.startswith(f"{group}: ") for key in found):
                continue
            parts = [_sweep(overrides, first) for first in range(0, N_RUNS, AT_ONCE)]
            for metric in METRICS:
                values = np.concatenate([part[metric] for part in parts])
                if not np.isnan(values).all():
                    found[f"{group}: {metric}"] = values
            np.savez_compressed(STORED, **found)
            print(group, flush=True)


def _sweep(overrides: str, first: int) -> dict[str, NDArray[np.float32]]:
    """Metrics by name, (AT_ONCE,), in the order of seeds; nan where a run has none."""
    folder = scratch() / "sweep"
    command = ["-m", "src.train", "-m", "hydra/launcher=vmap", "hydra.launcher.pictures=none", "model=mlp"]
    command += ["callbacks=checkpoint", "logger=csv", "threads=1", "trainer=cpu", f"hydra.sweep.dir={folder}"]
    seeds = f"seed=range({first},{first + AT_ONCE})"
    with Path(os.devnull).open("w") as nothing:
        subprocess.run([sys.executable, *command, *overrides.split(), seeds], check=True, stdout=nothing)
    jobs = [_metrics(folder / str(job) / "result.json") for job in range(AT_ONCE)]
    shutil.rmtree(folder)
    return {name: np.array([job.get(name, math.nan) for job in jobs], np.float32) for name in METRICS}


def _metrics(path: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads(path.read_text()).get("metrics", {})
    return found
