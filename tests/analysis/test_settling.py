"""When a sweep's answer is clear, and how it is said."""

import math
from collections.abc import Mapping

import numpy as np
import pytest

from src.analysis.settling.verdict import Settled, settle


def found(values: Mapping[str, list[float]], *, margin: float | None = 0.01, metric: str = "test/accuracy") -> Settled:
    by_seed = {label: dict(enumerate(each)) for label, each in values.items()}
    return settle(by_seed, metric=metric, lower_is_better=metric.endswith("loss"), margin=margin)


def test_a_group_that_always_wins_is_better() -> None:
    look = found({"a": [0.5] * 8, "b": [0.9 + 0.01 * i for i in range(8)]})
    (pair,) = look.pairs
    assert (pair.first, pair.second, pair.verdict, pair.wins) == ("b", "a", "better", 8)
    assert look.is_clear
    assert look.sentences == ["b beats a in test accuracy on 8 of 8 seeds; median difference 43.5 points"]
    assert pair.interval == pytest.approx((0.4, 0.47))


def test_seven_seeds_are_not_enough() -> None:
    look = found({"a": [0.5] * 7, "b": [0.9] * 7})
    assert not look.is_clear
    assert look.sentences == ["no clear difference between b and a in test accuracy: b is better on 7 of 7 seeds"]


def test_the_lower_loss_is_the_better_one() -> None:
    look = found({"a": [0.5] * 8, "b": [0.25] * 8}, metric="val/loss", margin=None)
    assert look.sentences == ["b beats a in validation loss on 8 of 8 seeds; median difference 0.2500"]
    assert (look.pairs[0].difference, look.pairs[0].interval) == (-0.25, (-0.25, -0.25))


def test_groups_within_the_margin_are_equal_though_one_always_wins() -> None:
    values = {"a": [0.9] * 8, "b": [0.905] * 8}
    (said,) = found(values).sentences
    assert said.startswith(
        "b and a are practically equal in test accuracy: the median of their differences lies within"
    )
    assert said.endswith("within 1.0 point (8 seeds)")
    assert found(values, margin=0.001).pairs[0].verdict == "better"
    assert found(values, margin=None).pairs[0].verdict == "better"
    # as near as numbers are to each other
    assert found({"a": [0.9] * 8, "b": [0.91] * 8}).pairs[0].verdict == "equal"


def test_a_group_that_fails_now_and_then_is_not_equal_to_one_that_never_does() -> None:
    (pair,) = found({"a": [0.99] * 32, "b": [0.99] * 26 + [0.5] * 6}).pairs
    assert (pair.interval, pair.verdict) == ((0.0, 0.0), "unclear")
    (pair,) = found({"a": [0.99] * 48, "b": [0.99] * 40 + [0.5] * 8}).pairs
    assert (pair.interval, pair.verdict) == ((0.0, 0.0), "better")


def test_a_run_without_a_number_loses_and_two_of_them_tie() -> None:
    (pair,) = found({"a": [0.2] * 8 + [math.nan], "b": [math.nan] * 9}).pairs
    assert (pair.first, pair.verdict, pair.wins, pair.ties) == ("a", "better", 8, 1)
    assert found({"a": [1.0] * 8, "b": [math.nan] * 8}, metric="val/loss").sentences == [
        "a beats b in validation loss on 8 of 8 seeds"
    ]


def test_only_seeds_that_both_have_are_compared() -> None:
    look = settle(
        {"a": {1: 0.5, 2: 0.6}, "b": {2: 0.1}, "c": {3: 0.1}},
        metric="val/accuracy",
        lower_is_better=False,
        margin=None,
    )
    by_second = {pair.second: pair.n for pair in look.pairs}
    assert by_second == {"b": 1, "c": 0}
    assert "a and c have no seed with a number in common: validation accuracy not compared" in look.sentences


def test_more_groups_need_more_seeds() -> None:
    def is_clear(n_groups: int, n_seeds: int) -> bool:
        return found({str(i): [0.1 * i] * n_seeds for i in range(n_groups)}).is_clear

    fewest = {n: next(seeds for seeds in range(1, 20) if is_clear(n, seeds)) for n in (2, 3, 5, 9)}
    assert fewest == {2: 8, 3: 10, 5: 12, 9: 14}


def test_all_comparisons_with_the_first_have_to_be_clear() -> None:
    rng = np.random.default_rng(0)
    near = rng.normal(0.9, 0.05, 12).tolist(), rng.normal(0.9, 0.05, 12).tolist()
    look = found({"a": near[0], "b": near[1], "c": [0.1] * 12})
    assert [pair.verdict for pair in look.pairs] == ["unclear", "better"]
    assert not look.is_clear


def test_nothing_is_clear_without_groups() -> None:
    assert not found({}).is_clear
    assert not found({"a": [1.0]}).is_clear


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [2, 3])
def test_no_verdict_is_wrong_in_more_than_five_of_a_hundred_sweeps(n_groups: int) -> None:
    """Skewed values with ties, whose groups are equal, or whose median difference is just beyond the margin."""
    rng = np.random.default_rng(4)
    n_sweeps, wrong = 500, {"equal groups": 0, "beyond the margin": 0}
    for _ in range(n_sweeps):
        values = np.round(1 - rng.beta(0.5, 8, size=(n_groups, 64)), 2)
        wrong["equal groups"] += _is_wrong(values, {"better", "worse"})
        # half of the differences of the first two lie within the margin, and half beyond it
        apart = values.copy()
        apart[1] = apart[0] + np.where(rng.random(64) < 0.5, 0.011, 0.002)
        wrong["beyond the margin"] += _is_wrong(apart, {"equal"}, pair={"0", "1"})
    assert all(n < 0.05 * n_sweeps for n in wrong.values()), wrong


def _is_wrong(values: np.ndarray, verdicts: set[str], pair: set[str] | None = None) -> bool:
    """Whether a sweep with a look after every eight seeds ever says one of these."""
    for n in range(8, values.shape[1] + 1, 8):
        look = found({str(i): row[:n].tolist() for i, row in enumerate(values)})
        if any(each.verdict in verdicts and pair in (None, {each.first, each.second}) for each in look.pairs):
            return True
        if look.is_clear:
            return False
    return False
