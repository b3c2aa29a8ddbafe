"""The answer as a picture: per group its estimate with the interval, and every seed, draw or fold."""

from collections import Counter
from collections.abc import Sequence

from src.analysis.page.chance import chance_of, with_chance
from src.analysis.page.series import INK, Chart, Series, chart_layout, metric_axis, rounded, short, thinned
from src.analysis.scale import Scale, percent

N_GROUPS = 20
_N_POINTS = 60  # points of a group that can be told apart in a row


def dot_chart(series: Sequence[Series], metric: str) -> Chart | None:
    """Best groups from top to bottom; None where no group has the metric."""
    shown = [each for each in series if metric in each.ranked.distributions][:N_GROUPS]
    if not shown:
        return None
    rows = [thinned(list(each.ranked.group.by_unit(metric).values()), _N_POINTS) for each in shown]
    values = [value for row in rows for value in row]
    width = max(values) - min(values)
    places = [round(y - i, 4) for i, row in enumerate(rows) for y in stacked(row, width)]
    owners = [each for each, row in zip(shown, rows, strict=True) for _ in row]
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": rounded(value for row in rows for value in row),
        "y": places,
        "marker": {
            "color": [each.color for each in owners],
            "symbol": [each.symbol for each in owners],
            "size": 8,
            "opacity": 0.5,
        },
        "text": [f"one {each.ranked.group.unit.noun}" for each in owners],
        "hovertemplate": "%{x}<extra>%{text}</extra>",
    }
    chance = chance_of(metric, [job for each in shown for job in each.ranked.group.jobs])
    guessed = [chance.low, chance.high] if chance else []
    figure = chart_layout(
        height=96 + 30 * len(shown),
        margin={"l": 10, "r": 16, "t": 18, "b": 46},
        xaxis=metric_axis(metric, [*values, *guessed]),
        yaxis={
            "tickvals": [-i for i in range(len(shown))],
            "ticktext": [short(each.label, 36) for each in shown],
            "range": [-len(shown) + 0.4, 0.6],
            "automargin": True,
            "showgrid": False,
            "zeroline": False,
        },
    )
    numbers = "; ".join(
        f"{each.label} {each.ranked.scale(metric).text(each.ranked.estimates[metric].value)}" for each in shown
    )
    alt = f"{Scale.of(metric).words} per group, best first: {numbers}"
    return {"data": [points, _estimates(shown, metric)], "layout": with_chance(figure, chance, along="x"), "alt": alt}


def _estimates(shown: Sequence[Series], metric: str) -> Chart:
    # a point alone is all that there is
    rows = [i for i, each in enumerate(shown) if each.ranked.estimates[metric].n > 1]
    found = [shown[i].ranked.estimates[metric] for i in rows]
    # no bar where there is no interval
    ends = [each.interval or (each.value, each.value) for each in found]
    bars = {
        "symmetric": False,
        "array": rounded(high[1] - each.value for each, high in zip(found, ends, strict=True)),
        "arrayminus": rounded(each.value - low[0] for each, low in zip(found, ends, strict=True)),
    }
    levels = [f", {percent(each.interval.level)} interval" if each.interval else "" for each in found]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": rounded(each.value for each in found),
        "y": [-i for i in rows],
        "error_x": {**bars, "color": INK, "thickness": 1.5},
        "marker": {"color": INK, "symbol": "line-ns-open", "size": 16, "line": {"width": 3}},
        "text": [f"{each.words}{level}" for each, level in zip(found, levels, strict=True)],
        "hovertemplate": "%{x}<extra>%{text}</extra>",
    }


def stacked(values: Sequence[float], width: float) -> list[float]:
    """Offsets across the row, -0.35 to 0.35, that put points which would cover each other side by side.

    Args:
        values: Points of a row.
        width: Length of the axis, along which a hundred points fit beside each other.
    """
    places = [round(value / width * 100) if width else 0 for value in values]
    sizes, seen = Counter(places), Counter[int]()
    offsets = []
    for place in places:
        step = min(0.12, 0.7 / max(sizes[place] - 1, 1))
        rank = seen[place] - (sizes[place] - 1) / 2
        offsets.append(step * rank)
        seen[place] += 1
    return offsets
