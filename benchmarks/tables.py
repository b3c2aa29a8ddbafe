"""What a table takes: memory while it is read, and what networks reach on the real sets of scikit-learn.

``python -m benchmarks.tables load N`` reads a CSV file of N rows and 20 columns in a process of its own and prints the
bytes of its tensors and resident memory before and at its peak; ``python -m benchmarks.tables sets`` compares networks
with scikit-learn's own over ten seeds, and writes docs/reference/tables.md.
"""

import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars

from benchmarks.big_data import peak_bytes
from benchmarks.timing import ROOT, Claim, command, in_turn, scratch
from src.build import build_data
from src.config.compose import compose_train
from src.data.table.module import TableDataModule
from src.run.directory import RunDir

N_ROWS = 10_000_000
N_COLUMNS = 20

# A hundred folds over one, whole commands.
FOLDS_TARGET = 2

TARGETS = """\
The target of a regression is not standardised: losses and predictions are in its own unit. One that is large, or far
from zero beside its spread, is learnt slowly or not at all; a column of (target - mean) / spread in its place is learnt
most easily. A run whose predictions are worse than the mean of the training part says so in its hints.
"""


def write_table(file: Path, n_rows: int, *, chunk_rows: int = 500_000) -> Path:
    """Write numbers, and a target of two classes; a chunk in memory at a time."""
    generator = np.random.default_rng(0)
    with file.open("wb") as opened:
        for start in range(0, n_rows, chunk_rows):
            n = min(chunk_rows, n_rows - start)
            columns = {f"x{i}": generator.normal(size=n).astype(np.float32) for i in range(N_COLUMNS - 1)}
            frame = polars.DataFrame({**columns, "y": columns["x0"] + columns["x1"] > 0})
            frame.write_csv(opened, include_header=start == 0, float_precision=5)
    return file


def table(path: Path) -> TableDataModule:
    """The data module of a file, as its configuration makes it."""
    return TableDataModule(
        path=str(path), target="y", test_size=0.2, val_size=0.2, split_seed=42, batch_size=4096, batch_seed=0
    )


def load(n_rows: int) -> dict[str, Any]:
    """Read so many rows in this process."""
    folder = scratch()
    # everything is imported and has run once before memory is read
    _ = table(write_table(folder / "small.csv", 1_000)).parts
    file = write_table(folder / "table.csv", n_rows)
    subprocess.run(["sync"], check=False)
    base = _resident()
    datamodule, start = table(file), time.perf_counter()
    parts = datamodule.parts
    seconds = time.perf_counter() - start
    size = file.stat().st_size
    file.unlink()
    tensors = sum(tensor.numel() * tensor.element_size() for part in parts for tensor in part)
    peak = peak_bytes()
    return {
        "n": n_rows,
        "load_s": seconds,
        "file_bytes": size,
        "tensor_bytes": tensors,
        "base_bytes": base,
        "peak_bytes": peak,
        "ratio": (peak - base) / (n_rows * N_COLUMNS * 8),
    }


def folds() -> list[Claim]:
    """A hundred folds of a real table beside one of them: whole commands."""
    common = ("-m", "src.train")
    data = ("data=breast_cancer", "model=mlp", "data.folds=10", "data.repeats=10", "logger=csv")

    def many() -> float:
        sweep = ("data.fold=range(100)", "hydra/launcher=vmap", f"hydra.sweep.dir={scratch()}/sweep")
        return command(*common, "-m", *data, *sweep)

    def one() -> float:
        return command(*common, *data, "data.fold=0", f"run_dir={scratch()}/run")

    return [in_turn("10 x 10 folds of breast_cancer / one of them", many, one, target=FOLDS_TARGET, pairs=3)]


def _resident() -> int:
    """Bytes that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def curve() -> list[dict[str, Any]]:
    """Memory of a table of ten million rows, in a process of its own."""
    arguments = [sys.executable, "-m", "benchmarks.tables", "load", str(N_ROWS)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    return [json.loads(done.stdout.splitlines()[-1])]


# What is trained on each set beside the default of `model=mlp`, the metric, and its name in scikit-learn.
CONFIGURATIONS: dict[str, tuple[str, ...]] = {
    "iris": ("optimizer.lr=0.01",),
    "wine": ("optimizer.lr=0.01", "model.net.dropout=0.2"),
    "breast_cancer": ("optimizer.lr=0.01", "model.net.dropout=0.2"),
    "digits": ("optimizer.lr=0.01", "model.net.hidden=[100]", "model.net.dropout=0.2"),
    "diabetes": ("optimizer.lr=0.1", "trainer.max_epochs=400"),
}
COMMON = ("model=mlp", "optimizer=adam")
SEEDS = range(10)


def compare(name: str) -> dict[str, Any]:
    """Scores on the test part over ten seeds, of draws of the split and of weights: ours, and scikit-learn's."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    folder = scratch()
    metric = "test/r2" if name == "diabetes" else "test/accuracy"
    given = [
        "-m",
        "hydra/launcher=vmap",
        f"data={name}",
        *COMMON,
        *CONFIGURATIONS[name],
        "logger=csv",
        "callbacks=checkpoint",
    ]
    sweep = [f"seed=range(0,{len(SEEDS)})", "data.split_seed=${seed}", f"hydra.sweep.dir={folder}/{name}"]
    subprocess.run([sys.executable, "-m", "src.train", *given, *sweep], cwd=ROOT, check=True, capture_output=True)
    ours, theirs = [], []
    for seed in SEEDS:
        result = RunDir(folder / name / str(seed)).result()
        assert result is not None
        ours.append(float(result.metrics[metric] or "nan"))
        train, _, test = (
            (part.x.numpy(), part.y.numpy().ravel())
            for part in build_data(compose_train([f"data={name}", f"seed={seed}", "data.split_seed=${seed}"])).parts
        )
        kind = MLPRegressor if name == "diabetes" else MLPClassifier
        theirs.append(float(kind(random_state=seed).fit(*train).score(*test)))
    return {"set": name, "metric": metric, "ours": ours, "theirs": theirs, "command": " ".join(given[2:-2])}


def comparison() -> str:
    """A page with a row per set."""
    rows = [compare(name) for name in CONFIGURATIONS]
    lines = [
        "# What networks reach on real tables",
        "",
        "The sets that come with scikit-learn, ten seeds each, of which each draws another split and other weights. "
        "`MLPClassifier` and `MLPRegressor` have their defaults, and get the same training and test rows, standardised "
        "alike; on diabetes these defaults end long before they have converged. Made by "
        "`python -m benchmarks.tables sets`.",
        "",
        "| set | metric | this project | scikit-learn | difference | configuration |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        ours, theirs = np.array(row["ours"]), np.array(row["theirs"])
        cells = [f"{100 * each.mean():.1f} ± {100 * each.std(ddof=1):.1f}" for each in (ours, theirs, ours - theirs)]
        lines.append(f"| {row['set']} | {row['metric']}, % | {' | '.join(cells)} | `{row['command']}` |")
    lines += ["", "Mean ± standard deviation over the seeds.", "", TARGETS]
    return "\n".join(lines)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1] == "load":
        print(json.dumps(load(int(sys.argv[2]))))
    else:
        page = comparison()
        (ROOT / "docs" / "reference" / "tables.md").write_text(page)
        print(page)
