"""Sentences that say no more than the numbers do."""

import pytest

from src.analysis.sentences import sentence
from src.analysis.stats import Comparison, compare
from src.analysis.units import Unit

Values = dict[int, float]


def said(a: Values, b: Values, *, metric: str = "test/accuracy") -> str:
    return sentence(compare(metric, ("relu", a), ("linear", b), lower_is_better=metric.endswith("loss")))


def around(mean: float, *, n: int, step: float = 0.001) -> Values:
    return {i: mean + step * (-1) ** i for i in range(n)}


def even(mean: float, *, n: int) -> Values:
    return dict.fromkeys(range(n), mean)


def test_accuracy_is_won_by_points() -> None:
    text = said(around(0.95, n=32, step=0.01), even(0.5, n=32))
    assert text == "relu beats linear by 45.0 ± 0.4 points of test accuracy (32 of 32 seeds)"


def test_a_loss_is_won_by_a_lower_number() -> None:
    text = said(around(0.12, n=8), even(0.24, n=8), metric="test/loss")
    assert text == "relu beats linear: 0.12000 ± 0.00089 lower test loss (8 of 8 seeds)"


def test_a_score_is_won_by_a_higher_number() -> None:
    text = said(around(0.5, n=8, step=0.01), even(0.25, n=8), metric="test/r2")
    assert text == "relu beats linear: 0.2500 ± 0.0089 higher test r2 (8 of 8 seeds)"


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
    text = said({0: 0.5, 1: 0.9, 2: 0.7, 3: 0.6}, {0: 0.6, 1: 0.7, 2: 0.7, 3: 0.5})
    assert text == (
        "no clear difference between relu and linear in test accuracy: relu is 5.0 ± 20.5 points higher "
        "(better with 2 of 4 seeds, 1 tie)"
    )
    text = said({0: 0.5, 1: 0.9, 2: 0.7}, {0: 0.6, 1: 0.75, 2: 0.9}, metric="test/loss")
    assert text == (
        "no clear difference between relu and linear in test loss: relu is 0.05 ± 0.45 lower (better with 2 of 3 seeds)"
    )


def test_two_equal_differences_are_no_proof() -> None:
    assert said(even(1.0, n=2), even(0.5, n=2)) == (
        "relu is 50.0 points higher than linear in test accuracy with all 2 seeds, by the same amount: "
        "too few for a test"
    )
    assert said(even(0.5, n=6), even(1.0, n=6)) == (
        "linear beats relu by 50.0 ± 0.0 points of test accuracy (6 of 6 seeds)"
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
    assert text.endswith("(30 of 30 shared seeds)")


def test_groups_without_a_common_seed_are_not_compared() -> None:
    assert said({0: 0.9}, {1: 0.5}) == "relu and linear have no seed in common: test accuracy not compared"


def test_a_corrected_p_value_decides() -> None:
    plain = compare("test/accuracy", ("a", around(0.9, n=5)), ("b", even(0.8, n=5)), lower_is_better=False)
    assert sentence(plain).startswith("a beats b")
    weaker = Comparison(**{**vars(plain), "p_value": 0.06})
    assert sentence(weaker).startswith("no clear difference")


def test_folds_and_draws_are_called_what_they_are() -> None:
    def of(a: Values, b: Values, unit: Unit) -> str:
        return sentence(compare("test/accuracy", ("relu", a), ("linear", b), lower_is_better=False, unit=unit))

    folds, draws = Unit("fold", 1 / 7.2), Unit("draw")
    assert of(around(0.95, n=10, step=0.01), even(0.5, n=10), folds) == (
        "relu beats linear by 45.0 ± 1.2 points of test accuracy (10 of 10 folds)"
    )
    assert of(around(0.95, n=8), even(0.5, n=9), draws).endswith("(8 of 8 shared draws)")
    assert of({0: 0.9}, {0: 0.9}, draws).endswith("with the one draw they share")
    assert of({0: 0.9}, {1: 0.9}, folds) == (
        "relu and linear have no fold of the same rows in common: test accuracy not compared"
    )
    assert of(even(1.0, n=10), even(0.5, n=10), folds).endswith(
        "with all 10 folds, by the same amount: too few for a test"
    )


def test_a_metric_that_is_better_low_by_what_was_asked_is_won_by_a_lower_number() -> None:
    found = compare("val/far", ("a", around(0.1, n=8)), ("b", even(0.2, n=8)), lower_is_better=True)
    assert sentence(found).startswith("a beats b: 0.10000 ± 0.00089 lower validation far")
