"""What the pictures for a paper show, as `src.plots.paper` takes it, but without it: nothing here loads matplotlib."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from src.analysis.page.curves import Band, curve_bands
from src.analysis.page.dots import N_GROUPS
from src.analysis.page.series import Series, all_series
from src.analysis.scale import Scale
from src.analysis.summary import Summary
from src.analysis.words.tables import plain

_LONGEST = 60


class Shown(NamedTuple):
    """What the two pictures show.

    Attributes:
        curves: Groups with their bands, by what stands above a panel; empty if no job has left learning curves.
        shares: Those of the panels that show shares of 1.
        groups: Arguments of a group's values: label, color, values, center, ends.
        scale: Of the metric that ranks.
    """

    curves: Mapping[str, Sequence[tuple[Series, Band]]]
    shares: frozenset[str]
    groups: Sequence[Mapping[str, Any]]
    scale: Scale


def shown(summary: Summary) -> Shown:
    """The best groups: those with a colour of their own as curves, and some more by the metric that ranks."""
    series, metric = all_series(summary), summary.metrics[0]
    found = {
        Scale.of(name): [(each, band) for each, band in bands if band is not None]
        for name, bands in curve_bands(series).items()
    }
    groups = []
    for each in [each for each in series if metric in each.ranked.distributions][:N_GROUPS]:
        own = each.ranked.estimates[metric]
        ends = None if own.interval is None else own.interval[:2]
        values = each.ranked.distributions[metric].values
        groups.append({"label": label(each), "color": each.color, "values": values, "center": own.value, "ends": ends})
    return Shown(
        {scale.words: bands for scale, bands in found.items() if bands},
        frozenset(scale.words for scale in found if scale.is_share),
        groups,
        summary.scales[metric],
    )


def label(series: Series) -> str:
    """A group's name for a legend."""
    text = plain(series.label)
    # matplotlib leaves out what begins with an underscore
    text = f" {text}" if text.startswith("_") else text
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
