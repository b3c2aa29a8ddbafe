"""The answer of a sweep in sentences: what is best, and which of two groups is better, by how much and how surely."""

from itertools import groupby

from src.analysis.scale import Scale
from src.analysis.stats import Comparison, Estimate
from src.analysis.summary import RankedGroup, Summary

# Sentences of each metric.
_N_AT_ONCE = 3
_N_ON_DEMAND = 20


def lead(summary: Summary) -> str:
    """Say what is best, or how far the sweep is."""
    ranked = [each for each in summary.groups if summary.metrics and summary.metrics[0] in each.estimates]
    if not ranked:
        counts = ", ".join(f"{n} {status}" for status, n in summary.counts.items() if n)
        return f"No job has completed with a number to compare: {counts or 'there is none'}."
    scale = ranked[0].scale(summary.metrics[0])
    found, unit = mean(ranked[0], scale.metric, unit=True), ranked[0].group.unit
    n = ranked[0].estimates[scale.metric].n
    of = f"{'mean of ' if n > 1 else ''}{unit.number(n)}"
    how = f"{found}, {of}" if found.endswith(")") else f"{found} ({of})"
    if len(ranked) == 1:
        return f"{scale.words.capitalize()} of {ranked[0].group.label}: {how}."
    way = "Lowest" if scale.lower_is_better else "Highest"
    return f"{way} {scale.words} of {len(ranked)} groups: {ranked[0].group.label} with {how}."


def verdicts(summary: Summary) -> tuple[list[str], list[str]]:
    """Compare the best group with the next ones, metric by metric: what is said at once, and what on demand."""
    first, rest = list[str](), list[str]()
    for _, found in groupby(summary.comparisons, key=lambda each: each.metric):
        comparisons = list(found)
        first += map(sentence, comparisons[:_N_AT_ONCE])
        # without a p value they say no more than that seeds or folds are missing
        if any(each.p_value is not None for each in comparisons):
            rest += map(sentence, comparisons[_N_AT_ONCE:_N_ON_DEMAND])
    return first, rest


def mean(ranked: RankedGroup, metric: str, *, unit: bool = False) -> str:
    """A group's mean and its interval; empty where it has none."""
    found, scale = ranked.estimates.get(metric), ranked.scale(metric)
    if found is None:
        return ""
    return scale.mean_text(found.mean, found.half_width, unit=" %" if unit and scale.is_share else "")


def sentence(comparison: Comparison) -> str:
    """Say which of two groups is better, by how much and how surely.

    Like "relu beats identity by 38.1 ± 1.2 points of test accuracy (32 of 32 seeds)". One "beats" another where the
    corrected p value is below 0.05.
    """
    scale = Scale.of(comparison.metric, lower_is_better=comparison.lower_is_better)
    difference, first, second, noun = comparison.difference, comparison.first, comparison.second, comparison.unit.noun
    if difference is None:
        what = f"{noun} of the same rows" if noun == "fold" else noun
        return f"{first} and {second} have no {what} in common: {scale.words} not compared"
    if comparison.ties == difference.n:
        every = f"all {_units(comparison)}" if difference.n > 1 else f"the one {noun} they share"
        return f"{first} and {second} have the same {scale.words} with {every}"
    if difference.half_width is None:
        is_how = _distance(scale, difference)
        return f"{first} is {is_how} than {second} in {scale.words} with the one {noun} they share: too few to be sure"
    if comparison.is_clear:
        return _verdict(comparison, scale, difference)
    if difference.half_width == 0 and comparison.ties == 0:
        is_how = _distance(scale, Estimate(difference.mean, None, difference.n))
        always = f"with all {_units(comparison)}, by the same amount: too few for a test"
        return f"{first} is {is_how} than {second} in {scale.words} {always}"
    ties = f", {comparison.ties} {'tie' if comparison.ties == 1 else 'ties'}" if comparison.ties else ""
    return (
        f"no clear difference between {first} and {second} in {scale.words}: {first} is {_distance(scale, difference)} "
        f"(better with {comparison.wins} of {_units(comparison)}{ties})"
    )


def _verdict(comparison: Comparison, scale: Scale, difference: Estimate) -> str:
    first, second, n_better = comparison.first, comparison.second, comparison.wins
    if (difference.mean < 0) != scale.lower_is_better:
        first, second, n_better = second, first, comparison.losses
    amount = scale.text(abs(difference.mean), difference.half_width)
    units = f"({n_better} of {_units(comparison)})"
    if scale.is_share:
        return f"{first} beats {second} by {amount} points of {scale.words} {units}"
    return f"{first} beats {second}: {amount} {'lower' if scale.lower_is_better else 'higher'} {scale.words} {units}"


def _distance(scale: Scale, difference: Estimate) -> str:
    amount = scale.text(abs(difference.mean), difference.half_width)
    return f"{amount}{' points' if scale.is_share else ''} {'lower' if difference.mean < 0 else 'higher'}"


def _units(comparison: Comparison) -> str:
    n = comparison.difference.n if comparison.difference else 0
    return f"{n} {'shared ' if comparison.n_left_out else ''}{comparison.unit.plural}"
