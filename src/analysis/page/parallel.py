"""All swept values at once: a line per job through its values to its metrics.

plotly draws parallel coordinates by WebGL alone, which browsers without a graphics card, or over a remote desktop, do
not have. So parallel.js draws these, and the chosen lines are the chosen rows of the table.
"""

import math
import random
from collections.abc import Sequence
from typing import Any

from src.analysis.page.series import as_number, is_spread, round_ticks, spans
from src.analysis.page.values import N_BOXES, N_KEYS, Swept, ordered
from src.analysis.scale import Scale
from src.analysis.summary import Summary

_N_WORDS = 40  # of one key, beyond which no axis can hold them
_N_LETTERS = 14
_COLORS = tuple(f"var(--level-{i})" for i in range(8))  # of report.css, from worst to best


def parallel_axes(swept: Swept, summary: Summary) -> dict[str, Any] | None:
    """Axes with ticks, and per job that is drawn its place on each, 0 to 1; None where nothing tells groups apart."""
    keys = [key for key, column in swept.columns.items() if _fits(column)][:N_KEYS]
    metrics = [name for name in summary.metrics if all(name in job.metrics for job in swept.jobs)]
    if not keys or len(swept.jobs) < 2:
        return None
    found = [_axis(key, swept.columns[key]) for key in keys]
    found += [_metric_axis(name, [job.metrics[name] for job in swept.jobs]) for name in metrics]
    goodness = _places(swept.y, (min(swept.y), max(swept.y)), is_log=_is_log(swept.metric, swept.y))
    if summary.scales[swept.metric].lower_is_better:
        goodness = [1 - place for place in goodness]
    rows = {id(job): i for i, job in enumerate(summary.jobs)}
    jobs = [
        {
            "name": swept.names[i],
            "row": rows[id(job)],
            "color": _COLORS[min(int(goodness[i] * len(_COLORS)), len(_COLORS) - 1)],
            "places": [round(places[i], 4) for _, places in found],
        }
        # the best ones last, on top of the others
        for i, job in sorted(((i, swept.jobs[i]) for i in swept.drawn), key=lambda item: goodness[item[0]])
    ]
    return {"axes": [axis for axis, _ in found], "jobs": jobs}


def _fits(column: Sequence[str]) -> bool:
    return len(set(column)) <= _N_WORDS or all(as_number(text) is not None for text in column)


def _axis(key: str, column: Sequence[str]) -> tuple[dict[str, Any], list[float]]:
    label = _cut(key.rpartition(".")[2] or key)
    x = [value for text in column if (value := as_number(text)) is not None]
    if len(x) == len(column) and len(set(x)) > N_BOXES:
        return _numeric(label, x, is_log=is_spread(x))
    words = ordered(column)
    place = {word: i / (len(words) - 1) for i, word in enumerate(words)}
    ticks = [(round(place[word], 4), _cut(word)) for word in words]
    # lines through the same values beside each other, so that one sees how many they are
    jitter = random.Random(0)
    return {"label": label, "ticks": ticks}, [place[word] + jitter.uniform(-0.012, 0.012) for word in column]


def _metric_axis(metric: str, values: Sequence[float]) -> tuple[dict[str, Any], list[float]]:
    scale = Scale.of(metric)
    factor, unit = (100, ", %") if scale.is_share else (1, "")
    scaled = [value * factor for value in values]
    return _numeric(f"{scale.words}{unit}", scaled, is_log=_is_log(metric, values))


def _is_log(metric: str, values: Sequence[float]) -> bool:
    return not Scale.of(metric).is_share and spans(values, factor=50)


def _numeric(label: str, values: Sequence[float], *, is_log: bool) -> tuple[dict[str, Any], list[float]]:
    low, high = min(values), max(values)
    ticks = round_ticks(values, is_log=is_log) if low < high else [low]
    ends = (ticks[0], ticks[-1]) if ticks else (low, high)
    places = _places(ticks or ends, ends, is_log=is_log)
    shown = [(place, f"{tick:.6g}") for place, tick in zip(places, ticks or ends, strict=True)]
    return {"label": label, "ticks": shown}, _places(values, ends, is_log=is_log)


def _places(values: Sequence[float], ends: tuple[float, float], *, is_log: bool) -> list[float]:
    """Places between two ends, 0 to 1; the middle where these are the same."""
    low, high, *shown = (math.log10(value) if is_log else value for value in (*ends, *values))
    return [(value - low) / (high - low) if high > low else 0.5 for value in shown]


def _cut(text: str) -> str:
    return text if len(text) <= _N_LETTERS else f"{text[: _N_LETTERS - 1]}…"
