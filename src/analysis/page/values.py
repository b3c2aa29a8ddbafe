"""The metric against each swept value."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from src.analysis.page.chance import chance_of, with_chance
from src.analysis.page.series import (
    MANY,
    OTHER,
    Chart,
    Series,
    as_number,
    axis,
    chart_layout,
    is_spread,
    metric_axis,
    rounded,
    short,
    with_ends,
)
from src.analysis.scale import Scale
from src.analysis.summary import Summary
from src.analysis.words.tables import job_name

N_KEYS = 8
# More different numbers than this are points along an axis, fewer are boxes side by side.
N_BOXES = 8


class Swept:
    """Jobs that have the metric, with the values that they were given."""

    def __init__(self, summary: Summary, series: Sequence[Series]) -> None:
        self.metric = summary.metrics[0] if summary.metrics else ""
        owners = {id(job): each for each in series for job in each.ranked.group.jobs}
        completed = (job for job in summary.jobs if job.status == "completed" and id(job) in owners)
        self.jobs = [job for job in completed if self.metric in job.metrics]
        self.names = [f"job {job_name(job, summary)}" for job in self.jobs]
        self.series = [owners[id(job)] for job in self.jobs]
        self.y = rounded(job.metrics[self.metric] for job in self.jobs)
        # places of the jobs that are drawn: a browser has no room for a hundred thousand
        n = len(self.jobs)
        self.drawn = range(n) if n <= MANY else sorted(random.Random(0).sample(range(n), MANY))
        self.columns = {key: column for key, column in self._columns().items() if len(set(column)) > 1}

    @property
    def n_drawn(self) -> int:
        """How many jobs are points and lines."""
        return len(self.drawn)

    def _columns(self) -> Mapping[str, list[str]]:
        keys = dict.fromkeys(key for each in self.series for key in each.ranked.group.values)
        return {key: [each.ranked.group.values.get(key) or "-" for each in self.series] for key in keys}


def value_charts(swept: Swept) -> list[Chart]:
    """A chart per swept value, of the first few."""
    return [_chart(swept, key, column) for key, column in list(swept.columns.items())[:N_KEYS]]


def _chart(swept: Swept, key: str, column: Sequence[str]) -> Chart:
    numbers = [as_number(text) for text in column]
    x = [value for value in numbers if value is not None]
    if len(x) == len(column) and len(set(x)) > N_BOXES:
        places, data = x, list[dict[str, Any]]()
        across = with_ends(axis(key, type="log" if is_spread(x) else "linear"), x)
    else:
        places, data, across = _boxes(swept, key, column)
    data += _points(swept, places)
    chance = chance_of(swept.metric, swept.jobs)
    figure = chart_layout(height=300, xaxis=across, yaxis=metric_axis(swept.metric, swept.y))
    alt = (
        f"{Scale.of(swept.metric).words} of {len(column)} jobs against {key}, from {min(swept.y):g} to {max(swept.y):g}"
    )
    return {"data": data, "layout": with_chance(figure, chance, along="y"), "alt": alt}


def _boxes(swept: Swept, key: str, column: Sequence[str]) -> tuple[list[float], list[dict[str, Any]], dict[str, Any]]:
    """Boxes at whole numbers, and places of the points around them."""
    words = ordered(column)
    rank = {word: i for i, word in enumerate(words)}
    jitter = random.Random(0)
    places = [rank[word] + jitter.uniform(-0.16, 0.16) for word in column]
    values = {word: [] for word in words} if swept.n_drawn < len(column) else dict[str, list[float]]()
    for word, value in zip(column, swept.y, strict=True) if values else ():
        values[word].append(value)
    box = {
        "type": "box",
        **(_summaries(values) if values else {"x": [rank[word] for word in column], "y": swept.y}),
        "boxpoints": False,
        "width": 0.56,
        "line": {"color": OTHER, "width": 1.2},
        "fillcolor": "rgba(0,0,0,0)",
        "hoverinfo": "skip",
    }
    ticks = {"tickvals": list(range(len(words))), "ticktext": [short(word, 16) for word in words]}
    return places, [box], axis(key, **ticks, range=[-0.6, len(words) - 0.4], showgrid=False)


def _summaries(values: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """What plotly would draw of the values of each box, whose places are 0, 1 and so on."""
    found = [np.quantile(each, (0.25, 0.5, 0.75)) for each in values.values()]
    ends = []
    for each, (low, _, high) in zip(values.values(), found, strict=True):
        # whiskers reach to the last value within one and a half boxes
        inside = [value for value in each if low - 1.5 * (high - low) <= value <= high + 1.5 * (high - low)]
        ends.append((min(inside), max(inside)))
    names = ("q1", "median", "q3", "lowerfence", "upperfence")
    rows = [(*quartiles, *whiskers) for quartiles, whiskers in zip(found, ends, strict=True)]
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return {"x": list(map(float, range(len(rows)))), **{name: rounded(column) for name, column in columns.items()}}


def _points(swept: Swept, places: Sequence[float]) -> list[dict[str, Any]]:
    """Every job, those of the best groups on top."""
    names = [short(name, 40) for name in swept.names]
    chosen = sorted(swept.drawn, key=lambda i: swept.series[i].is_own)
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": rounded(places[i] for i in chosen),
            "y": [swept.y[i] for i in chosen],
            "text": [names[i] for i in chosen],
            "marker": {
                "color": [swept.series[i].color for i in chosen],
                "symbol": [swept.series[i].symbol for i in chosen],
                "size": 7 if len(chosen) <= 200 else 5,
                "opacity": 0.75,
            },
            "hovertemplate": "%{text}: %{y}<extra></extra>",
        }
    ]


def ordered(column: Sequence[str]) -> list[str]:
    """Different values, numbers by size and in front of words, words as they come."""
    return sorted(dict.fromkeys(column), key=lambda text: (as_number(text) is None, as_number(text) or 0.0))
