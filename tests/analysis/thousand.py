"""A thousand run directories, made in a moment from one."""

import math
from pathlib import Path

import numpy as np

from src.config.compose import compose_train
from src.plots.boundary import boundary_figure
from src.plots.style import save
from src.run.directory import RunDir
from src.run.result import Metric, Result

_N_SEEDS = 10


def make_thousand(sweep_dir: Path, *, n: int = 1000) -> None:
    """Write runs of 10 activations x 10 rates x 10 seeds, the shape of a search by grid.

    Results differ; curves and pictures are everywhere the same, and one file.
    """
    overrides = ["model=mlp", "optimizer=adam", "optimizer.lr=0.5", "model.net.activation=tanh", "seed=7"]
    first = RunDir(sweep_dir.parent / "first")
    first.claim(compose_train(overrides, run_dir=first.path), overrides=overrides)
    metrics = {f"{split}/{name}": 0.5 for split in ("val", "test") for name in ("loss", "accuracy", "f1")}
    Result(
        status="completed",
        seed=7,
        overrides=overrides,
        metrics=metrics,
        optimized_metric=Metric("val/loss", 0.5),
        duration_s=1.0,
    ).write(first.result_file)
    write_metrics(first.path)
    draw_boundary(first.path)
    texts = {path: path.read_text() for path in (first.config_file, first.result_file)}
    for i in range(n):
        activation, rate, seed = f"act{i // 100}", 0.01 * (i // _N_SEEDS % 10 + 1), i % _N_SEEDS
        changes = {
            "tanh": activation,
            "lr: 0.5": f"lr: {rate}",
            "lr=0.5": f"lr={rate}",
            "seed: 7": f"seed: {seed}",
            "seed=7": f"seed={seed}",
            'seed": 7': f'seed": {seed}',
            'loss": 0.5': f'loss": {0.5 + i % 7 * 0.01 + i // _N_SEEDS}',
        }
        for path, text in texts.items():
            new = text
            for old, value in changes.items():
                new = new.replace(old, value)
            target = sweep_dir / str(i) / path.relative_to(first.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(new)
        (sweep_dir / str(i) / "plots").mkdir()
        for name in ("metrics.csv", "plots/boundary.png"):
            (sweep_dir / str(i) / name).hardlink_to(first.path / name)


def write_metrics(path: Path, *, rate: float = 0.005, n: int = 100) -> None:
    """Write a metrics.csv in which everything gets better."""
    lines = ["epoch,step,train/loss,train/accuracy,val/loss,val/accuracy,lr"]
    for epoch in range(0, 10 * n, 10):
        loss = 0.7 * math.exp(-rate * epoch)
        lines.append(f"{epoch},{epoch + 1},{loss},{1 - loss / 2},{1.1 * loss},{1 - loss / 1.8},0.01")
    (path / "metrics.csv").write_text("\n".join(lines) + "\n")


def draw_boundary(path: Path, *, slope: float = 1.0) -> None:
    """Draw plots/boundary.png of two classes that a line divides."""
    points = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    labels = (points[:, 0] > 0).astype(np.int64)

    def predict(x: np.ndarray) -> np.ndarray:
        probs = 1 / (1 + np.exp(-(x[:, 0] - slope * x[:, 1])))
        return np.stack([1 - probs, probs], axis=1).astype(np.float32)

    part = points, labels
    names = {"class_names": ("a", "b"), "feature_names": ("x", "y")}
    save(boundary_figure(predict, part, part, **names, title="a line"), path / "plots" / "boundary.png")
