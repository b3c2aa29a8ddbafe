"""The groups of a sweep over several data sets, ranked on each of them (`ranks`)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np

from src.analysis.data_sets.ranks import Ranking, rank, sentences
from src.analysis.groups import Group, data_set_key
from src.analysis.scale import Scale
from src.analysis.summary import Summary


@dataclass(frozen=True)
class AcrossData:
    """Ranks of groups over data sets.

    Attributes:
        metric: What was ranked.
        labels: Names of the groups without their data set.
        data_sets: Names of the data sets that all groups have a value on.
        ranking: What was found.
    """

    metric: str
    labels: tuple[str, ...]
    data_sets: tuple[str, ...]
    ranking: Ranking

    @property
    def sentences(self) -> list[str]:
        """What there is to say."""
        return list(sentences(self.ranking, self.labels, self.data_sets, metric=Scale.of(self.metric).words))


def across_data(summary: Summary, metric: str) -> AcrossData | None:
    """Rank the groups of a sweep; None where there are not two data sets and two groups that were run on all of them.

    Args:
        summary: Of the sweep.
        metric: By which they are ranked, with the median over the seeds of each data set, of folds the mean.
    """
    groups = [ranked.group for ranked in summary.groups]
    key = data_set_key(groups)
    if key is None:
        return None
    tied = _tied(groups, key)
    found: dict[str, dict[str, float]] = {}
    for group in groups:
        if (value := _value(group, metric)) is not None and (name := group.values.get(key)) is not None:
            found.setdefault(_label(group, tied), {})[name] = value
    data_sets = list(dict.fromkeys(name for values in found.values() for name in values))
    # a group that was not run on all of them has no rank there
    whole = {label: values for label, values in found.items() if len(values) == len(data_sets)}
    if len(data_sets) < 2 or len(whole) < 2:
        return None
    table = np.array([[values[name] for values in whole.values()] for name in data_sets])
    lower = summary.scales[metric].lower_is_better
    return AcrossData(metric, tuple(whole), tuple(data_sets), rank(table, lower_is_better=lower))


def lines(summary: Summary) -> Iterator[str]:
    """What several data sets say, by the metric that ranks and by those beside it."""
    for metric in summary.metrics:
        found = across_data(summary, metric)
        if found is not None:
            yield from found.sentences


def _tied(groups: Sequence[Group], key: str) -> set[str]:
    """Keys that have one value on each data set: they come with it, and are no difference between groups."""
    seen: dict[tuple[str, str | None], set[str | None]] = {}
    for group in groups:
        for name, text in group.values.items():
            seen.setdefault((name, group.values.get(key)), set()).add(text)
    return {name for name, _ in seen} - {name for (name, _), texts in seen.items() if len(texts) > 1}


def _label(group: Group, tied: set[str]) -> str:
    parts = [text for name, text in group.values.items() if name not in tied and text is not None]
    return " ".join(parts) or "as is"


def _value(group: Group, metric: str) -> float | None:
    values = list(group.by_unit(metric).values())
    if not values:
        return None
    return fmean(values) if group.unit.noun == "fold" else median(values)
