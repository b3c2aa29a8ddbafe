"""What intervals cover is told in words, and of crossed draws how much of the variance comes from each."""

from collections.abc import Callable
from pathlib import Path

from src.analysis.groups import Group, group_jobs
from src.analysis.records import read_jobs
from src.analysis.summary import summarise
from src.analysis.varying import draws
from tests.analysis.jobs import make_job


def made(folder: Path, *given: str, over: dict[str, list[int]], value: Callable[..., float] = lambda *_: 0.5) -> None:
    """A run for each combination of values."""
    rows: list[list[str]] = [[]]
    for key, values in over.items():
        rows = [[*row, f"{key}={each}"] for row in rows for each in values]
    for i, row in enumerate(rows):
        levels = [int(line.split("=")[1]) for line in row]
        make_job(folder / str(i), *given, *row, metrics={"val/accuracy": value(*levels)}, optimized="val/accuracy")


def group_of(folder: Path) -> Group:
    (group,) = group_jobs(read_jobs([folder]))
    return group


def test_a_group_of_one_seed_has_no_variance(tmp_path: Path) -> None:
    made(tmp_path, over={"seed": [1]})
    assert list(draws.lines(summarise(read_jobs([tmp_path]), [tmp_path], metric=None))) == []


def test_crossed_draws_have_their_share_of_the_variance(tmp_path: Path) -> None:
    over = {"data.seed": [1, 2, 3, 4], "seed": [5, 6, 7]}
    made(tmp_path, "+data.batch_size=null", over=over, value=lambda data, seed: 0.5 + 0.01 * data + 0.001 * (seed == 6))
    (crossed, *told) = draws.lines(summarise(read_jobs([tmp_path]), [tmp_path], metric=None))
    assert crossed.startswith("seeds and draws are crossed, and runs that share one are not independent")
    assert "those of 3 that share none" in crossed
    assert told == [
        "variance of validation accuracy: 0% from initial weights (3 of them), 100% from the data (4 of them), "
        "0% from what they do together"
    ]


def test_a_base_seed_draws_what_the_seed_does_not(tmp_path: Path) -> None:
    over = {"base_seed": [1, 2, 3], "seed": [5, 6]}
    made(tmp_path, "vary=[data]", "+data.batch_size=8", over=over, value=lambda base, _: 0.1 * base)
    group = group_of(tmp_path)
    assert draws.variance(group, "val/accuracy") == (
        "0% from the data (2 of them), 100% from initial weights and order of batches (3 of them), "
        "0% from what they do together"
    )


def test_draws_that_are_not_crossed_are_not_taken_apart(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        make_job(tmp_path / str(seed), f"seed={seed}", f"data.seed={seed}", metrics={"val/accuracy": 0.1 * seed})
    assert not draws.variance(group_of(tmp_path), "val/accuracy")
