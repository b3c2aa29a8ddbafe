"""Learning curves: per group the mean over its seeds, draws or folds, in a band from the lowest to the highest.

Axes: `s` runs, `e` epochs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from src.analysis.page.chance import chance_of, with_chance
from src.analysis.page.series import Chart, Series, axis, chart_layout, metric_axis, rounded, short, with_ends
from src.analysis.records import JobRecord
from src.analysis.scale import Scale
from src.config.errors import ConfigError
from src.config.metrics import split_of
from src.run.directory import RunDir
from src.run.metrics import read_metrics

N_RUNS = 20  # per group: reading more takes long and moves the mean little
_N_PLACES = 80  # along the epochs, as many as a small panel can show
_N_METRICS = 2

# Epochs and values of one run.
_Curve: TypeAlias = tuple[list[float], list[float]]


@dataclass(frozen=True)
class Band:
    """Mean, lowest and highest over runs at some epochs, each (e,)."""

    epochs: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


_Bands: TypeAlias = Sequence[tuple[Series, Band | None]]


def curve_charts(series: Sequence[Series]) -> list[Chart]:
    """A chart per metric that was measured while training; none where no job has left a metrics.csv."""
    bands = curve_bands(series)
    return [_chart(name, bands[name], _axis(name, bands)) for name in bands]


def curve_bands(series: Sequence[Series]) -> dict[str, list[tuple[Series, Band | None]]]:
    """Bands of the groups with a colour of their own, by metric that was measured while training."""
    found = [(each, _read_group(each.ranked.group.jobs)) for each in series if each.is_own]
    names = _metrics({name for _, curves in found for run in curves for name in run})
    return {name: [(each, _band(name, curves)) for each, curves in found] for name in names}


def read_curves(path: Path) -> dict[str, _Curve]:
    """Metrics of a metrics.csv by name, without what is empty or not finite; empty if it cannot be read."""
    try:
        columns = read_metrics(path)
    except (OSError, ConfigError):
        return {}
    curves: dict[str, _Curve] = {}
    for name, values in columns.items() if "epoch" in columns else ():
        known = [(epoch, value) for epoch, value in zip(columns["epoch"], values, strict=True) if "/" in name]
        finite = [pair for pair in known if all(map(math.isfinite, pair))]
        if finite:
            epochs, measured = zip(*finite, strict=True)
            curves[name] = (list(epochs), list(measured))
    return curves


def band(curves: Sequence[_Curve]) -> Band | None:
    """Mean and extremes of runs at common epochs, by the straight line between measured ones.

    A run that ended early counts up to its end.
    """
    if not curves:
        return None
    first, last = min(epochs[0] for epochs, _ in curves), max(epochs[-1] for epochs, _ in curves)
    longest = max(len(epochs) for epochs, _ in curves)
    places = np.linspace(first, last, min(longest, _N_PLACES))
    runs = np.array([np.interp(places, *curve, left=np.nan, right=np.nan) for curve in curves])  # (s, e)
    known = ~np.isnan(runs)
    kept = known.any(0)
    places, runs, known = places[kept], runs[:, kept], known[:, kept]
    mean = np.where(known, runs, 0.0).sum(0) / known.sum(0)
    return Band(places, mean, np.where(known, runs, np.inf).min(0), np.where(known, runs, -np.inf).max(0))


def _read_group(jobs: Sequence[JobRecord]) -> list[Mapping[str, _Curve]]:
    completed = [job for job in jobs if job.status == "completed"][:N_RUNS]
    return [curves for job in completed if (curves := read_curves(RunDir(job.path).metrics_file))]


def _metrics(found: set[str]) -> list[str]:
    """Training beside validation, the loss first."""
    kinds = sorted({split_of(name)[1] for name in found}, key=lambda kind: (kind != "loss", kind))[:_N_METRICS]
    places = {split_of(name): name for name in sorted(found)}
    return [places[split, kind] for kind in kinds for split in ("train", "val", "") if (split, kind) in places]


def _band(name: str, curves: Sequence[Mapping[str, _Curve]]) -> Band | None:
    return band([run[name] for run in curves if name in run])


def _axis(name: str, bands: Mapping[str, _Bands]) -> dict[str, Any]:
    """The same vertical axis for training and validation."""
    alike = [other for other in bands if split_of(other)[1] == split_of(name)[1]]
    found = [each for other in alike for _, each in bands[other] if each is not None]
    ends = [float(end) for each in found for end in (*each.low, *each.high)]
    look = metric_axis(name, [float(value) for each in found for value in each.mean], ends=ends)
    return {**look, "title": {"text": ""}}


def _chart(name: str, bands: _Bands, vertical: Mapping[str, Any]) -> Chart:
    data: list[dict[str, Any]] = []
    drawn = [(each, found) for each, found in bands if found is not None]
    # the best group last, on top of the others
    for each, found in reversed(drawn):
        data += _traces(each, found)
    chance = chance_of(name, [job for each, _ in drawn for job in each.ranked.group.jobs])
    figure = chart_layout(
        height=300,
        title={"text": Scale.of(name).words, "font": {"size": 14}, "x": 0.02, "y": 0.98, "yanchor": "top"},
        xaxis=with_ends(axis("epoch"), [float(epoch) for _, found in drawn for epoch in found.epochs]),
        yaxis=dict(vertical),
    )
    ends = ", ".join(f"{each.label} {Scale.of(name).text(float(found.mean[-1]))}" for each, found in drawn)
    return {
        "data": data,
        "layout": with_chance(figure, chance, along="y"),
        "alt": f"{Scale.of(name).words} by epoch, in the end: {ends}",
    }


def _traces(each: Series, found: Band) -> list[dict[str, Any]]:
    epochs, name = rounded(found.epochs), short(each.label, 60)
    around = {
        "type": "scatter",
        "x": [*epochs, *reversed(epochs)],
        "y": [*rounded(found.high), *reversed(rounded(found.low))],
        "fill": "toself",
        "fillcolor": f"{each.color}2E",
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
    }
    mean = {
        "type": "scatter",
        "x": epochs,
        "y": rounded(found.mean),
        # one epoch is no line
        "mode": "lines" if len(epochs) > 1 else "markers",
        "line": {"color": each.color, "width": 2},
        "hovertemplate": f"epoch %{{x:.0f}}: %{{y:.6~g}}<extra>{name}</extra>",
    }
    return [around, mean]
