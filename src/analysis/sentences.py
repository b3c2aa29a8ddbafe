"""The answer of a sweep in sentences."""

from src.analysis.scale import Scale
from src.analysis.stats import Comparison, Estimate


def sentence(comparison: Comparison) -> str:
    """Say which of two groups is better, by how much and how surely.

    Like "relu beats identity by 38.1 ± 1.2 points of test accuracy (32 of 32 seeds)". One "beats" another where the
    corrected p value is below 0.05.
    """
    scale, difference = Scale.of(comparison.metric), comparison.difference
    first, second = comparison.first, comparison.second
    if difference is None:
        return f"{first} and {second} have no seed in common: {scale.words} not compared"
    if comparison.ties == difference.n:
        every = f"all {_seeds(comparison)}" if difference.n > 1 else "the one seed they share"
        return f"{first} and {second} have the same {scale.words} with {every}"
    if difference.half_width is None:
        is_how = _distance(scale, difference)
        return f"{first} is {is_how} than {second} in {scale.words} with the one seed they share: too few to be sure"
    if comparison.is_clear:
        return _verdict(comparison, scale, difference)
    if difference.half_width == 0 and comparison.ties == 0:
        is_how = _distance(scale, Estimate(difference.mean, None, difference.n))
        always = f"with all {_seeds(comparison)}, by the same amount: too few for a test"
        return f"{first} is {is_how} than {second} in {scale.words} {always}"
    ties = f", {comparison.ties} {'tie' if comparison.ties == 1 else 'ties'}" if comparison.ties else ""
    return (
        f"no clear difference between {first} and {second} in {scale.words}: {first} is {_distance(scale, difference)} "
        f"(better with {comparison.wins} of {_seeds(comparison)}{ties})"
    )


def _verdict(comparison: Comparison, scale: Scale, difference: Estimate) -> str:
    first, second, n_better = comparison.first, comparison.second, comparison.wins
    if (difference.mean < 0) != scale.lower_is_better:
        first, second, n_better = second, first, comparison.losses
    amount = scale.text(abs(difference.mean), difference.half_width)
    seeds = f"({n_better} of {_seeds(comparison)})"
    if scale.is_share:
        return f"{first} beats {second} by {amount} points of {scale.words} {seeds}"
    return f"{first} beats {second}: {amount} {'lower' if scale.lower_is_better else 'higher'} {scale.words} {seeds}"


def _distance(scale: Scale, difference: Estimate) -> str:
    amount = scale.text(abs(difference.mean), difference.half_width)
    return f"{amount}{' points' if scale.is_share else ''} {'lower' if difference.mean < 0 else 'higher'}"


def _seeds(comparison: Comparison) -> str:
    n = comparison.difference.n if comparison.difference else 0
    return f"{n} {'shared ' if comparison.n_left_out else ''}seeds"
