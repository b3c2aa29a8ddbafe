"""The answer of a sweep in sentences: what is best, and which of two groups is better, by how much and how surely."""

from itertools import groupby

from src.analysis.objectives import is_search
from src.analysis.scale import Scale, percent
from src.analysis.stats.comparison import Comparison
from src.analysis.stats.estimates import Estimate
from src.analysis.stats.interval import LEVEL
from src.analysis.stats.planning import MOST, POWER, fewest
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
    found = ranked[0].estimates[scale.metric]
    of = ranked[0].group.unit.number(found.n)
    value, interval = scale.text(found.value), ""
    if found.interval is not None:
        value, interval = scale.in_words(found.value, found.interval)
        interval = f", {interval}"
    number = f"{value}{'%' if scale.is_share else ''}"
    how = f"{number} ({f'{found.words} of ' if found.n > 1 else ''}{of}{interval})"
    if len(ranked) == 1:
        return f"{scale.words.capitalize()} of {ranked[0].group.label}: {how}."
    way = "Lowest" if scale.lower_is_better else "Highest"
    return f"{way} {scale.words} of {len(ranked)} groups: {ranked[0].group.label} with {how}."


def verdicts(summary: Summary) -> tuple[list[str], list[str]]:
    """Compare the best group with the next ones, metric by metric: what is said at once, and what on demand.

    Of a search whose trials have one seed each nothing: the best of them is the luckiest.
    """
    first, rest = list[str](), list[str]()
    if is_of_luck(summary):
        return first, rest
    for _, found in groupby(summary.comparisons, key=lambda each: (each.metric, each.first)):
        comparisons = list(found)
        first += [sentence(each, with_outlook=True) for each in comparisons[:_N_AT_ONCE]]
        # without a p value they say no more than that seeds or folds are missing
        if any(each.p_value is not None for each in comparisons):
            rest += map(sentence, comparisons[_N_AT_ONCE:_N_ON_DEMAND])
    return first, rest


def is_of_luck(summary: Summary) -> bool:
    """Whether this is a search in which no two trials can be compared."""
    return is_search(summary.sweep_dirs) and all(each.p_value is None for each in summary.comparisons)


def number(ranked: RankedGroup, metric: str, *, level: bool = False) -> str:
    """A group's estimate with its interval; empty where it has none.

    Args:
        ranked: The group.
        metric: What of it.
        level: Whether an interval that is less sure than asked says how sure it is.
    """
    found = ranked.estimates.get(metric)
    return "" if found is None else ranked.scale(metric).with_interval(found.value, found.interval, level=level)


def failed(ranked: RankedGroup) -> str:
    """Share of a group's runs that failed, in per cent, with its exact interval: "0 [0, 37]"."""
    found = ranked.failed
    if found.of == 0:
        return "-"
    ends = "" if found.interval is None else f" [{100 * found.interval.low:.0f}, {100 * found.interval.high:.0f}]"
    return f"{100 * found.n / found.of:.0f}{ends}"


def failed_words(ranked: RankedGroup) -> str:
    """The same in words: "0 of 8: 0%, at most 37%"."""
    found = ranked.failed
    text = f"{found.n} of {found.of}: {100 * found.n / max(found.of, 1):.0f}%"
    if found.interval is None:
        return text
    low, high = (f"{100 * end:.0f}" for end in found.interval[:2])
    if found.n == 0:
        return f"{text}, at most {high}%"
    return f"{text}, at least {low}%" if found.n == found.of else f"{text}, {low} to {high}%"


def p_text(value: float | None) -> str:
    """Write a p value."""
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def p_equation(value: float | None) -> str:
    """Write a p value with its sign: "p = 0.031", "p < 0.001"."""
    text = p_text(value)
    return f"p {text[0]} {text[1:]}" if text.startswith("<") else f"p = {text}"


def sentence(comparison: Comparison, *, with_outlook: bool = False) -> str:
    """Say which of two groups is better, by how much and how surely.

    Like "relu beats identity by 38.1 points of test accuracy (95% interval 36.9 to 39.3, better with 32 of 32 seeds)".
    One "beats" another where the corrected p value is below 0.05 and the difference matters.

    Args:
        comparison: Of the two.
        with_outlook: Whether to say what more seeds would show, where it is not clear.
    """
    scale = Scale.of(comparison.metric, lower_is_better=comparison.lower_is_better)
    if any(comparison.lost):
        return f"{_sentence(comparison, scale, with_outlook=False)}; {_lost(comparison, scale)}"
    return _sentence(comparison, scale, with_outlook=with_outlook)


def _lost(comparison: Comparison, scale: Scale) -> str:
    """Which runs have no number, and what they count for."""
    by_first, by_second, by_both = comparison.lost
    owners = ((by_first + by_both, comparison.first), (by_second + by_both, comparison.second))
    counts = " and ".join(f"{n} of {name}" for n, name in owners if n)
    n = sum(n for n, _ in owners)
    runs, have = ("run", "has") if n == 1 else ("runs", "have")
    return (
        f"{runs} without a number ({counts}) {'counts' if n == 1 else 'count'} as worse than any with one, and {have} "
        f"no part in the difference of {scale.words}"
    )


def _by_wins(comparison: Comparison, scale: Scale) -> str:
    """What is left to say where no two runs, or one pair alone, have numbers of both."""
    first, second, units = comparison.first, comparison.second, _units(comparison)
    if comparison.verdict == "better":
        is_first = comparison.winner == first
        winner, loser = (first, second) if is_first else (second, first)
        n_better = comparison.wins if is_first else comparison.losses
        how = f"better with {n_better} of {units} ({p_equation(comparison.p_value)})"
        return f"{winner} beats {loser} in {scale.words}: {how}"
    wins = f"{first} better with {comparison.wins} of {units}"
    return f"no clear difference between {first} and {second} in {scale.words}: {wins}"


def _sentence(comparison: Comparison, scale: Scale, *, with_outlook: bool) -> str:
    found, first, second, noun = comparison.difference, comparison.first, comparison.second, comparison.unit.noun
    if comparison.n > (found is not None) and (found is None or found.interval is None):
        return _by_wins(comparison, scale)
    if found is None:
        what = f"{noun} of the same rows" if noun == "fold" else noun
        return f"{first} and {second} have no {what} in common: {scale.words} not compared"
    if comparison.ties == comparison.n:
        every = f"all {_units(comparison)}" if comparison.n > 1 else f"the one {noun} they share"
        return f"{first} and {second} have the same {scale.words} with {every}"
    if found.interval is None:
        how = _how(scale, found.value, scale.text(abs(found.value)))
        return f"{first} is {how} than {second} in {scale.words} with the one {noun} they share: too few to be sure"
    if comparison.verdict == "better":
        return _better(comparison, scale, found)
    amount, interval = _signed(scale, found, sign=-1 if found.value < 0 else 1)
    is_how = f"{first} is {_how(scale, found.value, amount)}"
    if found.value == 0:
        is_how = f"the {found.words} difference is {amount}{' points' if scale.is_share else ''}"
    if comparison.verdict == "equal":
        margin = _amount(scale, comparison.margin or 0.0)
        said = f"{first} and {second} are practically equal in {scale.words}"
        return f"{said}: {is_how} ({interval}), within the margin of {margin}"
    ties = f", {comparison.ties} {'tie' if comparison.ties == 1 else 'ties'}" if comparison.ties else ""
    facts = f"({interval}, {first} better with {comparison.wins} of {_units(comparison)}{ties})"
    too_few = f"too few {comparison.unit.plural} to be sure of a"
    said = f"{too_few if comparison.n < _least(comparison) else 'no clear'} difference"
    said = f"{said} between {first} and {second} in {scale.words}: {is_how} {facts}"
    if rare := comparison.beyond_margin:
        margin = _amount(scale, comparison.margin or 0.0)
        by_more = f"{first} is better by more than that with {rare[0]}, {second} with {rare[1]}"
        said = f"{said}; the interval is within the margin of {margin}, but {by_more}"
    more = outlook(comparison, scale) if with_outlook else ""
    return f"{said}. {more}" if more else said


def outlook(comparison: Comparison, scale: Scale) -> str:
    """Say how many seeds would settle a comparison, and what the present number can show; empty where it is clear."""
    found, unit = comparison.outlook, comparison.unit
    if found is None:
        return ""
    least = _least(comparison)
    if comparison.n < least:
        now = f"Fewer than {unit.number(least)} cannot show a difference"
    elif found.smallest is None:
        now = f"With {unit.number(comparison.n)} any difference shows that has the same sign with each of them"
    else:
        smallest = f"{scale.text(found.smallest)}{' points' if scale.is_share else ''}"
        now = f"With {unit.number(comparison.n)} a difference of {smallest} or more shows {percent(POWER)} of the time"
    if found.n is None:
        return f"{now}; differences like these would need more than {unit.number(MOST)}"
    return f"{now}; differences like these would need about {unit.number(found.n)}"


def _least(comparison: Comparison) -> int:
    """Seeds from which on the test can find anything; folds have another test."""
    return 2 if comparison.unit.noun == "fold" else fewest((1 - LEVEL) / comparison.n_compared)


def _better(comparison: Comparison, scale: Scale, found: Estimate) -> str:
    is_first = comparison.winner == comparison.first
    winner, loser = (comparison.first, comparison.second) if is_first else (comparison.second, comparison.first)
    n_better = comparison.wins if is_first else comparison.losses
    amount, interval = _signed(scale, found, sign=1 if is_first is not scale.lower_is_better else -1)
    better = f"better with {n_better} of {_units(comparison)}"
    assert found.interval is not None
    low, high = found.interval[:2]
    leans = found.value if is_first is not scale.lower_is_better else -found.value
    if low <= 0 <= high or leans < 0:
        size = f"{amount}{' points' if scale.is_share else ''}"
        return (
            f"{winner} beats {loser} in {scale.words}: {better} ({p_equation(comparison.p_value)}); the "
            f"{found.words} difference by itself is not clear, {size} ({interval})"
        )
    if scale.is_share:
        return f"{winner} beats {loser} by {amount} points of {scale.words} ({interval}, {better})"
    way = "lower" if scale.lower_is_better else "higher"
    return f"{winner} beats {loser}: {amount} {way} {scale.words} ({interval}, {better})"


def _signed(scale: Scale, found: Estimate, *, sign: int) -> tuple[str, str]:
    """A difference and its interval, turned round where the sign is negative."""
    interval = found.interval
    assert interval is not None
    ends = sorted((sign * interval.low, sign * interval.high))
    return scale.in_words(sign * found.value, interval._replace(low=ends[0], high=ends[1]))


def _how(scale: Scale, value: float, amount: str) -> str:
    points = " points" if scale.is_share else ""
    return f"{amount}{points} {'lower' if value < 0 else 'higher'}"


def _amount(scale: Scale, value: float) -> str:
    if not scale.is_share:
        return f"{value:g}"
    return f"{100 * value:g} point{'' if value == 0.01 else 's'}"


def _units(comparison: Comparison) -> str:
    return f"{comparison.n} {'shared ' if comparison.n_left_out else ''}{comparison.unit.plural}"
