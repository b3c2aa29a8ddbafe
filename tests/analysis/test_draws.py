"""What intervals cover is told in words, and of crossed draws how much of the variance comes from each."""

from collections.abc import Callable
from pathlib import Path

import pytest

from src.analysis import draws
from src.analysis.groups import Group, group_jobs
from src.analysis.records import read_jobs
from src.analysis.summary import summarise
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


def test_seeds_cover_the_weights_and_the_data_are_one_draw(tmp_path: Path) -> None:
    made(tmp_path, "+data.batch_size=16", "+data.split_seed=1", over={"seed": [1, 2, 3]})
    assert draws.coverage(group_of(tmp_path)) == (
        "initial weights and batch order; the data and the split into parts are one draw "
        "(vary=[data,split,init,order] draws them anew)"
    )


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["+data.batch_size=null"], "initial weights; the data are one draw (vary=[data,init] draws them anew)"),
        (["vary=[data,init]", "+data.batch_size=null"], "the data and initial weights"),
        (
            ["vary=[data]", "+data.batch_size=16", "+data.split_seed=1"],
            "the data; the split into parts is one draw (vary=[data,split] draws it anew)",
        ),
        (["data.seed=${seed}", "+data.batch_size=null"], "the data and initial weights"),
    ],
)
def test_what_follows_the_seed_is_covered(tmp_path: Path, given: list[str], text: str) -> None:
    made(tmp_path, *given, over={"seed": [1, 2, 3]})
    assert draws.coverage(group_of(tmp_path)) == text


def test_a_group_of_one_seed_covers_nothing(tmp_path: Path) -> None:
    made(tmp_path, over={"seed": [1]})
    assert not draws.coverage(group_of(tmp_path))
    assert list(draws.lines(summarise(read_jobs([tmp_path]), [tmp_path], metric=None))) == []


def test_crossed_draws_have_their_share_of_the_variance(tmp_path: Path) -> None:
    over = {"data.seed": [1, 2, 3, 4], "seed": [5, 6, 7]}
    made(tmp_path, "+data.batch_size=null", over=over, value=lambda data, seed: 0.5 + 0.01 * data + 0.001 * (seed == 6))
    (cover, crossed, *told) = draws.lines(summarise(read_jobs([tmp_path]), [tmp_path], metric=None))
    assert cover == "intervals cover the data and initial weights"
    assert crossed.startswith("seeds and draws are crossed, and runs that share one are not independent")
    assert "those of 3 that share none" in crossed
    assert told == [
        "variance of validation accuracy: 0 % from initial weights (3 of them), 100 % from the data (4 of them), "
        "0 % from what they do together"
    ]


def test_a_base_seed_draws_what_the_seed_does_not(tmp_path: Path) -> None:
    over = {"base_seed": [1, 2, 3], "seed": [5, 6]}
    made(tmp_path, "vary=[data]", "+data.batch_size=8", over=over, value=lambda base, _: 0.1 * base)
    group = group_of(tmp_path)
    assert draws.coverage(group) == "the data, initial weights and batch order"
    assert draws.variance(group, "val/accuracy") == (
        "0 % from the data (2 of them), 100 % from initial weights and batch order (3 of them), "
        "0 % from what they do together"
    )


def test_draws_that_are_not_crossed_are_not_taken_apart(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        make_job(tmp_path / str(seed), f"seed={seed}", f"data.seed={seed}", metrics={"val/accuracy": 0.1 * seed})
    assert not draws.variance(group_of(tmp_path), "val/accuracy")


def test_groups_that_vary_other_things_are_told_apart(tmp_path: Path) -> None:
    made(tmp_path / "a", "vary=[data]", "+data.batch_size=null", over={"seed": [1, 2]})
    made(tmp_path / "b", "vary=[init]", "+data.batch_size=null", over={"seed": [1, 2]})
    told = list(draws.lines(summarise(read_jobs([tmp_path]), [tmp_path], metric=None)))
    assert sorted(told) == [
        'intervals of vary=["data"] cover the data',
        'intervals of vary=["init"] cover initial weights; the data are one draw (vary=[data,init] draws them anew)',
    ]
