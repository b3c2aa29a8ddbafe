"""Runs that are put to use, and what their networks say when they are called by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch
from numpy.typing import NDArray

from src.build import build
from src.config.compose import compose_train
from src.measure import load_weights
from src.run.directory import RunDir
from src.train import train
from tests.data.table.tables import frame, written
from tests.tasks.runs import QUIET

SHORT = (*QUIET, "trainer.max_epochs=15", "optimizer=adam", "optimizer.lr=0.05", "model=mlp", "model.net.hidden=[8]")

KINDS = ("circles", "blobs", "line", "table", "numbers")


def trained(folder: Path, kind: str, *overrides: str) -> Path:
    """A run of some epochs: data that are drawn, a table with categories, or one whose target is a number."""
    given = [f"data={kind}"]
    if kind in ("table", "numbers"):
        folder.mkdir(parents=True, exist_ok=True)
        path = written(folder, content(kind), f"{kind}.csv")
        given = ["data=table", f"data.path={path}", "data.target=y"]
    run_dir = folder / kind
    train(compose_train([*given, *SHORT, *overrides], run_dir=run_dir))
    return run_dir


def content(kind: str, n: int = 120) -> polars.DataFrame:
    """Rows of a table: two numbers, a category, and a target."""
    rows = frame(n)
    if kind == "numbers":
        return rows.with_columns(y=polars.col("a") * 2 + polars.col("b") + 1000.5)
    signs = zip(rows["a"], rows["c"], strict=True)
    return rows.with_columns(y=polars.Series(["yes" if a > 5 or c == "red" else "no" for a, c in signs]))


def points(kind: str, n: int = 50, seed: int = 1) -> polars.DataFrame:
    """New rows with the columns that a run takes."""
    rng = np.random.default_rng(seed)
    if kind in ("table", "numbers"):
        words = rng.choice(["red", "green", "blue"], n)
        return polars.DataFrame({"a": rng.normal(5, 3, n), "b": rng.normal(-1, 0.1, n), "c": words})
    names = ("x",) if kind == "line" else ("X1", "X2")
    return polars.DataFrame({name: rng.normal(size=n) for name in names})


def by_hand(run_dir: Path, rows: polars.DataFrame, *, checkpoint: str = "best") -> NDArray[Any]:
    """What a run's network says of rows: probabilities (n, k), or values (n, 1)."""
    run = RunDir(run_dir)
    cfg = run.config()
    built = build(cfg, evaluate_only=True)
    load_weights(built.task, run.checkpoint(checkpoint))
    record = run.data_record()
    if record is None:
        x = rows.to_numpy()
    else:
        features = []
        for column in record["columns"]:
            values = rows[column["name"]].to_numpy()
            if column["kind"] == "number":
                features.append((values - column["mean"]) / column["scale"])
            else:
                features += [values == level for level in column["levels"]]
        x = np.stack(features, axis=1)
    found: NDArray[Any] = built.task.predict_probs(torch.from_numpy(x.astype(np.float32))).numpy()
    return found
