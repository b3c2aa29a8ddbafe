"""Two groups seed by seed: the verdict, the size and what it is sure of."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
from scipy import stats

from src.analysis.stats.comparison import Comparison, cliffs_delta, compare, holm
from src.analysis.varying.units import SEED, Unit
from tests.analysis.stats.shapes import SHAPES

FOLDS = Unit("fold", 1 / 7.2)


def compared(
    a: Mapping[int, float],
    b: Mapping[int, float],
    *,
    lower: bool = False,
    margin: float | None = None,
    unit: Unit | None = None,
) -> Comparison:
    return compare("test/accuracy", ("a", a), ("b", b), lower_is_better=lower, margin=margin, unit=unit or SEED)


def by_seed(values: object) -> dict[int, float]:
    return dict(enumerate(np.asarray(values, float).tolist()))


def drawn(n: int, *, seed: int, shift: float = 0.0) -> dict[int, float]:
    return by_seed(np.random.default_rng(seed).normal(shift, 1.0, n))


def test_the_test_is_wilcoxons_and_the_size_the_median_of_the_differences() -> None:
    a, b = drawn(16, seed=1, shift=1.2), drawn(16, seed=2)
    found = compared(a, b)
    differences = np.subtract(list(a.values()), list(b.values()))
    assert found.p_value == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue)
    assert found.difference is not None
    assert found.difference.value == pytest.approx(np.median(differences))
    assert found.difference.interval == pytest.approx((*np.sort(differences)[[3, 12]], 0.95))
    assert (found.verdict, found.winner) == ("better", "a")


def test_pairs_are_matched_by_seed_and_not_by_place() -> None:
    a = drawn(10, seed=1)
    b = {seed: value - 1 + 0.01 * seed for seed, value in reversed(a.items())}
    found = compared(a, b)
    assert (found.wins, found.ties, found.losses) == (10, 0, 0)
    assert found.difference is not None
    assert found.difference.value == pytest.approx(1 - 0.01 * 4.5)


def test_only_shared_seeds_count() -> None:
    found = compared({0: 1.0, 1: 2.0, 2: 9.0}, {1: 1.5, 2: 8.75, 3: 4.0, 4: 4.0})
    assert (found.n, found.n_left_out) == (2, 3)
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.375)


def test_lower_is_better_turns_wins_around_but_not_the_difference() -> None:
    a, b = {0: 1.0, 1: 2.0, 2: 3.0}, {0: 2.0, 1: 2.0, 2: 1.0}
    high, low = compared(a, b), compared(a, b, lower=True)
    assert (high.wins, high.ties, high.losses) == (1, 1, 1)
    assert high.difference == low.difference
    lopsided = compared({0: 1.0, 1: 1.0}, {0: 2.0, 1: 3.0}, lower=True)
    assert (lopsided.wins, lopsided.ties, lopsided.losses) == (2, 0, 0)
    assert (lopsided.delta, lopsided.superiority) == (1.0, 1.0)


@pytest.mark.parametrize("lower", [False, True])
def test_the_winner_is_whoever_the_test_leans_to(*, lower: bool) -> None:
    good, bad = by_seed(np.linspace(0.9, 0.95, 8)), by_seed(np.linspace(0.1, 0.2, 8))
    assert compared(good, bad, lower=lower).winner == ("b" if lower else "a")
    assert compared(bad, good, lower=lower).winner == ("a" if lower else "b")


def test_no_shared_seed_is_no_comparison_and_one_is_no_test() -> None:
    none = compared({0: 1.0}, {1: 2.0})
    assert (none.difference, none.p_value, none.verdict, none.superiority) == (None, None, "unclear", None)
    one = compared({0: 1.0}, {0: 2.0})
    assert one.difference is not None
    assert (one.difference.interval, one.p_value, one.verdict) == (None, None, "unclear")


@pytest.mark.parametrize("n", [2, 5, 6, 20])
def test_equal_differences_are_judged_as_by_the_sign_test(n: int) -> None:
    found = compared({i: 0.5 + 0.1 * i for i in range(n)}, {i: 0.25 + 0.1 * i for i in range(n)})
    assert found.p_value == pytest.approx(stats.binomtest(n, n).pvalue)
    assert found.verdict == ("better" if n >= 6 else "unclear")


def test_equal_groups_are_no_difference() -> None:
    found = compared({0: 0.5, 1: 0.75}, {0: 0.5, 1: 0.75})
    assert (found.ties, found.p_value, found.verdict, found.superiority) == (2, 1.0, "unclear", 0.5)


def test_wins_have_the_exact_interval_and_folds_none() -> None:
    a, b = drawn(10, seed=1, shift=0.5), drawn(10, seed=2)
    found = compared(a, b)
    expected = stats.binomtest(found.wins, 10).proportion_ci(0.95)
    assert found.wins_interval is not None
    assert found.wins_interval[:2] == pytest.approx(tuple(expected))
    assert compared(a, b, unit=FOLDS).wins_interval is None


def test_differences_within_the_margin_are_practically_equal() -> None:
    a = by_seed(0.9 + 0.002 * np.random.default_rng(1).random(12))
    b = by_seed(0.899 + 0.002 * np.random.default_rng(2).random(12))
    assert compared(a, b, margin=0.01).verdict == "equal"
    assert compared(a, b, margin=0.0001).verdict != "equal"
    assert compared(a, b).verdict != "equal"
    # a difference that is sure and does not matter
    better = {seed: value + 0.005 for seed, value in b.items()}
    assert (compared(better, b).verdict, compared(better, b, margin=0.01).verdict) == ("better", "equal")


def test_too_few_seeds_are_not_practically_equal() -> None:
    a = by_seed([0.9] * 5)
    assert compared(a, a, margin=0.01).verdict == "unclear"
    a = by_seed([0.9] * 6)
    assert compared(a, a, margin=0.01).verdict == "equal"


def test_groups_are_not_equal_where_only_one_of_them_loses_runs() -> None:
    a, b = by_seed([0.99] * 20), by_seed([0.5] * 3 + [0.99] * 17)
    found = compared(a, b, margin=0.01)
    assert found.difference is not None
    assert found.difference.interval == (0.0, 0.0, 0.95)
    assert found.verdict == "unclear"
    # both lose some
    lost = by_seed([0.99] * 17 + [0.5] * 3)
    assert compared(lost, b, margin=0.01).verdict == "equal"


def test_holm_for_all_pairs_by_hand() -> None:
    # of six groups with 15 pairs: 0.01 x 15, 0.02 x 14, 0.03 x 13 and 0.031 x 12, which may not fall below those before
    given = [0.031, 0.01, None, 0.03, 0.02]
    plain = [Comparison("m", "a", "b", (), False, 0, p) for p in given]  # noqa: FBT003
    corrected = holm(plain)
    assert [each.p_value for each in corrected] == pytest.approx([0.39, 0.15, None, 0.39, 0.28])
    assert [each.n_compared for each in corrected] == [15, 15, 1, 15, 15]
    assert [each.p_value for each in holm(plain[:1])] == [0.031]
    assert holm([Comparison("m", "a", "b", (), False, 0, 0.9)] * 3)[0].p_value == 1.0  # noqa: FBT003
    # groups on two data sets, each with a best one: three pairs and one
    best = [Comparison("m", first, "b", (), False, 0, 0.01) for first in ("a", "a", "c")]  # noqa: FBT003
    assert [each.p_value for each in holm(best)] == pytest.approx([0.04] * 3)


def test_cliffs_delta_is_counted_over_all_pairs() -> None:
    a, b = [1.0, 2.0, 2.0, 5.0], [2.0, 3.0, 0.0]
    signs = [np.sign(x - y) for x in a for y in b]
    assert cliffs_delta(a, b) == pytest.approx(np.mean(signs))
    assert cliffs_delta(a, []) == 0.0
    # the statistic of Mann and Whitney on another scale
    u = stats.mannwhitneyu(a, b).statistic
    assert cliffs_delta(a, b) == pytest.approx(2 * u / 12 - 1)


def test_folds_are_compared_by_the_corrected_test_worked_out_by_hand() -> None:
    # t = 2 / sqrt(5/6); with two degrees of freedom p = 1 - t / sqrt(2 + t^2)
    a, b = {0: 1.5, 1: 2.5, 2: 3.5}, dict.fromkeys(range(3), 0.5)
    found = compared(a, b, lower=True, unit=Unit("fold", 0.5))
    assert found.difference is not None
    assert (found.difference.name, found.difference.value) == ("mean", 2.0)
    assert found.p_value == pytest.approx(1 - math.sqrt(4.8 / 6.8), abs=1e-9)
    assert (found.wins, found.losses, found.outlook) == (0, 3, None)


def test_the_corrected_test_is_that_of_the_paper_for_repeated_folds() -> None:
    values = drawn(50, seed=3, shift=0.5)
    found = compared(values, dict.fromkeys(range(50), 0.0), unit=FOLDS)
    variance = (1 / 50 + 1 / 7.2) * np.var(list(values.values()), ddof=1)
    t = np.mean(list(values.values())) / math.sqrt(variance)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(t), 49))
    assert found.difference is not None
    assert found.difference.interval is not None
    low, high = found.difference.interval[:2]
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, 49) * math.sqrt(variance))
    assert found.verdict == ("better" if low > 0 or high < 0 else "unclear")


@pytest.mark.parametrize(("n", "worth"), [(10, 4), (50, 6)])
def test_equal_differences_of_folds_count_as_many_as_they_are_worth(n: int, worth: int) -> None:
    # 1 / (1/10 + 1/7.2) = 4.2, 1 / (1/50 + 1/7.2) = 6.3
    found = compared(dict.fromkeys(range(n), 0.5), dict.fromkeys(range(n), 0.25), unit=FOLDS)
    assert found.p_value == pytest.approx(stats.binomtest(worth, worth).pvalue)


@pytest.mark.parametrize("n", [6, 8, 16, 32])
def test_the_median_of_differences_that_are_not_symmetric_is_covered(n: int) -> None:
    rng = np.random.default_rng(n)
    lost, few = SHAPES["a third lost"].draw, SHAPES["a few lost"].draw
    truth = float(np.median(few(rng, 400_000) - lost(rng, 400_000)))
    held = 0
    for _ in range(500):
        found = compared(by_seed(few(rng, n)), by_seed(lost(rng, n))).difference
        assert found is not None
        assert found.interval is not None
        held += found.interval.low <= truth <= found.interval.high
    assert held / 500 >= 0.94
