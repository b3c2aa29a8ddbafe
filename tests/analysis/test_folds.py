"""Cross-validation: what a group of folds is, and what is said of it."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from src.analysis.finish import finish_sweep
from src.analysis.page.dots import dot_chart
from src.analysis.page.series import all_series
from src.analysis.records import read_jobs
from src.analysis.summary import Summary, summarise
from src.analysis.varying.units import SEED
from tests.analysis.jobs import make_job

LINE = "the corrected resampled t test (Nadeau and Bengio 2003)"


def summary(path: Path) -> Summary:
    return summarise(read_jobs([path]), [path], metric=None)


def accuracy(name: str, fold: int, seed: int = 0) -> float:
    rng = np.random.default_rng([ord(name[0]), fold, seed])
    return float({"relu": 0.97, "identity": 0.94}[name] + 0.01 * rng.uniform(-1, 1))


def job(path: Path, name: str, fold: int, *overrides: str, seed: int = 0) -> None:
    given = [f"model.net.activation={name}", f"seed={seed}", f"+data.fold={fold}", "+data.folds=10"]
    given += ["+data.val_size=0.2", "+data.split_seed=42", *overrides]
    value = accuracy(name, fold, seed)
    make_job(path, *given, metrics={"val/accuracy": value, "test/accuracy": value - 0.01}, optimized="val/accuracy")


def cross_validation(path: Path, *, n_seeds: int = 1, folds: int = 10) -> None:
    for name in ("relu", "identity"):
        for fold in range(folds):
            for seed in range(n_seeds):
                job(path / f"{name}_{fold}_{seed}", name, fold, seed=seed)


def test_a_group_of_folds_has_a_value_per_fold_its_mean_over_seeds(tmp_path: Path) -> None:
    cross_validation(tmp_path, n_seeds=3)
    relu, _ = (ranked.group for ranked in summary(tmp_path).groups)
    assert relu.unit.noun == "fold"
    values = list(relu.by_unit("val/accuracy").values())
    assert sorted(values) == pytest.approx(
        sorted(np.mean([accuracy("relu", fold, seed) for seed in range(3)]) for fold in range(10))
    )
    assert relu.n_repeated == 0


def test_intervals_and_tests_of_folds_are_the_corrected_ones(tmp_path: Path) -> None:
    cross_validation(tmp_path)
    found = summary(tmp_path)
    # a tenth tests; of the other nine tenths four fifths train
    rho = (1 / 10) / (9 / 10 * 0.8)
    a, b = ([accuracy(name, fold) for fold in range(10)] for name in ("relu", "identity"))
    half = stats.t.ppf(0.975, 9) * math.sqrt((1 / 10 + rho) * np.var(a, ddof=1))
    estimate = found.groups[0].estimates["val/accuracy"]
    assert estimate.name == "mean"
    assert estimate.value == pytest.approx(np.mean(a))
    assert estimate.interval == pytest.approx((np.mean(a) - half, np.mean(a) + half, 0.95))
    differences = np.subtract(a, b)
    t = differences.mean() / math.sqrt((1 / 10 + rho) * differences.var(ddof=1))
    comparison = found.comparisons[0]
    assert comparison.p_value == pytest.approx(2 * stats.t.sf(t, 9))
    assert comparison.difference is not None
    assert comparison.difference.n == 10
    assert comparison.difference.value == pytest.approx(differences.mean())


def test_folds_of_a_column_are_as_many_as_were_seen(tmp_path: Path) -> None:
    for fold in (3, 4, 5, 6):
        job(tmp_path / str(fold), "relu", fold, "+data.fold_column=part", "data.folds=null")
    (only,) = summary(tmp_path).groups
    assert only.group.unit.overlap == pytest.approx(1 / (3 * 0.8))


def test_folds_are_called_folds_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cross_validation(tmp_path)
    found = finish_sweep(tmp_path)
    out = " ".join(capsys.readouterr().out.split())
    assert "mean over 10 folds [95% interval], highest val/accuracy first" in out
    assert "┃ group ┃ folds ┃" in out
    assert "fold by fold" in out
    assert "better with 10 of 10 folds)" in out
    assert out.count(LINE) == 1
    page = (tmp_path / "report.html").read_text()
    assert LINE in page
    assert "A point is a fold (equal ones lie side by side), a bar the mean over 10 folds [95% interval]" in page
    words = " ".join(page.split())
    assert "Mean over 10 folds [95% interval]." in words
    assert "Groups are compared fold by fold in validation accuracy; p is that of the corrected" in words
    assert "(mean of 10 folds, 95% interval" in page
    assert '<th class="number">folds</th>' in page
    chart = dot_chart(all_series(found), "val/accuracy")
    assert chart is not None
    assert set(chart["data"][0]["text"]) == {"one fold"}
    with (tmp_path / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["data.fold"] for row in rows} == {str(i) for i in range(10)}
    for text in (out, page.partition("<script")[0]):
        assert "seeds" not in text
        assert "seed by seed" not in text


def test_one_fold_under_several_seeds_is_a_group_of_seeds(tmp_path: Path) -> None:
    for seed in range(3):
        job(tmp_path / str(seed), "relu", 4, seed=seed)
    (only,) = summary(tmp_path).groups
    assert only.group.unit == SEED
    assert list(only.group.by_unit("val/accuracy")) == [0, 1, 2]


@pytest.mark.parametrize("other", ["data.folds=5", "+data.repeats=2", "data.split_seed=7", "+data.path=other.csv"])
def test_folds_that_are_cut_another_way_are_not_paired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: str
) -> None:
    for fold in range(5):
        job(tmp_path / f"a{fold}", "relu", fold)
        job(tmp_path / f"b{fold}", "identity", fold, other)
    found = finish_sweep(tmp_path)
    assert len(found.groups) == 2
    assert [each.difference for each in found.comparisons] == [None, None]
    out = " ".join(capsys.readouterr().out.split())
    assert "1 group not compared with the best: folds of one number hold the same rows only where data.folds" in out
    assert "too few" not in out


@pytest.mark.parametrize(
    "other", ["+data.columns=[a]", "data.val_size=0.3", "+data.batch_size=7", "+data.missing=mean"]
)
def test_what_leaves_the_rows_of_folds_as_they_are_is_compared(tmp_path: Path, other: str) -> None:
    for fold in range(5):
        job(tmp_path / f"a{fold}", "relu", fold)
        job(tmp_path / f"b{fold}", "relu", fold, other, seed=1)
    found = summary(tmp_path)
    assert [each.difference.n for each in found.comparisons if each.difference] == [5, 5]
    # the larger of both, where validation takes another share
    assert found.comparisons[0].unit.overlap == pytest.approx(1 / (9 * (0.7 if "0.3" in other else 0.8)))


def test_columns_decide_the_rows_where_rows_with_holes_are_dropped(tmp_path: Path) -> None:
    for fold in range(5):
        job(tmp_path / f"a{fold}", "relu", fold, "+data.missing=drop")
        job(tmp_path / f"b{fold}", "relu", fold, "+data.missing=drop", "+data.columns=[a]")
    assert [each.difference for each in summary(tmp_path).comparisons] == [None, None]


def test_another_split_of_the_same_folds_is_other_folds(tmp_path: Path) -> None:
    for fold in range(5):
        for seed in range(2):
            job(tmp_path / f"{fold}_{seed}", "relu", fold, "data.split_seed=${seed}", seed=seed)
    (only,) = summary(tmp_path).groups
    assert only.estimates["val/accuracy"].n == 10


def test_a_run_of_a_fold_that_was_made_again_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cross_validation(tmp_path / "a")
    job(tmp_path / "b" / "0", "relu", 3)
    finish_sweep(tmp_path)
    assert "1 run of a fold was made more than once; each counts once" in " ".join(capsys.readouterr().out.split())


def test_what_failed_says_which_fold_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cross_validation(tmp_path)
    given = ("model.net.activation=relu", "seed=0", "+data.val_size=0.2", "+data.fold=3", "+data.folds=10")
    make_job(tmp_path / "relu_3_1", *given, "+data.split_seed=42", error=ValueError("no"))
    finish_sweep(tmp_path)
    assert "relu seed=0 data.fold=3" in capsys.readouterr().out


def test_a_mean_near_all_has_an_error_bar_that_ends_there(tmp_path: Path) -> None:
    for fold, value in enumerate((1.0, 1.0, 0.99)):
        given = [f"+data.fold={fold}", "+data.folds=3", "seed=0"]
        make_job(tmp_path / str(fold), *given, metrics={"test/accuracy": value})
    chart = dot_chart(all_series(summary(tmp_path)), "test/accuracy")
    assert chart is not None
    means = chart["data"][1]
    (right,), (left,) = means["error_x"]["array"], means["error_x"]["arrayminus"]
    assert means["x"][0] + right == pytest.approx(1.0, abs=1e-4)
    half = 4.302653 * np.std([1, 1, 0.99], ddof=1) * math.sqrt(1 / 3 + 1 / 2)
    assert left == pytest.approx(half, abs=1e-5)
    assert means["text"] == ["mean, 95% interval"]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ('{"rows": {"train": 100, "val": 20, "test": 30}}', 0.3),
        ('{"rows": {"train": 0, "val": 20, "test": 30}}', 1 / (9 * 0.8)),
        ('{"rows": {"train": "100", "test": 30}}', 1 / (9 * 0.8)),
        ('{"rows": [1, 2]}', 1 / (9 * 0.8)),
        ("{", 1 / (9 * 0.8)),
    ],
)
def test_rows_that_a_run_has_counted_say_how_much_folds_overlap(tmp_path: Path, record: str, expected: float) -> None:
    for fold in range(2):
        job(tmp_path / str(fold), "relu", fold)
    (tmp_path / "1" / "data.json").write_text(record)
    (only,) = summary(tmp_path).groups
    # the larger of both, so that nothing is taken for surer than it is
    assert only.group.unit.overlap == pytest.approx(max(expected, 1 / (9 * 0.8)))
