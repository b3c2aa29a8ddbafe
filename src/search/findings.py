"""What a search has found: the best trials in words, in a file, and in pictures."""

import shlex
import warnings
from collections import Counter
from typing import Any

import optuna
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.plots.style import save
from src.run.files import write_atomically
from src.search.plots import history_figure, importances_figure, pareto_figure, slices_figure
from src.search.study import Book

# Different results that a forest needs at least.
_FEW = 4


def report(book: Book) -> None:
    """Print the best trials, and write `optimization_results.yaml` and `plots/` into the sweep's directory."""
    trials = book.trials()
    console = Console(force_jupyter=False)
    console.print(Text(f"study: {_counts(trials)}"))
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not done:
        console.print(Text("no trial has completed; result.json in each directory tells why"))
        return
    best = sorted(book.study.best_trials, key=lambda trial: trial.number)
    console.print(_table(book, best))
    for trial in best[:5]:
        console.print(Text(f"trial {trial.number} again: {command(book, trial)}"), soft_wrap=True)
    _write(book, best)
    for name, figure in pictures(book, trials).items():
        save(figure, book.sweep_dir / "plots" / f"{name}.png")
    console.print(Text(f"pictures: {book.sweep_dir / 'plots'}"), soft_wrap=True)


def _counts(trials: list[FrozenTrial]) -> str:
    names = {"COMPLETE": "completed", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running elsewhere"}
    counts = Counter(trial.state.name for trial in trials)
    parts = ", ".join(f"{counts[state]} {name}" for state, name in names.items() if counts[state])
    return f"{len(trials)} trials: {parts}" if trials else "no trials"


def _table(book: Book, best: list[FrozenTrial]) -> Table:
    objectives = book.options.objectives
    title = "best trial" if len(objectives) == 1 else "Pareto front: no trial is better in all"
    table = Table("trial", *objectives, *book.space.searched, title=title)
    for trial in best:
        values = [f"{value:.4g}" for value in trial.values]
        params = [_short(trial.params[key]) for key in book.space.searched]
        table.add_row(str(trial.number), *values, *map(Text, params))
    return table


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def command(book: Book, trial: FrozenTrial) -> str:
    """The command that trains a trial's network on its own; a file may ask for a sweep, so the mode is said."""
    return shlex.join(["python", "-m", "src.train", *book.space.overrides(trial.params), "hydra.mode=RUN"])


def _write(book: Book, best: list[FrozenTrial]) -> None:
    """In the layout of Hydra's older sweeper for Optuna, and with the numbers of the trials."""
    rows = [
        {"trial": trial.number, "params": book.space.values(trial.params), "values": trial.values} for trial in best
    ]
    results: dict[str, Any] = {"name": "optuna"}
    if len(book.options.objectives) == 1:
        first = rows[0]
        results |= {"best_params": first["params"], "best_value": first["values"][0], "best_trial": first["trial"]}
    else:
        results |= {"objectives": list(book.options.objectives), "solutions": rows}
    text = OmegaConf.to_yaml(OmegaConf.create(results))
    write_atomically(book.sweep_dir / "optimization_results.yaml", text.encode())


def pictures(book: Book, trials: list[FrozenTrial]) -> dict[str, Any]:
    """Figures by file name: history and slices of each objective, importances, and the Pareto front of several."""
    objectives = list(book.options.objectives)
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    space: dict[str, Any] = book.space.searched
    figures: dict[str, Any] = {}
    for i, metric in enumerate(objectives):
        suffix = "" if len(objectives) == 1 else f"_{metric.replace('/', '_')}"
        figures[f"history{suffix}"] = _history(book, trials, i)
        figures[f"slices{suffix}"] = slices_figure(
            {key: [trial.params[key] for trial in done] for key in space},
            [trial.values[i] for trial in done],
            choices={key: d.choices for key, d in space.items() if isinstance(d, CategoricalDistribution)},
            log=[key for key, d in space.items() if not isinstance(d, CategoricalDistribution) and d.log],
            metric=metric,
            title=f"{metric} by searched value, later trials darker",
        )
    importances = {metric: shares for i, metric in enumerate(objectives) if (shares := _importances(book, i))}
    if importances:
        figures["importances"] = importances_figure(importances, title="What decides")
    if len(objectives) > 1:
        front = {trial.number for trial in book.study.best_trials}
        figures["pareto"] = pareto_figure(
            [trial.values for trial in done],
            [trial.number in front for trial in done],
            metrics=objectives,
            title=f"{len(front)} of {len(done)} trials are beaten by none",
        )
    return figures


def _history(book: Book, trials: list[FrozenTrial], i: int) -> Any:
    metric, way = list(book.options.objectives.items())[i]
    shown = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and trial.values]
    return history_figure(
        [trial.number for trial in shown],
        [trial.values[i] for trial in shown],
        [trial.state == TrialState.PRUNED for trial in shown],
        metric=metric,
        maximize=way == "maximize",
        title=f"{metric}, {way}d",
    )


def _importances(book: Book, i: int) -> dict[str, float]:
    """Shares of the variance, by a forest over the trials; nothing where these are too few, or all the same."""
    values = {trial.values[i] for trial in book.trials() if trial.state == TrialState.COMPLETE}
    if len(values) < _FEW:
        return {}
    with warnings.catch_warnings():
        # functional ANOVA is told to be experimental for several objectives
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        forest = FanovaImportanceEvaluator(seed=0)
        shares = get_param_importances(book.study, evaluator=forest, target=lambda trial: float(trial.values[i]))
    return {key: float(share) for key, share in shares.items()}
