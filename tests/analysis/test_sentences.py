"""Sentences that say no more than the numbers do."""

from dataclasses import replace

import numpy as np
import pytest

from src.analysis.stats.comparison import compare
from src.analysis.varying.units import SEED, Unit
from src.analysis.words.sentences import p_equation, sentence

Values = dict[int, float]


def said(
    a: Values,
    b: Values,
    *,
    metric: str = "test/accuracy",
    unit: Unit = SEED,
    margin: float | None = None,
    with_outlook: bool = False,
) -> str:
    lower = metric.endswith(("loss", "far"))
    found = compare(metric, ("relu", a), ("linear", b), lower_is_better=lower, unit=unit, margin=margin)
    return sentence(found, with_outlook=with_outlook)


def around(middle: float, *, n: int, step: float = 0.001) -> Values:
    return {i: middle + step * (-1) ** i for i in range(n)}


def even(middle: float, *, n: int) -> Values:
    return dict.fromkeys(range(n), middle)


def test_accuracy_is_won_by_points() -> None:
    text = said(around(0.95, n=32, step=0.01), even(0.5, n=32))
    assert text == (
        "relu beats linear by 45.0 points of test accuracy (95% interval 44.0 to 46.0, better with 32 of 32 seeds)"
    )


def test_a_loss_is_won_by_a_lower_number() -> None:
    text = said(around(0.12, n=8), even(0.24, n=8), metric="test/loss")
    assert text == (
        "relu beats linear: 0.1200 lower test loss (95% interval 0.1190 to 0.1210, better with 8 of 8 seeds)"
    )


def test_a_score_is_won_by_a_higher_number() -> None:
    text = said(around(0.5, n=8, step=0.01), even(0.25, n=8), metric="test/r2")
    assert text == "relu beats linear: 0.250 higher test r2 (95% interval 0.240 to 0.260, better with 8 of 8 seeds)"


@pytest.mark.parametrize("metric", ["test/accuracy", "test/loss"])
def test_the_winner_is_named_first_whichever_came_first(metric: str) -> None:
    good, bad = around(0.9, n=8), even(0.8, n=8)
    if metric == "test/loss":
        good, bad = bad, good
    assert said(good, bad, metric=metric).replace("relu", "X").replace("linear", "relu").replace("X", "linear") == said(
        bad, good, metric=metric
    )
    assert said(bad, good, metric=metric).startswith("linear beats relu")


def test_a_difference_that_chance_explains_is_not_called_one() -> None:
    a = dict(enumerate((0.5, 0.9, 0.7, 0.6, 0.8, 0.4)))
    b = dict(enumerate((0.6, 0.7, 0.7, 0.5, 0.6, 0.6)))
    assert said(a, b) == (
        "no clear difference between relu and linear in test accuracy: relu is 5.0 points higher "
        "(95% interval -20.0 to 20.0, relu better with 3 of 6 seeds, 1 tie)"
    )
    assert said(a, b, metric="test/loss").startswith(
        "no clear difference between relu and linear in test loss: relu is 0.05 higher "
    )


def test_what_the_test_is_sure_of_and_the_interval_is_not_is_said_with_its_p_value() -> None:
    differences = [-0.001, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07]
    a, b = dict(enumerate(0.5 + np.array(differences))), even(0.5, n=8)
    assert said({i: float(x) for i, x in a.items()}, b) == (
        "relu beats linear in test accuracy: better with 7 of 8 seeds (p = 0.016); the median difference by itself is "
        "not clear, 3.5 points (95% interval -0.1 to 7.0)"
    )


def test_a_few_seeds_are_too_few_whatever_they_say() -> None:
    text = said(around(0.95, n=4, step=0.01), even(0.5, n=4), with_outlook=True)
    assert text == (
        "too few seeds to be sure of a difference between relu and linear in test accuracy: relu is 45.0 points "
        "higher (87.5% interval 44.0 to 46.0, relu better with 4 of 4 seeds). Fewer than 6 seeds cannot show a "
        "difference; differences like these would need about 6 seeds"
    )
    assert said(even(0.5, n=6), even(1.0, n=6)) == (
        "linear beats relu by 50.0 points of test accuracy (95% interval 50.0 to 50.0, better with 6 of 6 seeds)"
    )


def test_how_many_seeds_would_settle_it_and_what_these_can_show() -> None:
    rng = np.random.default_rng(0)
    a = {i: float(x) for i, x in enumerate(rng.normal(0.9, 0.02, 10))}
    b = {i: float(x) for i, x in enumerate(rng.normal(0.895, 0.02, 10))}
    found = compare("test/accuracy", ("relu", a), ("linear", b), lower_is_better=False)
    assert found.outlook is not None
    assert found.outlook.smallest is not None
    more = said(a, b, with_outlook=True).partition("). ")[2]
    assert more == (
        f"With 10 seeds a difference of {100 * found.outlook.smallest:.1f} points or more shows 80% of the time; "
        f"differences like these would need about {found.outlook.n} seeds"
    )
    far = {i: 0.9 + 0.02 * (-1) ** i for i in range(10)}
    never = said(far, {i: 0.9 - 0.02 * (-1) ** i for i in range(10)}, with_outlook=True)
    assert never.endswith("; differences like these would need more than 1000 seeds")


def test_a_difference_within_the_margin_is_practically_none() -> None:
    a, b = around(0.9, n=8), even(0.899, n=8)
    assert said(a, b, margin=0.01) == (
        "relu and linear are practically equal in test accuracy: relu is 0.1 points higher (95% interval 0 to 0.2), "
        "within the margin of 1 point"
    )
    assert said(a, b, margin=0.025).endswith("within the margin of 2.5 points")
    assert said(a, b, metric="test/loss", margin=0.05).endswith("within the margin of 0.05")


def test_a_median_of_nothing_is_neither_higher_nor_lower() -> None:
    a, b = {i: 0.5 + 0.02 * (i < 3) for i in range(8)}, even(0.5, n=8)
    assert said(a, b, margin=0.01) == (
        "no clear difference between relu and linear in test accuracy: the median difference is 0.0 points "
        "(95% interval 0 to 2.0, relu better with 3 of 8 seeds, 5 ties)"
    )


def test_rare_losses_beyond_the_margin_keep_groups_from_being_equal() -> None:
    a, b = even(0.99, n=20), {i: 0.5 if i < 3 else 0.99 for i in range(20)}
    assert said(a, b, margin=0.01) == (
        "no clear difference between relu and linear in test accuracy: the median difference is 0.0 points "
        "(95% interval 0 to 0, relu better with 3 of 20 seeds, 17 ties); the interval is within the margin of 1 "
        "point, but relu is better by more than that with 3, linear with 0"
    )


def test_equal_values_are_said_to_be_equal() -> None:
    assert said(even(1.0, n=4), even(1.0, n=4)) == "relu and linear have the same test accuracy with all 4 seeds"
    one = said(even(1.0, n=1), even(1.0, n=1))
    assert one == "relu and linear have the same test accuracy with the one seed they share"


def test_one_seed_gives_no_certainty() -> None:
    text = said({0: 0.9, 1: 0.9}, {0: 0.5})
    assert (
        text
        == "relu is 40.0 points higher than linear in test accuracy with the one seed they share: too few to be sure"
    )


def test_seeds_of_one_group_alone_are_not_counted() -> None:
    text = said(around(0.95, n=32, step=0.01), even(0.5, n=30))
    assert text.endswith("better with 30 of 30 shared seeds)")


def test_groups_without_a_common_seed_are_not_compared() -> None:
    assert said({0: 0.9}, {1: 0.5}) == "relu and linear have no seed in common: test accuracy not compared"


def test_a_corrected_p_value_decides() -> None:
    plain = compare("test/accuracy", ("a", around(0.9, n=7)), ("b", even(0.8, n=7)), lower_is_better=False)
    assert sentence(plain).startswith("a beats b")
    assert sentence(replace(plain, p_value=0.06)).startswith("no clear difference")


def test_folds_and_draws_are_called_what_they_are() -> None:
    folds, draws = Unit("fold", 1 / 7.2), Unit("draw")
    assert said(around(0.95, n=10, step=0.01), even(0.5, n=10), unit=folds) == (
        "relu beats linear by 45.0 points of test accuracy (95% interval 43.8 to 46.2, better with 10 of 10 folds)"
    )
    assert said(around(0.95, n=8), even(0.5, n=9), unit=draws).endswith("better with 8 of 8 shared draws)")
    assert said({0: 0.9}, {0: 0.9}, unit=draws).endswith("with the one draw they share")
    assert said({0: 0.9}, {1: 0.9}, unit=folds) == (
        "relu and linear have no fold of the same rows in common: test accuracy not compared"
    )
    # as many as four independent ones
    assert said(even(1.0, n=10), even(0.5, n=10), unit=folds).startswith("no clear difference")


def test_a_metric_that_is_better_low_by_what_was_asked_is_won_by_a_lower_number() -> None:
    text = said(around(0.1, n=8), even(0.2, n=8), metric="val/far")
    assert text.startswith("relu beats linear: 0.1000 lower validation far")


def test_p_values_as_one_writes_them() -> None:
    assert [p_equation(value) for value in (0.0312, 0.0001, None)] == ["p = 0.031", "p < 0.001", "p = -"]
