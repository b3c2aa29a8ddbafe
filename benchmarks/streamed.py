"""Memory of a run over a table that is streamed.

``python -m benchmarks.streamed N`` trains one epoch over a table of N rows in a process of its own and prints bytes of
the file, and resident memory before the run and at its peak.
"""

import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.big_data import peak_bytes
from benchmarks.timing import ROOT, scratch
from src.build import Built, build
from src.config.compose import compose_train

SIZES = (100_000, 1_000_000)
FEATURES = ("a", "b", "c", "d")


def write_table(file: Path, n_rows: int, *, chunk_rows: int = 10_000) -> Path:
    """Write a table whose target is a smooth function of its features, with noise; a chunk in memory at a time."""
    generator = np.random.default_rng(0)
    with file.open("w", encoding="utf-8") as lines:
        lines.write(",".join([*FEATURES, "y"]) + "\n")
        for start in range(0, n_rows, chunk_rows):
            x = generator.normal(size=(min(chunk_rows, n_rows - start), len(FEATURES)))
            y = 10 + 3 * x[:, 0] - 2 * x[:, 1] * x[:, 2] + 0.1 * x[:, 3]
            np.savetxt(lines, np.column_stack([x, y]), fmt="%.5f", delimiter=",")
    return file


def built_for(file: Path, *overrides: str) -> Built:
    """A run over a table, with nothing on but metrics."""
    given = [
        "module=table_mlp",
        f"data.file={file}",
        f"data.features=[{','.join(FEATURES)}]",
        "data.target=y",
        "trainer.max_epochs=1",
        "trainer=cpu",
        "callbacks=none",
        "logger=csv",
        *overrides,
    ]
    return build(compose_train(given, run_dir=scratch()))


def curve() -> list[dict[str, Any]]:
    """Memory by number of rows."""
    rows = []
    for n_rows in SIZES:
        arguments = [sys.executable, "-m", "benchmarks.streamed", str(n_rows)]
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    return rows


def measure(n_rows: int) -> dict[str, Any]:
    """One epoch over a table of so many rows in this process."""
    warnings.simplefilter("ignore")
    # more threads would only wait for each other with tensors of this size
    torch.set_num_threads(1)
    folder = scratch()
    # everything is imported and has run once before memory is read
    built_for(write_table(folder / "small.csv", 20_000)).fit()
    file = write_table(folder / "table.csv", n_rows)
    base = peak_bytes()
    built = built_for(file)
    start = time.perf_counter()
    built.fit()
    seconds = time.perf_counter() - start
    size = file.stat().st_size
    file.unlink()
    return {
        "n": n_rows,
        "epoch_s": seconds,
        "file_bytes": size,
        "base_bytes": base,
        "peak_bytes": peak_bytes(),
        "val_loss": float(built.trainer.callback_metrics["val/loss"]),
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
