"""Measure what README claims about speed: ``python -m benchmarks.run``, or `make bench`.

Prints a table, writes ``outputs/bench.json``, and ends with status 1 if a promise is missed or cannot be trusted.
"""

import argparse
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks import around, big_data, busy, compiled, small_data, streamed, tables, vectorised
from benchmarks.figures import cost_curve
from benchmarks.timing import Claim, machine, write
from src.plots.style import save

GROUPS: dict[str, Callable[[], list[Claim]]] = {
    "config": small_data.config_only,
    "command": small_data.commands,
    "epoch": small_data.per_epoch,
    "big": big_data.epoch_over_a_million,
    "compile": compiled.claims,
    "together": vectorised.claims,
    "around": around.claims,
    "folds": tables.folds,
    "busy": busy.claims,
}


# Points from which the tensors outweigh what the process needs anyway for a moment.
MEASURABLE = 1_000_000
MEMORY_TARGET = 3
# Of ten thousand models.
MODELS_GB = 4

# Bytes that a streamed table may take beside what the process needs anyway, whatever its length.
STREAM_MB = 50

# What reading a table takes at its peak, in bytes of its values as float64.
TABLE_TARGET = 2.5

CURVES = ("curve", "models", "stream", "table")


def claims_table(claims: list[Claim]) -> Table:
    """A row per claim."""
    table = Table("ours / other", title="medians")
    for name in ("ours", "other", "ratio", "target"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for claim in claims:
        target = "" if claim.target is None else f"≤ {claim.target:g}"
        table.add_row(claim.name, _time(claim.ours), _time(claim.other), f"{claim.ratio:.2f}", target, claim.verdict())
    return table


def curve_table(rows: list[dict[str, Any]]) -> Table:
    """Cost per point and memory by number of points."""
    table = Table(title="one epoch, batch 4096")
    for name in ("points", "epoch", "ns per point", "memory over base, in bytes of the tensors"):
        table.add_column(name, justify="right")
    for row in rows:
        ratio = f"{row['memory_ratio']:.2f}" if row["n"] >= MEASURABLE else "too small to tell from the process"
        table.add_row(f"{row['n']:,}", _time(row["epoch_s"]), f"{row['ns_per_point']:.0f}", ratio)
    return table


def models_table(rows: list[dict[str, Any]]) -> Table:
    """Cost per model and memory by number of models."""
    table = Table(title="models that train together")
    for name in (
        "models",
        "ms per model and epoch",
        "of a plain loop",
        "memory of the process",
    ):
        table.add_column(name, justify="right")
    for row in rows:
        share = f"1/{row['plain_ms'] / row['ms']:.1f}"
        table.add_row(f"{row['n']:,}", f"{row['ms']:.3f}", share, f"{row['peak_gb']:.2f} GiB")
    return table


def stream_table(rows: list[dict[str, Any]]) -> Table:
    """Memory by number of rows of a streamed table."""
    table = Table(title="one epoch over a table that is streamed, chunks of 10,000 rows")
    for name in ("rows", "epoch", "file", "memory over base", "target"):
        table.add_column(name, justify="right")
    for row in rows:
        sizes = [f"{size / 2**20:.1f} MiB" for size in (row["file_bytes"], row["peak_bytes"] - row["base_bytes"])]
        table.add_row(f"{row['n']:,}", _time(row["epoch_s"]), *sizes, f"≤ {STREAM_MB} MiB")
    return table


def table_table(rows: list[dict[str, Any]]) -> Table:
    """Memory that a table takes while it is read."""
    table = Table(title="a CSV file of numbers, read into tensors")
    for name in ("rows", "time", "file", "tensors", "memory over base, in bytes of its values", "target"):
        table.add_column(name, justify="right")
    for row in rows:
        sizes = [f"{row[key] / 2**20:,.0f} MiB" for key in ("file_bytes", "tensor_bytes")]
        table.add_row(f"{row['n']:,}", _time(row["load_s"]), *sizes, f"{row['ratio']:.2f}", f"≤ {TABLE_TARGET}")
    return table


def curve_figure(rows: list[dict[str, Any]]) -> Figure:
    """Cost per point against the number of points."""
    counts, costs = [row["n"] for row in rows], [row["ns_per_point"] for row in rows]
    title = "An epoch with shuffling, metrics and validation, batch 4096"
    figure, axes = cost_curve(counts, costs, of="training points", unit="ns per point and epoch", title=title)
    axes.set_ylim(bottom=100)
    return figure


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.2f} ms"


def main() -> int:
    """Measure the groups that are asked for."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", choices=[[], *GROUPS, *CURVES], help="default: all")
    parser.add_argument("--out", type=Path, default=Path("outputs/bench.json"))
    arguments = parser.parse_args()
    groups = arguments.groups or [*GROUPS, *CURVES]
    console = Console(width=150)
    claims = [claim for name in groups if name in GROUPS for claim in GROUPS[name]()]
    rows = big_data.curve() if "curve" in groups else []
    console.print(" · ".join(f"{key}: {value}" for key, value in machine().items()))
    console.print(claims_table(claims))
    if rows:
        console.print(curve_table(rows))
        save(curve_figure(rows), arguments.out.with_name("cost_per_point.png"))
    models = vectorised.curve() if "models" in groups else []
    if models:
        console.print(models_table(models))
        save(vectorised.curve_figure(models), arguments.out.with_name("cost_per_model.png"))
    stream = streamed.curve() if "stream" in groups else []
    if stream:
        console.print(stream_table(stream))
    table = tables.curve() if "table" in groups else []
    if table:
        console.print(table_table(table))
    curves = {"curve": rows, "models": models, "stream": stream, "table": table}
    found = {"claims": [claim.as_json() for claim in claims], **curves}
    write(arguments.out, {"machine": machine(), **found})
    console.print(f"written to {arguments.out}")
    too_much_memory = any(row["memory_ratio"] > MEMORY_TARGET for row in rows if row["n"] >= MEASURABLE)
    too_much_memory |= any(row["peak_gb"] > MODELS_GB for row in models)
    too_much_memory |= any(row["peak_bytes"] - row["base_bytes"] > STREAM_MB * 2**20 for row in stream)
    too_much_memory |= any(row["ratio"] > TABLE_TARGET for row in table)
    return int(too_much_memory or any(not claim.holds() for claim in claims))


if __name__ == "__main__":
    sys.exit(main())
