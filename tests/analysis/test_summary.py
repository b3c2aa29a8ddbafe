"""What a sweep has found out, as data."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest
from scipy import stats

from src.analysis.options import Options
from src.analysis.records import read_jobs
from src.analysis.summary import Summary, summarise
from src.analysis.words.sentences import sentence
from src.config.errors import ConfigError
from tests.analysis.jobs import make_job

Metrics = Mapping[str, float | None]


def summary(sweep_dir: Path, *, metric: str | None = None) -> Summary:
    return summarise(read_jobs([sweep_dir]), [sweep_dir], metric=metric)


def fill(sweep_dir: Path, groups: Mapping[str, list[Metrics | None]], *, optimized: str = "val/loss") -> None:
    """Write jobs: per value of `model` one set of metrics per seed; None for a job that fails."""
    for name, runs in groups.items():
        for seed, metrics in enumerate(runs):
            error = RuntimeError("no") if metrics is None else None
            path = sweep_dir / f"{name}_{seed}"
            make_job(path, f"model={name}", f"seed={seed}", metrics=metrics, error=error, optimized=optimized)


def paired(first: list[Metrics | None], second: list[Metrics | None]) -> float:
    values = [[run["val/loss"] for run in runs if run] for runs in (first, second)]
    return float(stats.wilcoxon(*values, method="exact").pvalue)


def order(found: Summary) -> list[str]:
    return [ranked.group.label for ranked in found.groups]


def test_groups_are_ranked_by_the_metric_that_jobs_optimise(tmp_path: Path) -> None:
    fill(tmp_path, {"a": [{"val/loss": 0.5}, {"val/loss": 0.7}], "b": [{"val/loss": 0.1}, {"val/loss": 0.3}]})
    found = summary(tmp_path)
    assert (order(found), found.metrics) == (["b", "a"], ("val/loss",))
    assert found.groups[0].estimates["val/loss"].value == pytest.approx(0.2)


def test_a_score_ranks_the_other_way(tmp_path: Path) -> None:
    fill(tmp_path, {"a": [{"val/f1": 0.1}], "b": [{"val/f1": 0.9}]}, optimized="val/f1")
    assert order(summary(tmp_path)) == ["b", "a"]


@pytest.mark.parametrize(
    ("metrics", "shown"),
    [
        ({"val/loss": 0.5, "test/loss": 0.5, "test/accuracy": 0.5}, ("val/loss", "test/accuracy")),
        ({"val/loss": 0.5, "test/loss": 0.5, "test/mae": 0.5}, ("val/loss", "test/loss")),
        ({"test/accuracy": 0.5}, ("test/accuracy",)),
        ({"val/f1": 0.5}, ()),
    ],
)
def test_the_test_part_is_shown_beside_what_is_optimised(
    tmp_path: Path, metrics: Metrics, shown: tuple[str, ...]
) -> None:
    fill(tmp_path, {"a": [metrics], "b": [metrics]})
    assert summary(tmp_path).metrics == shown


def test_a_metric_that_is_asked_for_stands_alone(tmp_path: Path) -> None:
    fill(tmp_path, {"a": [{"val/loss": 0.1, "test/f1": 0.2}], "b": [{"val/loss": 0.2, "test/f1": 0.9}]})
    found = summary(tmp_path, metric="test/f1")
    assert (found.metrics, order(found)) == (("test/f1",), ["b", "a"])


def test_an_unknown_metric_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    fill(tmp_path, {"a": [{"val/loss": 0.1, "test/f1": 0.2}]})
    with pytest.raises(ConfigError, match=r"metric=test/f2: no job has it; the jobs have val/loss, test/f1$"):
        summary(tmp_path, metric="test/f2")


def test_a_metric_cannot_be_wrong_before_a_job_has_ended(tmp_path: Path) -> None:
    make_job(tmp_path / "0")
    found = summary(tmp_path, metric="test/f2")
    assert (found.metrics, found.comparisons, len(found.groups)) == ((), (), 1)


def test_every_other_group_is_compared_with_the_best_and_the_p_values_corrected(tmp_path: Path) -> None:
    noise = [0.0, 0.01, 0.021, 0.016, 0.012, -0.003, 0.004, 0.03]
    groups: dict[str, list[Metrics | None]] = {
        "a": [{"val/loss": 0.5 + x} for x in noise],
        "b": [{"val/loss": 0.1 + 2 * x} for x in noise],
        "c": [{"val/loss": 0.15 - x} for x in noise],
    }
    fill(tmp_path, groups)
    several = summary(tmp_path).comparisons
    assert [(each.first, each.second) for each in several] == [("b", "c"), ("b", "a")]
    single = [paired(groups["b"], groups[name]) for name in ("c", "a")]
    # Holm with the three pairs that there are: the smaller one counts three times, the larger one twice
    low = 3 * min(single)
    assert [each.p_value for each in several] == pytest.approx(
        [low if p == min(single) else max(low, 2 * p) for p in single]
    )


def test_failed_jobs_count_in_their_group_and_in_no_mean(tmp_path: Path) -> None:
    fill(tmp_path, {"a": [{"val/loss": 0.5}, None, {"val/loss": 0.7}], "b": [None], "c": [{"val/loss": None}]})
    make_job(tmp_path / "p", "model=b", "seed=9", metrics={"val/loss": 0.0}, pruned=True)
    found = summary(tmp_path)
    assert order(found)[0] == "a"
    assert found.groups[0].estimates["val/loss"].n == 2
    counts = {ranked.group.label: (ranked.count("failed"), ranked.count("pruned")) for ranked in found.groups}
    assert counts == {"a": (1, 0), "b": (1, 1), "c": (0, 0)}
    assert found.counts == {"completed": 3, "failed": 2, "pruned": 1, "unfinished": 0}
    assert found.comparisons == ()


def test_a_best_group_that_has_lost_a_metric_is_not_compared_by_it(tmp_path: Path) -> None:
    first = {"val/loss": 0.1, "test/accuracy": None}
    second = {"val/loss": 0.2, "test/accuracy": 0.5}
    fill(tmp_path, {"a": [first, first], "b": [second, second], "c": [second, second]})
    assert {each.metric for each in summary(tmp_path).comparisons} == {"val/loss"}


@pytest.mark.parametrize(
    ("statuses", "complete"),
    [
        (["completed", "pruned"], True),
        (["completed", "failed"], False),
        (["completed", "unfinished"], False),
        ([], False),
    ],
)
def test_a_sweep_is_complete_when_every_job_has_ended_well(
    tmp_path: Path, statuses: list[str], *, complete: bool
) -> None:
    for i, status in enumerate(statuses):
        metrics = {"val/loss": 1.0} if status in ("completed", "pruned") else None
        error = ValueError() if status == "failed" else None
        make_job(tmp_path / str(i), f"seed={i}", metrics=metrics, error=error, pruned=status == "pruned")
    assert summary(tmp_path).is_complete is complete


def test_of_equal_means_the_one_with_more_seeds_comes_first(tmp_path: Path) -> None:
    fill(tmp_path, {"a": [{"val/loss": 0.5}], "b": [{"val/loss": 0.5}, {"val/loss": 0.5}]})
    assert order(summary(tmp_path)) == ["b", "a"]


def test_groups_of_several_data_sets_are_compared_on_each_by_itself(tmp_path: Path) -> None:
    losses = {("a", "circles"): 0.1, ("b", "circles"): 0.2, ("a", "moons"): 0.6, ("b", "moons"): 0.5, ("c", "xor"): 0.9}
    for (model, data), loss in losses.items():
        for seed in range(6):
            path = tmp_path / f"{model}_{data}_{seed}"
            metrics = {"val/loss": loss + 0.001 * seed}
            make_job(path, f"model={model}", f"data={data}", f"seed={seed}", metrics=metrics, optimized="val/loss")
    found = summary(tmp_path).comparisons
    assert [(each.first, each.second) for each in found] == [("a circles", "b circles"), ("b moons", "a moons")]
    # by Holm's correction of the two
    assert [each.p_value for each in found] == [pytest.approx(2 * 2 / 2**6)] * 2


def test_data_sets_are_compared_with_each_other_where_each_has_one_group(tmp_path: Path) -> None:
    for data, loss in (("circles", 0.1), ("moons", 0.2)):
        for seed in range(2):
            make_job(tmp_path / f"{data}_{seed}", f"data={data}", f"seed={seed}", metrics={"val/loss": loss})
    assert [(each.first, each.second) for each in summary(tmp_path).comparisons] == [("circles", "moons")]


def runs_with_lost(sweep_dir: Path, *, lost: int, failed: int) -> Summary:
    """Group `a` is better on all seeds but those that it has lost; `b` never loses one."""
    numbers: list[Metrics | None] = [{"val/loss": 0.1 + 0.001 * i} for i in range(13 - lost - failed)]
    gone: list[Metrics | None] = [{"val/loss": float("nan")}] * lost
    fill(
        sweep_dir,
        {"a": [*numbers, *gone, *[None] * failed], "b": [{"val/loss": 0.2 + 0.001 * i} for i in range(13)]},
    )
    return summary(sweep_dir)


@pytest.mark.parametrize(("lost", "failed"), [(6, 0), (0, 6), (3, 3)])
def test_lost_runs_count_against_their_group(tmp_path: Path, lost: int, failed: int) -> None:
    (found,) = runs_with_lost(tmp_path, lost=lost, failed=failed).comparisons
    assert (found.first, found.wins, found.losses, found.n, found.lost) == ("a", 7, 6, 13, (6, 0, 0))
    # seven with the mean rank 4, and six with 10.5: how many of all choices of signs are as far out
    ranks = [4.0] * 7 + [10.5] * 6
    sums = [sum(itertools.compress(ranks, signs)) for signs in itertools.product((0, 1), repeat=13)]
    assert found.p_value == pytest.approx(2 * sum(each <= 28 for each in sums) / 2**13)
    assert found.verdict == "unclear"
    assert found.difference is not None
    assert found.difference.value == pytest.approx(-0.1)
    text = sentence(found, with_outlook=True)
    assert "no clear difference between a and b" in text
    assert "a better with 7 of 13 seeds" in text
    assert text.endswith(
        "runs without a number (6 of a) count as worse than any with one, and have no part in the difference of "
        "validation loss"
    )


def test_a_group_that_is_lost_nearly_always_is_beaten_however_good_its_last_run_is(tmp_path: Path) -> None:
    (found,) = runs_with_lost(tmp_path, lost=12, failed=0).comparisons
    assert (found.verdict, found.winner) == ("better", "b")
    assert sentence(found).startswith("b beats a in validation loss: better with 12 of 13 seeds (p ")


def test_groups_of_which_one_is_lost_at_times_are_not_practically_equal(tmp_path: Path) -> None:
    values: list[Metrics | None] = [{"test/accuracy": 0.9 + 0.0001 * i} for i in range(40)]
    fill(
        tmp_path,
        {"a": values, "b": [*values[:30], *[{"test/accuracy": float("nan")}] * 10]},
        optimized="test/accuracy",
    )
    (found,) = summary(tmp_path).comparisons
    assert found.lost in ((0, 10, 0), (10, 0, 0))
    assert found.verdict == "better"
    assert found.winner == "a"


def test_a_margin_of_no_metric_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, {"a": [{"val/loss": 0.5}]})
    with pytest.raises(ConfigError, match=r"report.margin.val/los: no job has this metric; did you mean val/loss\?"):
        summarise(read_jobs([tmp_path]), [tmp_path], metric=None, options=Options(margin={"val/los": 0.01}))
