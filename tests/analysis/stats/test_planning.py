"""How many seeds would settle it, and what the present number can show."""

import numpy as np
import pytest

from src.analysis.stats.planning import MOST, POWER, fewest, outlook
from src.analysis.stats.signed_rank import p_value


def test_six_seeds_are_the_fewest_and_more_comparisons_need_more() -> None:
    assert [fewest(0.05), fewest(0.05 / 2), fewest(0.05 / 10)] == [6, 7, 9]


def test_differences_of_one_sign_need_the_fewest() -> None:
    found = outlook([0.5, 0.51, 0.52], alpha=0.05, margin=None)
    assert found.n == 6
    assert found.smallest is None


def test_the_number_that_is_told_finds_the_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(0.6, 1.0, 10)
    found = outlook(seen.tolist(), alpha=0.05, margin=None)
    assert found.n is not None

    def power(n: int) -> float:
        drawn = rng.choice(seen, (300, n))
        return float(np.mean([(p_value(row) or 0.0) < 0.05 for row in drawn.tolist()]))

    assert power(found.n) == pytest.approx(POWER, abs=0.08)
    assert power(found.n // 2) < POWER


def test_the_smallest_difference_that_is_told_is_found_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    spread = rng.normal(0.0, 1.0, 400)
    found = outlook(spread[:100].tolist(), alpha=0.05, margin=None)
    assert found.smallest is not None
    # by the normal distribution: (1.96 + 0.84) / sqrt(100), and a little more for ranks
    assert found.smallest == pytest.approx(0.29, abs=0.07)


def test_what_does_not_differ_is_settled_by_a_margin_only() -> None:
    seen = np.random.default_rng(2).normal(0.0, 0.005, 8)
    seen -= seen.mean()
    without, within = (outlook(seen.tolist(), alpha=0.05, margin=margin) for margin in (None, 0.02))
    assert within.n is not None
    assert without.n is None or without.n > within.n
    assert outlook([0.0, 0.0, 0.0], alpha=0.05, margin=None).n is None
    assert (MOST, POWER) == (1000, 0.8)


def test_the_same_differences_give_the_same_plan() -> None:
    seen = np.random.default_rng(3).normal(0.3, 1.0, 8).tolist()
    assert outlook(seen, alpha=0.05, margin=0.1) == outlook(seen, alpha=0.05, margin=0.1)


def test_with_more_seeds_than_are_thought_of_the_smallest_difference_falls_with_their_root() -> None:
    seen = np.random.default_rng(0).normal(size=100 * MOST)
    few, many = (outlook(seen[:n].tolist(), alpha=0.05, margin=None) for n in (MOST, 100 * MOST))
    assert few.n is many.n is None
    assert few.smallest is not None
    assert many.smallest == pytest.approx(few.smallest / 10, rel=0.2)
