"""The answer in words, as it stands on top of the page."""

from itertools import groupby

from src.analysis.answer import Ranked, Summary
from src.analysis.scale import Scale
from src.analysis.words import sentence

# Sentences of each metric.
_N_AT_ONCE = 3
_N_ON_DEMAND = 20


def lead(summary: Summary) -> str:
    """Say what is best, or how far the sweep is."""
    ranked = [each for each in summary.groups if summary.metrics and summary.metrics[0] in each.estimates]
    if not ranked:
        counts = ", ".join(f"{n} {status}" for status, n in summary.counts.items() if n)
        return f"No job has completed with a number to compare: {counts or 'there is none'}."
    found = mean(ranked[0], summary.metrics[0], unit=True)
    scale = Scale.of(summary.metrics[0])
    n_seeds = ranked[0].estimates[scale.metric].n
    how = f"{found} ({'mean of ' if n_seeds > 1 else ''}{n_seeds} seed{'' if n_seeds == 1 else 's'})"
    if len(ranked) == 1:
        return f"{scale.words.capitalize()} of {ranked[0].group.label}: {how}."
    way = "Lowest" if scale.lower_is_better else "Highest"
    return f"{way} {scale.words} of {len(ranked)} groups: {ranked[0].group.label} with {how}."


def sentences(summary: Summary) -> tuple[list[str], list[str]]:
    """Compare the best group with the next ones, metric by metric: what is said at once, and what on demand."""
    first, rest = list[str](), list[str]()
    for _, found in groupby(summary.comparisons, key=lambda each: each.metric):
        comparisons = list(found)
        first += map(sentence, comparisons[:_N_AT_ONCE])
        # without a p value they say no more than that seeds are missing
        if any(each.p_value is not None for each in comparisons):
            rest += map(sentence, comparisons[_N_AT_ONCE:_N_ON_DEMAND])
    return first, rest


def mean(ranked: Ranked, metric: str, *, unit: bool = False) -> str:
    """A group's mean and its interval; empty where it has none."""
    found, scale = ranked.estimates.get(metric), Scale.of(metric)
    if found is None:
        return ""
    return scale.text(found.mean, found.half_width) + (" %" if unit and scale.is_share else "")
