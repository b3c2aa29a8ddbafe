"""Runs that failed: by chance, by a condition of one's own, and how sure their share is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from src.analysis.failed import Criterion
from src.analysis.options import Options
from src.analysis.records import read_jobs
from src.analysis.summary import Summary, summarise
from src.analysis.words.sentences import failed, failed_words
from src.config.errors import ConfigError
from tests.analysis.jobs import make_job

Metrics = Mapping[str, float | None]


def summary(path: Path, runs: Sequence[Metrics | None], *, condition: str | None = None) -> Summary:
    """Of a group with one run per seed; None for a job that fails."""
    for seed, metrics in enumerate(runs):
        error = RuntimeError("no") if metrics is None else None
        make_job(path / str(seed), f"seed={seed}", metrics=metrics, error=error)
    options = Options(failed=None if condition is None else Criterion.parse(condition))
    return summarise(read_jobs([path]), [path], metric=None, options=options)


def counted(found: Summary) -> tuple[int, int]:
    (only,) = found.groups
    return only.failed.n, only.failed.of


def accuracy(value: float, chance: float = 0.5) -> Metrics:
    return {"val/loss": 0.5, "test/accuracy": value, "test/chance": chance}


def test_a_classification_that_guesses_has_failed(tmp_path: Path) -> None:
    # a third, in single and in double precision
    found = summary(tmp_path, [accuracy(0.9), accuracy(0.5), accuracy(0.49), accuracy(0.3333333433, 1 / 3)])
    assert (str(found.criterion), counted(found)) == ("test/accuracy <= test/chance", (3, 4))


def test_a_regression_that_is_no_better_than_the_mean_has_failed(tmp_path: Path) -> None:
    found = summary(tmp_path, [{"val/loss": 0.5, "test/r2": value} for value in (0.9, 0.0, -3.0)])
    assert (str(found.criterion), counted(found)) == ("test/r2 <= 0", (2, 3))


def test_without_a_test_part_validation_tells(tmp_path: Path) -> None:
    found = summary(tmp_path, [{"val/loss": 0.5, "val/accuracy": 0.5, "val/chance": 0.5}])
    assert (str(found.criterion), counted(found)) == ("val/accuracy <= val/chance", (1, 1))


def test_a_run_that_broke_or_has_no_number_has_failed(tmp_path: Path) -> None:
    found = summary(tmp_path, [{"val/loss": 0.5}, {"val/loss": None}, None, {"val/loss": 0.4}])
    assert (found.criterion, counted(found)) == (None, (2, 4))
    make_job(tmp_path / "4", "seed=4")
    make_job(tmp_path / "5", "seed=5", metrics={"val/loss": 0.1}, pruned=True)
    # those that have not ended, or were ended, tell nothing
    assert counted(summarise(read_jobs([tmp_path]), [tmp_path], metric=None)) == (2, 4)


def test_a_run_that_was_made_again_counts_once(tmp_path: Path) -> None:
    make_job(tmp_path / "a" / "0", "seed=0", error=RuntimeError("no"))
    make_job(tmp_path / "b" / "0", "seed=0", metrics={"val/loss": 0.5})
    make_job(tmp_path / "b" / "1", "seed=1", error=RuntimeError("no"))
    dirs = [tmp_path / "a", tmp_path / "b"]
    assert counted(summarise(read_jobs(dirs), dirs, metric=None)) == (1, 2)


@pytest.mark.parametrize(
    ("condition", "n"),
    [
        ("test/accuracy<0.9", 2),
        ("test/accuracy <= 0.9", 3),
        ("val/loss>=0.5", 4),
        ("test/accuracy>test/chance", 3),
        ("val/loss>0.5", 0),
    ],
)
def test_a_condition_of_ones_own_decides(tmp_path: Path, condition: str, n: int) -> None:
    runs = [accuracy(value) for value in (0.95, 0.9, 0.8, 0.5)]
    assert counted(summary(tmp_path, runs, condition=condition)) == (n, 4)


@pytest.mark.parametrize("condition", ["accuracy", "0.9>test/accuracy", "test/accuracy=0.9", "a<b<c", ""])
def test_what_is_no_condition_is_refused(condition: str) -> None:
    with pytest.raises(ConfigError, match=r"^report\.failed=.*: allowed: a metric, one of < <= > >=, and a number"):
        Criterion.parse(condition)


@pytest.mark.parametrize("condition", ["test/acuracy<0.9", "test/accuracy<test/luck"])
def test_a_metric_that_no_job_has_is_refused(tmp_path: Path, condition: str) -> None:
    with pytest.raises(ConfigError, match=r"no job has these metrics; the jobs have val/loss, test/accuracy"):
        summary(tmp_path, [accuracy(0.9)], condition=condition)


@pytest.mark.parametrize(
    ("n", "of", "cell", "words"),
    [
        (0, 8, "0 [0, 37]", "0 of 8: 0%, at most 37%"),
        (8, 8, "100 [63, 100]", "8 of 8: 100%, at least 63%"),
        (2, 8, "25 [3, 65]", "2 of 8: 25%, 3 to 65%"),
    ],
)
def test_the_share_stands_with_its_exact_interval(tmp_path: Path, n: int, of: int, cell: str, words: str) -> None:
    found = summary(tmp_path, [accuracy(0.5 if seed < n else 0.9) for seed in range(of)])
    (only,) = found.groups
    assert (failed(only), failed_words(only)) == (cell, words)


def test_folds_are_no_independent_draws_so_their_share_has_no_interval(tmp_path: Path) -> None:
    for fold in range(4):
        given = [f"+data.fold={fold}", "+data.folds=4", "seed=0"]
        make_job(tmp_path / str(fold), *given, metrics=accuracy(0.5 + 0.1 * fold))
    (only,) = summarise(read_jobs([tmp_path]), [tmp_path], metric=None).groups
    assert (failed(only), failed_words(only)) == ("25", "1 of 4: 25%")


def test_a_run_that_lacks_what_others_are_judged_by_is_not_counted(tmp_path: Path) -> None:
    found = summary(tmp_path, [accuracy(0.9), accuracy(0.4), {"val/loss": 0.5}, {"test/accuracy": 0.9}])
    assert counted(found) == (1, 2)
