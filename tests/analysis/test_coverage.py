"""What is printed as 95% is 95%, and equal groups are told apart no more often than told, on results of real runs.

None of these results has chosen a method. `python -m benchmarks.coverage` is the whole study; these are fewer draws.
"""

import numpy as np
import pytest

from benchmarks.coverage import comparisons, folds, intervals, looks, page, picture, study
from benchmarks.coverage.results import NUMBERS_OF_SEEDS, Truth, draw, pairs, truths
from src.analysis.stats.interval import LEVEL

HELD, FALSE = 0.94, 0.055


def by_name(truth: Truth) -> str:
    return str(truth)


def held(found: intervals.Held | None, n_draws: int) -> bool:
    """Whether an interval reaches what it says, but for a point or what chance does in so many draws."""
    if found is None:
        return True
    by_chance = 3 * np.sqrt(found.level * (1 - found.level) / n_draws) if found.level < LEVEL else 0.0
    return found.share >= found.level - max(0.01, by_chance)


def test_the_stored_results_are_those_of_many_different_shapes() -> None:
    found = truths()
    assert len({(each.problem, each.name) for each in found}) >= 10
    for each in found:
        assert each.values.shape == (2000,)
        assert np.isfinite(each.values).all()
    skewness = [((each.values - each.values.mean()) ** 3).mean() / each.values.std() ** 3 for each in found]
    assert min(skewness) < -2
    assert max(skewness) > 2
    assert min(map(abs, skewness)) < 0.25
    assert min(len(np.unique(each.values)) for each in found) < 10
    # configurations of a problem begin with the same seeds
    assert len(pairs()) == len(found) / 2


def test_draws_are_of_different_seeds_and_the_same_with_the_same_generator() -> None:
    first, again = (draw(np.random.default_rng(1), 50, 64) for _ in range(2))
    assert (first == again).all()
    assert all(len(set(row)) == 64 for row in first.tolist())
    assert (first.min(), first.max() < 2000) == (0, True) or first.min() > 0
    counted = np.bincount(draw(np.random.default_rng(2), 20_000, 3, of=10).ravel(), minlength=10)
    assert counted / 20_000 == pytest.approx([0.3] * 10, abs=0.015)


def test_what_is_documented_is_what_was_found_and_reaches_the_targets() -> None:
    rows = study.read()
    text = page.PAGE.read_text()
    assert page.replace(text, page.render(rows)) == text
    assert picture.PICTURE.exists()
    covered = [row for row in rows if row["study"] == "coverage" and row["name"] != page.NAIVE]
    assert {row["n"] for row in covered} == set(NUMBERS_OF_SEEDS)
    assert [row for row in covered if row["share"] < row["level"] - 0.01] == []
    assert [row for row in rows if row["study"] in ("alarms", "ranks") and row["rate"] > FALSE] == []
    assert [row for row in rows if row["study"] == "folds" and row["false_alarms"] > FALSE] == []
    assert {row["of"] for row in covered} == {str(truth) for truth in truths()}


def test_the_picture_shows_coverage_false_alarms_and_power() -> None:
    figure = picture.draw(study.read())
    assert [axes.get_title().split(",")[0] for axes in figure.axes] == [
        "intervals that hold the truth",
        "false alarms",
        "differences of accuracy that are found",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("truth", truths(), ids=by_name)
def test_intervals_hold_the_truth_as_often_as_they_say(truth: Truth) -> None:
    for n in NUMBERS_OF_SEEDS:
        rng = np.random.default_rng(n)
        seeds = draw(rng, 5000, n)
        for method in (intervals.median, intervals.failed, intervals.a_few_failed):
            assert held(method(truth, seeds), len(seeds))
        assert held(intervals.interquartile_mean(truth, seeds[:600]), 600)
    for n in (3, 16):
        assert held(intervals.mean(truth, draw(np.random.default_rng(n), 60, n)), 60)


@pytest.mark.slow
def test_intervals_of_differences_hold_the_truth_as_often_as_they_say() -> None:
    for a, b in pairs():
        for n in NUMBERS_OF_SEEDS:
            seeds = draw(np.random.default_rng(n), 5000, n)
            assert held(comparisons.difference(a, b, seeds), len(seeds))
            assert held(comparisons.wins(a, b, seeds), len(seeds))


@pytest.mark.slow
def test_equal_groups_are_told_apart_no_more_often_than_told() -> None:
    for a, b in pairs():
        for n in (5, 8, 16):
            rng = np.random.default_rng(n)
            assert comparisons.same_configuration(a, rng, 5000, n) <= FALSE
            assert comparisons.swapped_names(a, b, rng, 5000, n) <= FALSE
            assert comparisons.called_equal(a.values - b.values, 0.01, draw(rng, 5000, n)) <= FALSE
        assert comparisons.best_of(a, np.random.default_rng(0), 1000, 16, 8) <= FALSE
        assert comparisons.same_configuration(b, np.random.default_rng(0), 2000, 64) <= FALSE + 0.01


@pytest.mark.slow
def test_a_sweep_that_looks_again_and_again_is_wrong_no_more_often_than_told() -> None:
    for truth in truths():
        assert looks.equal_groups(truth, np.random.default_rng(0), 2000, 2) <= FALSE
        assert looks.equal_groups(truth, np.random.default_rng(1), 1000, 4) <= FALSE
    for a, b in pairs():
        assert looks.called_equal(a.values - b.values, 0.01, np.random.default_rng(2), 2000) <= FALSE


@pytest.mark.slow
@pytest.mark.parametrize("name", folds.LEARNERS)
def test_folds_of_equal_learners_are_told_apart_no_more_often_than_told(name: str) -> None:
    for share in (0.5, 0.2):
        found = folds.study(folds.LEARNERS[name], 5, 2000, np.random.default_rng(0), share=share)
        assert found.false_alarms <= FALSE
        assert found.held >= HELD
        assert found.power > found.false_alarms
