"""Optuna's own charts of a study, in a file for report.html, which shows them."""

import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna.visualization as charts
from optuna.exceptions import ExperimentalWarning
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from src.analysis.page.search import CHARTS
from src.analysis.page.series import with_ends
from src.plots.palette import PALETTE
from src.run.files import write_atomically
from src.search.study import SearchStudy

# Different results that a forest needs at least.
_FEW = 4

_GREY = "#9A9A9A"

# The number of a trial, in shades that are seen by day and by night.
_EARLY_TO_LATE = [[0, PALETTE[5]], [0.5, _GREY], [1, PALETTE[1]]]


def write_charts(study: SearchStudy) -> Path:
    """Write `figures` into the directory of the sweep, as `src.analysis.page.search` reads them."""
    found = [{"title": title, **json.loads(figure.to_json())} for title, figure in figures(study).items()]
    path = study.sweep_dir / CHARTS
    write_atomically(path, json.dumps({"charts": found}).encode())
    return path


def figures(study: SearchStudy) -> dict[str, Any]:
    """Figures of plotly by title: of each objective, of several together, and of what was reported to a pruner."""
    objectives = list(study.options.objectives)
    done = [trial for trial in study.trials() if trial.state == TrialState.COMPLETE]
    found: dict[str, Any] = {}
    for i, metric in enumerate(objectives):
        value = _value(i)
        values = [value(trial) for trial in done]
        about: dict[str, Any] = {"target": value, "target_name": metric}
        # without a target Optuna draws the best so far as well
        history: dict[str, Any] = {"target_name": metric} if len(objectives) == 1 else about
        course = _history(charts.plot_optimization_history(study.optuna, **history))
        found[f"{metric} by trial"] = _log(course, y=values)
        slices = charts.plot_slice(study.optuna, **about).update_traces(marker={"colorscale": _EARLY_TO_LATE})
        found[f"{metric} by searched value"] = _log(slices, y=values)
        if len(set(values)) >= _FEW:
            found[f"What decides {metric}"] = _importances(study, about)
            if two := _two_numbers(study, done, value):
                contour = charts.plot_contour(study.optuna, params=two, **about)
                found[f"{metric} over {two[0]} and {two[1]}"] = contour
    for i, metric in enumerate(objectives[1:], start=1):
        found[f"Pareto front: {objectives[0]} and {metric}"] = _front(study, done, i)
    if study.options.prunes:
        reported = [value for trial in study.trials() for value in trial.intermediate_values.values()]
        curves = charts.plot_intermediate_values(study.optuna)
        found[f"{objectives[0]} as reported by each trial"] = _log(curves, y=reported)
    known = {**{metric: [_value(i)(trial) for trial in done] for i, metric in enumerate(objectives)}, **_numbers(done)}
    for figure in found.values():
        # the page has a look of its own, by day and by night
        figure.layout.template = None
        figure.layout.title = None
        for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
            reach = known.get(axis.title.text, [])
            # a contour reaches as far as its axes do
            if reach and axis.range is None and axis.type in (None, "linear", "log"):
                axis.update(with_ends({"type": axis.type or "linear"}, reach))
            if axis.categoryarray:
                # choices, each as it is typed; Optuna keeps the quotes of lists
                axis.update(tickvals=axis.categoryarray, ticktext=[str(each).strip("'") for each in axis.categoryarray])
    return found


def _numbers(done: Sequence[FrozenTrial]) -> dict[str, list[float]]:
    """Values of each searched number, and of the number of a trial, by what Optuna writes at their axes."""
    found: dict[str, list[float]] = {"Trial": [float(trial.number) for trial in done]}
    for trial in done:
        for name, value in trial.params.items():
            if type(value) in (int, float):
                found.setdefault(name, []).append(float(value))
    return found


def _value(i: int) -> Callable[[FrozenTrial], float]:
    return lambda trial: float(trial.values[i])


def _history(figure: Any) -> Any:
    """With names for what is drawn; the best so far is a step at each trial that is better."""
    for trace in figure.data:
        if trace.mode == "lines":
            trace.update(name="best so far", line={"shape": "hv"})
    return figure.update_layout(showlegend=True, legend={"orientation": "h", "y": 1.12})


def _importances(study: SearchStudy, about: dict[str, Any]) -> Any:
    with warnings.catch_warnings():
        # Optuna calls functional ANOVA experimental for several objectives
        warnings.simplefilter("ignore", ExperimentalWarning)
        figure = charts.plot_param_importances(study.optuna, evaluator=FanovaImportanceEvaluator(seed=0), **about)
    # with room for the numbers beside the bars
    figure.update_xaxes(title="share of the variance", range=[0, 1.2 * max(figure.data[0].x)])
    return figure.update_yaxes(title=None)


def _two_numbers(study: SearchStudy, done: Sequence[FrozenTrial], value: Callable[[FrozenTrial], float]) -> list[str]:
    """The two searched numbers that decide most, of those that have several values; nothing where there are fewer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        evaluator = FanovaImportanceEvaluator(seed=0)
        ranked = get_param_importances(study.optuna, evaluator=evaluator, target=value)
    seen = {name: {trial.params.get(name) for trial in done} for name in ranked}
    numbers = [name for name in ranked if len(seen[name]) > 1 and all(type(v) in (int, float) for v in seen[name])]
    return numbers[:2] if len(numbers) > 1 else []


def _front(study: SearchStudy, done: Sequence[FrozenTrial], i: int) -> Any:
    """The Pareto front of all objectives, drawn over the first and another one; Optuna draws at most three at once."""
    first, other = _value(0), _value(i)
    metrics = list(study.options.objectives)
    with warnings.catch_warnings():
        # Optuna calls the choice of what is drawn experimental
        warnings.simplefilter("ignore", ExperimentalWarning)
        figure = charts.plot_pareto_front(
            study.optuna, target_names=[metrics[i], metrics[0]], targets=lambda trial: (other(trial), first(trial))
        )
    # Optuna's shades, by the number of the trial, leave the first ones all but white
    for trace, name, color in zip(figure.data, ("trial", "best trial"), (_GREY, PALETTE[1]), strict=True):
        trace.update(name=name, showlegend=True, marker={"color": color, "showscale": False, "size": 9})
    return _log(figure, x=[other(trial) for trial in done], y=[first(trial) for trial in done])


def _log(figure: Any, *, x: Sequence[float] = (), y: Sequence[float] = ()) -> Any:
    """Logarithmic axes for numbers that are orders of magnitude apart: a diverged run would flatten all others."""
    if _spreads(x):
        figure.update_xaxes(type="log")
    if _spreads(y):
        figure.update_yaxes(type="log")
    return figure


def _spreads(values: Sequence[float]) -> bool:
    return len(values) > 0 and min(values) > 0 and max(values) > 100 * min(values)
