"""What a run prints: its configuration as a tree, its results as tables."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from src.config.metrics import number, share, split_of
from src.console.terminal import open_terminal
from src.run.result import Result

log = logging.getLogger(__name__)


def print_config(cfg: DictConfig) -> None:
    """Print the composed configuration; values that refer to others are shown as they come out."""
    tree = Tree(Text("config", style="bold"))
    _grow(tree, OmegaConf.to_container(cfg, resolve=True))
    open_terminal().print(tree)


def _grow(tree: Tree, node: Any) -> None:
    for key, value in node.items():
        if isinstance(value, dict) and value:
            _grow(tree.add(Text(str(key), style="bold")), value)
        else:
            # Text, since a plain string's square brackets and colons would be read as markup and emoji
            tree.add(Text(f"{key}: {value}"))


def print_end(result: Result, *, run_dir: Path, is_job: bool) -> None:
    """Print what a run has come to; of one of the many runs of a sweep, whose end shows them in tables, a line."""
    if is_job:
        log.info("%s", end_line(result, run_dir=run_dir))
    else:
        print_results(vars(result), run_dir=run_dir)


def end_line(result: Result, *, run_dir: Path) -> str:
    """What a job that has completed says of itself."""
    assert result.optimized_metric is not None
    assert result.value is not None
    return f"{result.optimized_metric.name}={number(result.value)} in {run_dir}"


def print_results(result: Mapping[str, Any], *, run_dir: Path) -> None:
    """Print metrics by split, the per-class report where there is one, and where everything lies.

    Args:
        result: ``metrics`` and ``per_class``, and if they are known ``hints`` and ``weights``, as in
            `src.run.result.Result`.
        run_dir: Where everything lies.
    """
    console = open_terminal()
    console.print(_metrics_table(result["metrics"], result.get("weights")))
    if result["per_class"]:
        console.print(_class_table(result["per_class"]))
    print_hints(result.get("hints", ()))
    # a path that is wrapped can neither be clicked nor copied
    console.print(f"run directory: {run_dir}", soft_wrap=True, highlight=False, markup=False, emoji=False)


def print_hints(hints: Sequence[Mapping[str, str]]) -> None:
    """Print what a run asks for and the command to try."""
    console = open_terminal()
    for hint in hints:
        console.print(Text(f"hint: {hint['seen']}"))
        # on one line however long, so that it can be copied
        console.print(f"  try: {hint['try']}", soft_wrap=True, highlight=False, markup=False, emoji=False)


def _metrics_table(metrics: Mapping[str, float], weights: str | None) -> Table:
    places = {split_of(name): value for name, value in metrics.items()}
    splits = list(dict.fromkeys(split for split, _ in places))
    table = Table("metric", title="results")
    for split in splits:
        # what training measures is of its last epoch, whichever weights are measured afterwards
        which = "last epoch" if split == "train" else weights
        if weights is None or not split:
            # a name without a split may be measured by either
            which = None
        table.add_column(Text("\n".join([split or "value", *([which] if which else [])])), justify="right")
    for name in dict.fromkeys(name for _, name in places):
        values = (places.get((split, name)) for split in splits)
        table.add_row(name, *("" if value is None else number(value) for value in values))
    return table


def _class_table(rows: list[dict[str, Any]]) -> Table:
    table = Table("class", title="test, per class")
    for name in ("precision", "recall", "f1", "support"):
        table.add_column(name, justify="right")
    for row in rows:
        numbers = (share(row[name], decimals=4, of=1) for name in ("precision", "recall", "f1"))
        table.add_row(Text(row["class"]), *numbers, str(row["support"]))
    return table


def print_temperature(
    temperature: float, before: Mapping[str, float], after: Mapping[str, float], *, path: Path
) -> None:
    """Print a temperature, and what it does to the calibration of a run.

    Args:
        temperature: What outputs are divided by.
        before: Numbers by ``split/name`` without it.
        after: The same with it.
        path: Where it is stored.
    """
    table = Table()
    for name in ("metric", "before", "after"):
        table.add_column(Text(name), justify="left" if name == "metric" else "right")
    for name, value in before.items():
        table.add_row(Text(name), number(value), number(after[name]))
    terminal = open_terminal()
    # a title would be broken to the width of the table
    terminal.print(Text(f"temperature {number(temperature)}, fitted on val"))
    terminal.print(table)
    terminal.print(Text(f"stored in {path}"), soft_wrap=True)
