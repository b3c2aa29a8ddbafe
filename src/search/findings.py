"""What a search has found: the best trials in words, in a file, and in pictures."""

import shlex
from collections import Counter
from typing import Any

from omegaconf import OmegaConf
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.config.command.flags import of_one_run
from src.config.folders import with_search_path
from src.config.metrics import objective
from src.console.terminal import print_table
from src.run.files import write_atomically
from src.search.pictures import write_charts
from src.search.study import SearchStudy
from src.search.winner import Winner, winner


def report(study: SearchStudy) -> None:
    """Print the best trials, and write `optimization_results.yaml` and charts into the sweep's directory.

    Where one may only read, the search that has come to its end there has left them.
    """
    trials = study.trials()
    console = Console(force_jupyter=False)
    console.print(Text(f"study: {_counts(trials, len(study.waiting))}"))
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not done:
        console.print(Text("no trial has completed; result.json in each directory tells why"))
        return
    best = sorted(study.optuna.best_trials, key=lambda trial: trial.number)
    found = winner(study)
    print_table(console, _table(study, best))
    if found is not None:
        console.print(Text(found.text), soft_wrap=True)
    for trial in best[:5]:
        console.print(Text(f"trial {trial.number} again: {command(study, trial)}"), soft_wrap=True)
    if study.is_read_only:
        return
    _write(study, best, found)
    write_charts(study)


def _counts(trials: list[FrozenTrial], n_waiting: int) -> str:
    names = {
        "COMPLETE": "completed",
        "PRUNED": "pruned",
        "FAIL": "failed",
        "RUNNING": "running elsewhere",
        "WAITING": "waiting for a directory that can be used",
    }
    counts = Counter(trial.state.name for trial in trials)
    counts.update(RUNNING=-n_waiting, WAITING=n_waiting)
    parts = ", ".join(f"{counts[state]} {name}" for state, name in names.items() if counts[state])
    return f"{len(trials)} trials: {parts}" if trials else "no trials"


def _table(study: SearchStudy, best: list[FrozenTrial]) -> Table:
    objectives = study.options.objectives
    n_seeds = study.options.n_seeds
    best_of_all = "best trial" if n_seeds == 1 else f"trial of the best mean over {n_seeds} seeds"
    title = best_of_all if len(objectives) == 1 else "Pareto front: no trial is better in all"
    table = Table("trial", *objectives, *study.space.searched, title=title)
    for trial in best:
        values = [objective(name, value) for name, value in zip(objectives, trial.values, strict=True)]
        params = [_short(trial.params[key]) for key in study.space.searched]
        table.add_row(str(trial.number), *values, *map(Text, params))
    return table


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def command(study: SearchStudy, trial: FrozenTrial) -> str:
    """The command that trains a trial's network on its own, or with each of its seeds."""
    overrides = study.space.overrides(trial.params)
    if study.options.n_seeds > 1:
        seeds = ",".join(map(str, study.options.seeds))
        overrides = [*(line for line in overrides if not line.startswith("seed=")), f"seed={seeds}"]
        return shlex.join(["python", "-m", "src.train", "-m", *with_search_path(overrides), "hydra/sweeper=grid"])
    return shlex.join(["python", "-m", "src.train", *of_one_run(with_search_path(overrides))])


def _write(study: SearchStudy, best: list[FrozenTrial], found: Winner | None) -> None:
    """In the layout of Hydra's older sweeper for Optuna, and with the numbers of the trials."""
    rows = [
        {"trial": trial.number, "params": study.space.values(trial.params), "values": trial.values} for trial in best
    ]
    results: dict[str, Any] = {"name": "optuna"}
    if len(study.options.objectives) == 1:
        first = rows[0]
        results |= {"best_params": first["params"], "best_value": first["values"][0], "best_trial": first["trial"]}
        results |= {"has_clear_winner": found.is_clear} if found is not None and study.options.n_seeds > 1 else {}
    else:
        results |= {"objectives": list(study.options.objectives), "solutions": rows}
    text = OmegaConf.to_yaml(OmegaConf.create(results))
    write_atomically(study.sweep_dir / "optimization_results.yaml", text.encode())
