"""Is a sweep's answer clear? Asked after every batch of seeds, with an error of at most 5% over all of the looks.

The group that wins most often, seed by seed, is compared with each other one. Two groups are *better*, where one wins
on more than half of all seeds on which they differ; *equal*, where the median of their differences lies within a
margin; or *unclear*. Each is shown by `sequential`, which holds however often one looks, and whichever group turns out
to be the first: with k groups there are k (k - 1) / 2 pairs, and of "the one is better", "the other is better" and
"both are equal" no more than two can be untrue, so that each has an error of at most 5% / (k (k - 1)).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from src.analysis.scale import Scale
from src.analysis.settling.sequential import is_shown, median_interval

ALPHA = 0.05

Verdict = Literal["better", "worse", "equal", "unclear"]

# Groups are not called equal where one of them wins by more than the margin on so many more of all seeds.
_LOPSIDED = 0.1


@dataclass(frozen=True)
class Pair:
    """The leading group and another one, on the seeds that both have.

    Attributes:
        first: Label of the leading group.
        second: Label of the other one.
        verdict: What is shown of the first.
        wins: On how many seeds the first is better.
        ties: On how many both are equal.
        losses: On how many the second is better.
        difference: Median of first minus second; None without a seed that both have.
        interval: Of this median, at all looks; infinite ends where there are too few seeds.
    """

    first: str
    second: str
    verdict: Verdict
    wins: int
    ties: int
    losses: int
    difference: float | None
    interval: tuple[float, float]

    @property
    def n(self) -> int:
        """Seeds that both have."""
        return self.wins + self.ties + self.losses


@dataclass(frozen=True)
class Settled:
    """What a look has come to.

    Attributes:
        metric: What is compared.
        margin: Differences up to here do not matter; None where every difference does.
        pairs: The leading group with each other one; those that it wins least against first.
        n_seeds: Seeds so far.
    """

    metric: str
    margin: float | None
    pairs: tuple[Pair, ...]
    n_seeds: int

    @property
    def is_clear(self) -> bool:
        """Whether every comparison of the leading group has its answer."""
        return bool(self.pairs) and all(pair.verdict != "unclear" for pair in self.pairs)

    @property
    def sentences(self) -> list[str]:
        """A sentence for each comparison."""
        return [sentence(pair, Scale.of(self.metric), self.margin) for pair in self.pairs]


def settle(
    values: Mapping[str, Mapping[int, float]],
    *,
    metric: str,
    lower_is_better: bool,
    margin: float | None,
    n_seeds: int | None = None,
) -> Settled:
    """Compare the leading group with all others.

    Args:
        values: Value by seed of each group; one that is not finite is worse than all that are.
        metric: What they are.
        lower_is_better: Whether small values are good ones.
        margin: Largest difference that does not matter; None where every one does.
        n_seeds: Seeds so far; None for as many as a group has values.
    """
    labels = list(values)
    alpha = ALPHA / max(1, len(labels) * (len(labels) - 1))
    way = -1.0 if lower_is_better else 1.0
    gains = {
        (a, b): _gains(values[a], values[b], way=way)
        for i, a in enumerate(labels)
        for b in labels[:i] + labels[i + 1 :]
    }
    net = {a: sum(_net(gains[a, b]) for b in labels if b != a) for a in labels}
    leader = max(labels, key=lambda a: net[a]) if labels else ""
    pairs = [_pair(leader, b, gains[leader, b], way=way, alpha=alpha, margin=margin) for b in labels if b != leader]
    pairs.sort(key=lambda pair: (pair.wins - pair.losses) / max(1, pair.n))
    if n_seeds is None:
        n_seeds = max((len(each) for each in values.values()), default=0)
    return Settled(metric, margin, tuple(pairs), n_seeds)


def _gains(a: Mapping[int, float], b: Mapping[int, float], *, way: float) -> list[float]:
    """By how much a is better, seed by seed."""
    gains = []
    for seed in a:
        if seed in b:
            one, other = (way * each if math.isfinite(each) else -math.inf for each in (a[seed], b[seed]))
            gains.append(0.0 if one == other else one - other)
    return gains


def _net(gains: Sequence[float]) -> float:
    return sum((gain > 0) - (gain < 0) for gain in gains) / max(1, len(gains))


def _pair(first: str, second: str, gains: Sequence[float], *, way: float, alpha: float, margin: float | None) -> Pair:
    wins, losses = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    low, high = median_interval(gains, alpha)
    verdict: Verdict = "unclear"
    if margin is not None and _is_within(low, high, margin, gains):
        verdict = "equal"
    elif is_shown(wins, losses, alpha):
        verdict = "better"
    elif is_shown(losses, wins, alpha):
        verdict = "worse"
    ends = sorted((way * low, way * high))
    middle = way * _median(gains) if gains else None
    return Pair(first, second, verdict, wins, len(gains) - wins - losses, losses, middle, (ends[0], ends[1]))


def _is_within(low: float, high: float, margin: float, gains: Sequence[float]) -> bool:
    # of two numbers that were rounded
    margin += 1e-9 * max(1.0, margin)
    lopsided = abs(sum(gain > margin for gain in gains) - sum(gain < -margin for gain in gains)) > _LOPSIDED * len(
        gains
    )
    return -margin <= low and high <= margin and not lopsided


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return low if low == high else (low + high) / 2


def sentence(pair: Pair, scale: Scale, margin: float | None) -> str:
    """Say what is shown of two groups.

    Like "relu beats identity in test accuracy on 14 of 16 seeds, by 38.1 points in the middle".
    """
    seeds = f"{pair.n} seed{'' if pair.n == 1 else 's'}"
    ties = f", {pair.ties} {'tie' if pair.ties == 1 else 'ties'}" if pair.ties else ""
    if not pair.n:
        return f"{pair.first} and {pair.second} have no seed with a number in common: {scale.words} not compared"
    if pair.verdict == "equal":
        return (
            f"{pair.first} and {pair.second} are practically equal in {scale.words}: the median of their differences "
            f"lies within {_amount(scale, margin)} ({seeds})"
        )
    if pair.verdict in ("better", "worse"):
        better, other, n = pair.first, pair.second, pair.wins
        if pair.verdict == "worse":
            better, other, n = pair.second, pair.first, pair.losses
        return f"{better} beats {other} in {scale.words} on {n} of {seeds}{ties}{_by(scale, pair)}"
    return (
        f"no clear difference between {pair.first} and {pair.second} in {scale.words}: {pair.first} is better on "
        f"{pair.wins} of {seeds}{ties}"
    )


def _by(scale: Scale, pair: Pair) -> str:
    if pair.difference is None or not math.isfinite(pair.difference):
        return ""
    return f"; median difference {_amount(scale, abs(pair.difference))}"


def _amount(scale: Scale, value: float | None) -> str:
    written = scale.text(value or 0.0)
    return f"{written} {'point' if written in ('1', '1.0') else 'points'}" if scale.is_share else written
