"""What a run prints: its configuration as a tree, its results as tables."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from src.config.metrics import number, objective, share, split_of, with_marks
from src.console.place import Place
from src.console.terminal import open_terminal, print_table, shown
from src.run.log import keep
from src.run.result import Result

log = logging.getLogger(__name__)


def print_config(cfg: DictConfig) -> None:
    """Print the composed configuration; values that refer to others are shown as they come out."""
    tree = Tree(Text("config", style="bold"))
    _grow(tree, OmegaConf.to_container(cfg, resolve=True))
    open_terminal().print(tree)


def print_lines(name: str, lines: Sequence[str]) -> None:
    """Print lines, broken between words, and leave them in the log of a run in the name of a module."""
    for line in lines:
        open_terminal().print(Text(line))
    keep(name, *lines)


def _grow(tree: Tree, node: Any) -> None:
    for key, value in node.items():
        if isinstance(value, dict) and value:
            _grow(tree.add(Text(str(key), style="bold")), value)
        else:
            # Text, since a plain string's square brackets and colons would be read as markup and emoji
            tree.add(Text(f"{key}: {value}"))


def print_end(result: Result, *, run_dir: Path, place: Place | None, objectives: Sequence[str] = ()) -> None:
    """Print what a run has come to, and leave it in its log too.

    Args:
        result: What it has come to.
        run_dir: Where everything lies.
        place: Its place among the jobs of a sweep, whose end shows them in tables: it is a line then. None for a run by
            itself.
        objectives: What its search looks at; the metric that the run names where there are none.
    """
    keep(__name__, *result_lines(result))
    if place is None:
        print_results(vars(result), run_dir=run_dir)
    else:
        log.info("%s%s", end_line(result, run_dir=run_dir, objectives=objectives), place.words())


def end_line(result: Result, *, run_dir: Path, objectives: Sequence[str] = ()) -> str:
    """What a job that has completed says of itself; the arguments are those of `print_end`."""
    assert result.optimized_metric is not None
    found = {name: result.metrics.get(name, getattr(result, name, None)) for name in objectives}
    values = found or {result.optimized_metric.name: result.value}
    said = [f"{name}={objective(name, value)}" for name, value in values.items() if value is not None]
    return f"{', '.join(said)} in {shown(run_dir)}"


def result_lines(result: Result) -> list[str]:
    """Metrics, a line for each split, and hints: what a log keeps of the end of a run."""
    found: dict[str, list[str]] = {}
    for name, value in result.metrics.items():
        split, metric = split_of(name)
        found.setdefault(split, []).append(f"{metric} {'nan' if value is None else number(value)}")
    lines = []
    for split, values in found.items():
        which = _weights_of(split, result.weights)
        lines.append(f"{split or 'value'}{f' ({which})' if which else ''}: {', '.join(values)}")
    return [*lines, *(f"hint: {hint['seen']}; try: {hint['try']}" for hint in result.hints)]


def _weights_of(split: str, weights: str | None) -> str | None:
    """Which weights a split is measured with; None where that is not known, as of a name without a split."""
    if weights is None or not split:
        return None
    # what training measures is of its last epoch, whichever weights are measured afterwards
    return "last epoch" if split == "train" else with_marks(weights)


def print_results(result: Mapping[str, Any], *, run_dir: Path) -> None:
    """Print metrics by split, the per-class report where there is one, and where everything lies.

    Args:
        result: ``metrics`` and ``per_class``, and if they are known ``hints`` and ``weights``, as in
            `src.run.result.Result`.
        run_dir: Where everything lies.
    """
    console = open_terminal()
    print_table(console, _metrics_table(result["metrics"], result.get("weights")))
    if result["per_class"]:
        print_table(console, _class_table(result["per_class"]))
    print_hints(result.get("hints", ()))
    # a path that is wrapped can neither be clicked nor copied
    console.print(f"run directory: {shown(run_dir)}", soft_wrap=True, highlight=False, markup=False, emoji=False)


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
        which = _weights_of(split, weights)
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
    print_table(terminal, table)
    terminal.print(Text(f"stored in {path}"), soft_wrap=True)
