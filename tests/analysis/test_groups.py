"""Which jobs belong together, and what they are called."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from src.analysis.groups import group_jobs
from src.analysis.records import read_jobs
from src.analysis.varying.units import SEED, Unit
from tests.analysis.jobs import make_job


def labels(tmp_path: Path, *jobs: Sequence[str]) -> list[str]:
    return list(sizes(tmp_path, *jobs))


def sizes(tmp_path: Path, *jobs: Sequence[str]) -> dict[str, int]:
    for i, overrides in enumerate(jobs):
        make_job(tmp_path / str(i), *overrides, metrics={"val/loss": 0.5})
    groups = group_jobs(read_jobs([tmp_path]))
    assert len({group.label for group in groups}) == len(groups)
    return {group.label: len(group.jobs) for group in groups}


def over_seeds(*overrides: str, seeds: Iterable[int] = range(3)) -> list[list[str]]:
    return [[*overrides, f"seed={seed}"] for seed in seeds]


def test_jobs_that_differ_in_the_seed_alone_are_one_group(tmp_path: Path) -> None:
    found = sizes(
        tmp_path, *over_seeds("model.net.activation=relu"), *over_seeds("model.net.activation=identity", seeds=[0])
    )
    assert found == {"relu": 3, "identity": 1}


def test_a_seed_that_is_not_given_is_the_default_one(tmp_path: Path) -> None:
    assert sizes(tmp_path, ["optimizer.lr=1"], ["optimizer.lr=1", "seed=7"]) == {"all jobs": 2}
    (group,) = group_jobs(read_jobs([tmp_path]))
    assert group.by_unit("val/loss") == {7: 0.5, 42: 0.5}


def test_what_follows_the_seed_is_no_difference(tmp_path: Path) -> None:
    assert sizes(tmp_path, *over_seeds("data.seed=${seed}")) == {"all jobs": 3}


def test_another_draw_of_the_data_is_no_difference_and_has_a_value_per_seed(tmp_path: Path) -> None:
    assert sizes(tmp_path, *over_seeds("data.seed=1"), *over_seeds("data.seed=2", "+data.split_seed=7")) == {
        "all jobs": 6
    }
    (group,) = group_jobs(read_jobs([tmp_path]))
    assert group.unit == Unit("draw")
    # two draws of the data, whose seeds are the same
    assert len(group.by_unit("val/loss")) == 2


def test_a_draw_with_each_seed_counts_as_often_as_there_are_seeds(tmp_path: Path) -> None:
    sizes(tmp_path, *(["data.seed=5", "seed=1"], ["data.seed=7", "seed=2"], ["data.seed=8", "seed=3"]))
    (group,) = group_jobs(read_jobs([tmp_path]))
    assert len(group.by_unit("val/loss")) == 3


def test_crossed_draws_count_by_blocks_that_share_no_seed_and_no_draw(tmp_path: Path) -> None:
    values: dict[tuple[int, int], float] = {}
    for data in (0, 1, 2, 10):
        for seed in (3, 4):
            values[data, seed] = float(len(values))
            metrics = {"val/loss": values[data, seed]}
            make_job(tmp_path / f"{data}_{seed}", f"data.seed={data}", f"seed={seed}", metrics=metrics)
    (group,) = group_jobs(read_jobs([tmp_path]))
    assert group.varying.is_crossed
    assert sorted(group.by_unit("val/loss").values()) == [
        (values[0, 3] + values[1, 3]) / 2,
        (values[2, 4] + values[10, 4]) / 2,
    ]


def test_an_interval_over_crossed_draws_holds_the_truth_as_often_as_it_says(tmp_path: Path) -> None:
    make_job(tmp_path / "0", metrics={"val/loss": 0.5})
    (job,) = read_jobs([tmp_path])
    cells = [(data, seed) for data in range(8) for seed in range(8)]
    jobs = [replace(job, seed=seed, leaves={**job.leaves, "data.seed": data}) for data, seed in cells]
    (group,) = group_jobs(jobs)
    blocks = list(dict.fromkeys(place for place, _ in group.places if place is not None))
    members = [[i for i, (place, _) in enumerate(group.places) if place == block] for block in blocks]
    assert len(blocks) == 8
    rng, n = np.random.default_rng(0), 4000
    of_data, of_seed = rng.normal(size=(n, 8)), rng.normal(size=(n, 8))
    runs = np.stack([of_data[:, data] + of_seed[:, seed] for data, seed in cells], 1) + 0.5 * rng.normal(size=(n, 64))

    def coverage(values: NDArray[np.float64]) -> float:
        k = values.shape[1]
        half = stats.t.ppf(0.975, k - 1) * values.std(1, ddof=1) / np.sqrt(k)
        return float((np.abs(values.mean(1)) <= half).mean())

    assert coverage(np.stack([runs[:, each].mean(1) for each in members], 1)) == pytest.approx(0.95, abs=0.012)
    # of all runs, as if they were independent
    assert coverage(runs) < 0.6


def test_data_that_follow_the_seed_are_of_the_seed(tmp_path: Path) -> None:
    sizes(tmp_path, *over_seeds("data.seed=${seed}"))
    (group,) = group_jobs(read_jobs([tmp_path]))
    assert (group.unit, list(group.by_unit("val/loss"))) == (SEED, [0, 1, 2])


def test_where_a_run_lies_and_what_it_returns_are_no_difference(tmp_path: Path) -> None:
    found = sizes(tmp_path, ["seed=0", "run_dir=a"], ["seed=1", "run_dir=b"], ["seed=2", "optimized_metric=val/f1"])
    assert found == {"all jobs": 3}


def test_a_value_that_is_the_default_is_no_difference(tmp_path: Path) -> None:
    """Two commands: one that says what the other leaves out, or says it another way."""
    found = sizes(tmp_path, ["seed=0"], ["seed=1", "data.noise=0.03"], ["seed=2", "data.noise=3e-2"], ["data.noise=1"])
    assert found == {"noise=0.03": 3, "noise=1": 1}


def test_a_reference_is_what_it_leads_to(tmp_path: Path) -> None:
    assert sizes(tmp_path, ["seed=0"], ["seed=1", "optimizer.lr=0.1"]) == {"all jobs": 2}


def test_a_changed_configuration_under_the_same_overrides_is_a_difference(tmp_path: Path) -> None:
    for i, noise in enumerate(["0.03", "0.03", "0.5"]):
        run = make_job(tmp_path / str(i), "model=mlp", f"seed={i}", metrics={"val/loss": 0.5})
        text = run.config_file.read_text()
        run.config_file.write_text(text.replace("noise: 0.03", f"noise: {noise}\n  kind: k{noise}"))
    groups = group_jobs(read_jobs([tmp_path]))
    assert [len(group.jobs) for group in groups] == [2, 1]
    # one of the two keys is enough to tell them apart
    assert [dict(group.values) for group in groups] == [{"data.kind": "k0.03"}, {"data.kind": "k0.5"}]


def test_groups_of_two_commands_are_told_apart(tmp_path: Path) -> None:
    found = sizes(tmp_path, *over_seeds("model=a", "optimizer=Adam"), *over_seeds("model=b"), *over_seeds("model=a"))
    assert found == {"a Adam": 3, "b": 3, "a": 3}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (["optimizer.lr=0.1"], ["optimizer.lr=0.5"], ["lr=0.1", "lr=0.5"]),
        (
            ["optimizer.lr=0.2"],
            ["optimizer.lr=0.5", "+scheduler.lr=1"],
            ["optimizer.lr=0.2", "optimizer.lr=0.5 scheduler.lr=1"],
        ),
        (["model.net.hidden=[8]"], ["model.net.hidden=[8,8]"], ["hidden=[8]", "hidden=[8,8]"]),
        (["+a=true"], ["+a=false"], ["a=true", "a=false"]),
        (["+a=none"], ["+a=word"], ["a=none", "word"]),
        (["+a=x", "+b=y"], ["+a=y", "+b=x"], ["a=x b=y", "a=y b=x"]),
        (["+a.k=u", "+b=z"], ["+a.k=v", "+b=w"], ["u z", "v w"]),
        (["model=a"], [], ["a", "as is"]),
    ],
)
def test_names_are_as_short_as_is_clear(
    tmp_path: Path, first: list[str], second: list[str], expected: list[str]
) -> None:
    assert labels(tmp_path, first, second) == expected


def test_a_job_without_a_configuration_is_in_no_group(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "seed=0", metrics={})
    make_job(tmp_path / "1", "seed=1", metrics={}).config_file.unlink()
    (group,) = group_jobs(read_jobs([tmp_path]))
    assert [job.name for job in group.jobs] == ["0"]
    assert group_jobs([]) == []


def test_a_repeated_seed_counts_once_with_its_mean(tmp_path: Path) -> None:
    for name, loss in (("a/0", 0.25), ("b/0", 0.75)):
        make_job(tmp_path / name, "seed=0", metrics={"val/loss": loss})
    make_job(tmp_path / "b/1", "seed=1", metrics={"val/loss": 3.0})
    make_job(tmp_path / "b/2", "seed=2", metrics={"val/loss": 9.0}, pruned=True)
    make_job(tmp_path / "b/3", "seed=2", metrics={"val/loss": None})
    (group,) = group_jobs(read_jobs([tmp_path / "a", tmp_path / "b"]))
    assert group.by_unit("val/loss") == {0: 0.5, 1: 3.0}
    assert group.n_repeated == 1


def test_a_word_among_numbers_keeps_its_key(tmp_path: Path) -> None:
    found = sizes(tmp_path, ["optimizer.lr=0.1"], ["optimizer.lr=1e-3"], ["optimizer.lr=abc"])
    assert found == {"lr=0.1": 1, "lr=0.001": 1, "lr=abc": 1}


def test_a_word_that_two_groups_of_options_share_keeps_its_key(tmp_path: Path) -> None:
    found = labels(tmp_path, ["model=a", "optimizer=a"], ["model=b", "optimizer=a"], ["model=a", "optimizer=c"])
    assert found == ["model=a optimizer=a", "b optimizer=a", "model=a c"]


def test_long_numbers_are_rounded_as_far_as_they_stay_apart(tmp_path: Path) -> None:
    found = labels(tmp_path / "a", ["optimizer.lr=0.6160138300848896"], ["optimizer.lr=1.6160138300848896e-7"])
    assert found == ["lr=0.616", "lr=1.616e-07"]
    assert labels(tmp_path / "b", ["data.noise=0.123451"], ["data.noise=0.123452"]) == [
        "noise=0.123451",
        "noise=0.123452",
    ]
    assert labels(tmp_path / "c", ["data.noise=1234567"], ["data.noise=0.5"]) == ["noise=1234567", "noise=0.5"]
