"""What intervals are said to cover."""

from pathlib import Path

import pytest

from src.analysis.groups import group_jobs
from src.analysis.records import read_jobs
from src.analysis.varying.covered import covered, how_to_draw_more
from tests.analysis.jobs import make_job


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ([], "initial weights; the data are one draw"),
        (["+data.batch_size=32"], "initial weights and order of batches; the data are one draw"),
        (["+data.split_seed=${seed}"], "initial weights and split into parts; the rows are one draw"),
        (["data.seed=${seed}", "+data.batch_size=32"], "initial weights, order of batches and data"),
    ],
)
def test_what_follows_the_seed_is_covered(tmp_path: Path, overrides: list[str], words: str) -> None:
    for seed in range(3):
        make_job(tmp_path / str(seed), f"seed={seed}", *overrides, metrics={"val/loss": 0.5})
    assert covered(group_jobs(read_jobs([tmp_path]))) == words


def test_draws_of_the_data_with_one_seed_cover_the_data_alone(tmp_path: Path) -> None:
    for i in range(3):
        make_job(tmp_path / str(i), f"data.seed={i}", metrics={"val/loss": 0.5})
    assert covered(group_jobs(read_jobs([tmp_path]))) == "data"


def test_folds_cover_which_rows_train(tmp_path: Path) -> None:
    for fold in range(3):
        given = [f"+data.fold={fold}", "+data.folds=3", "seed=0"]
        make_job(tmp_path / str(fold), *given, metrics={"val/loss": 0.5})
    assert covered(group_jobs(read_jobs([tmp_path]))) == "which rows train and which test; the table is one draw"


def test_what_only_some_groups_draw_is_not_covered_and_single_runs_cover_nothing(tmp_path: Path) -> None:
    for name, batches in (("a", "null"), ("b", "32")):
        for seed in range(2):
            given = [f"model={name}", f"+data.batch_size={batches}", f"seed={seed}"]
            make_job(tmp_path / f"{name}{seed}", *given, metrics={"val/loss": 0.5})
    jobs = read_jobs([tmp_path])
    assert covered(group_jobs(jobs)) == "initial weights; the data are one draw"
    assert covered(group_jobs(jobs[:1])) is None


@pytest.mark.parametrize(
    ("given", "words", "more"),
    [
        ([], "initial weights; the data are one draw", "vary=[data,init] draws the data anew"),
        (["vary=[data,init]"], "initial weights and data", ""),
        (["vary=[data]", "+data.batch_size=16"], "data", ""),
        (
            ["vary=[order,split]", "+data.batch_size=16", "+data.split_seed=1"],
            "order of batches and split into parts; the rows are one draw",
            "vary=[data,split,order] draws the data anew",
        ),
        (["vary=[data]", "+data.split_seed=1"], "data", "vary=[data,split] draws the split anew"),
        (
            ["+data.split_seed=1"],
            "initial weights; the data are one draw",
            "vary=[data,split,init] draws the data and the split anew",
        ),
        (
            ["vary=[data,init,order]", "+data.batch_size=16", "+data.split_seed=1"],
            "initial weights, order of batches and data",
            "vary=[data,split,init,order] draws the split anew",
        ),
    ],
)
def test_what_is_listed_is_covered(tmp_path: Path, given: list[str], words: str, more: str) -> None:
    for seed in range(3):
        make_job(tmp_path / str(seed), f"seed={seed}", *given, metrics={"val/loss": 0.5})
    groups = group_jobs(read_jobs([tmp_path]))
    assert (covered(groups), how_to_draw_more(groups)) == (words, more)


def test_a_base_seed_draws_what_the_seed_does_not(tmp_path: Path) -> None:
    for seed in range(2):
        for base in range(2):
            given = ["vary=[data]", "+data.batch_size=8", f"seed={seed}", f"base_seed={base}"]
            make_job(tmp_path / f"{seed}_{base}", *given, metrics={"val/loss": 0.5})
    assert covered(group_jobs(read_jobs([tmp_path]))) == "initial weights, order of batches and data"
