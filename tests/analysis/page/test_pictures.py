"""Pictures side by side: which jobs stand for their groups, and where."""

import base64
import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.analysis.page.pictures import Grid, has_left, picture_grid, shown_jobs
from src.analysis.page.series import all_series
from src.analysis.records import read_jobs
from src.analysis.scale import Scale
from src.analysis.summary import summarise
from src.run.directory import RunDir
from tests.analysis.jobs import make_job


def add(path: Path, *overrides: str, loss: float, name: str = "boundary.png") -> None:
    draw(make_job(path, *overrides, metrics={"val/loss": loss}), name)


def draw(run: RunDir, name: str = "boundary.png") -> None:
    run.plots.mkdir(exist_ok=True)
    Image.new("RGB", (1100, 550), "white").save(run.plots / name)


def sweep(path: Path, *, n_rates: int, n_seeds: int) -> None:
    """Two activations, with rates and seeds; each job is worse than the one before."""
    values = itertools.product(("identity", "relu"), range(1, n_rates + 1), range(n_seeds))
    for i, (name, rate, seed) in enumerate(values):
        overrides = (f"optimizer.lr={rate}", f"model.net.activation={name}", f"seed={seed}")
        add(path / str(i), *overrides, loss=0.1 * (i + 1))


def grid(path: Path) -> Grid | None:
    return picture_grid(all_series(summarise(read_jobs([path]), [path], metric=None)))


def ranked(found: Grid | None) -> list[tuple[str, str] | None]:
    """Rank and name of the job in each place."""
    assert found is not None
    places = zip(found.ranks, found.cells, strict=True)
    return [None if cell is None else (rank, cell.job.name) for rank, cell in places]


def labels(found: Grid | None) -> list[str | None]:
    assert found is not None
    return [None if cell is None else cell.series.label for cell in found.cells]


def test_groups_that_differ_in_the_activation_stand_in_a_row(tmp_path: Path) -> None:
    for i, (rate, name) in enumerate((r, n) for n in ("identity", "relu") for r in (0.1, 0.2, 0.3)):
        # the linear ones are worse, so that the order by rank is another one
        add(tmp_path / str(i), f"optimizer.lr={rate}", f"model.net.activation={name}", loss=0.9 - 0.1 * i)
    found = grid(tmp_path)
    assert found is not None
    assert (found.key, found.columns, found.n_left_out) == ("model.net.activation", ("identity", "relu"), 0)
    rates = [cell.job.overrides["optimizer.lr"] for cell in found.cells if cell]
    assert rates == ["0.3", "0.3", "0.2", "0.2", "0.1", "0.1"]
    names = [cell.job.overrides["model.net.activation"] for cell in found.cells if cell]
    assert names == ["identity", "relu"] * 3


def test_groups_without_partners_stand_by_rank(tmp_path: Path) -> None:
    for i in range(8):
        name = "relu" if i % 2 else "identity"
        add(tmp_path / str(i), f"optimizer.lr={0.01 * (i + 1)}", f"model.net.activation={name}", loss=0.1 * (8 - i))
    found = grid(tmp_path)
    assert found is not None
    assert [cell.job.name for cell in found.cells if cell] == ["6", "7", "4", "5", "2", "3", "0", "1"]


def test_many_values_of_one_key_fill_rows_best_first(tmp_path: Path) -> None:
    for i in range(20):
        add(tmp_path / str(i), f"optimizer.lr={i + 1}", loss=20.0 - i)
    found = grid(tmp_path)
    assert found is not None
    assert (found.key, len(found.cells), found.n_left_out) == (None, 12, 8)
    assert labels(found)[:2] == ["lr=20", "lr=19"]


def test_one_group_is_shown_by_its_best_its_middle_and_its_worst_job(tmp_path: Path) -> None:
    for seed, loss in enumerate((0.1, 0.9, 0.4, 0.5, 0.3)):
        add(tmp_path / str(seed), f"seed={seed}", loss=loss)
    assert ranked(grid(tmp_path)) == [("best", "0"), ("middle", "2"), ("worst", "1")]


def test_where_more_is_better_the_highest_job_is_the_best(tmp_path: Path) -> None:
    for seed, score in enumerate((0.5, 0.9, 0.6)):
        metrics = {"val/loss": score, "val/accuracy": score}
        draw(make_job(tmp_path / str(seed), f"seed={seed}", metrics=metrics, optimized="val/accuracy"))
    found = grid(tmp_path)
    assert ranked(found) == [("best", "1"), ("middle", "2"), ("worst", "0")]
    assert found is not None
    assert found.scale == Scale.of("val/accuracy")


def test_jobs_that_are_equally_good_are_three_different_ones(tmp_path: Path) -> None:
    for seed in range(4):
        add(tmp_path / str(seed), f"seed={seed}", loss=0.5)
    assert ranked(grid(tmp_path)) == [("best", "0"), ("middle", "1"), ("worst", "3")]


def test_few_groups_have_a_row_for_each_rank(tmp_path: Path) -> None:
    sweep(tmp_path, n_rates=1, n_seeds=5)
    found = grid(tmp_path)
    # of each network five seeds, ever worse
    assert ranked(found) == [
        *(("best", "0"), ("best", "5")),
        *(("middle", "2"), ("middle", "7")),
        *(("worst", "4"), ("worst", "9")),
    ]
    assert found is not None
    assert (found.columns, found.n_left_out, found.is_mixed) == (("identity", "relu"), 0, False)


@pytest.mark.slow
def test_each_row_of_groups_has_rows_of_its_own(tmp_path: Path) -> None:
    sweep(tmp_path, n_rates=4, n_seeds=3)
    found = grid(tmp_path)
    assert found is not None
    assert found.ranks == ("best", "best", "middle", "middle", "worst", "worst") * 4
    assert [cell.job.overrides["optimizer.lr"] for cell in found.cells if cell][::6] == ["1", "2", "3", "4"]
    assert [cell.job.name for cell in found.cells if cell][:6] == ["0", "12", "1", "13", "2", "14"]


@pytest.mark.slow
def test_more_groups_than_there_is_room_for_are_shown_by_their_middle_jobs(tmp_path: Path) -> None:
    sweep(tmp_path, n_rates=5, n_seeds=3)
    found = grid(tmp_path)
    assert found is not None
    assert found.ranks == ()
    assert [cell.job.overrides["seed"] for cell in found.cells if cell] == ["1"] * 10


def test_a_group_of_two_jobs_is_shown_by_one_beside_a_group_of_three(tmp_path: Path) -> None:
    sweep(tmp_path, n_rates=1, n_seeds=3)
    make_job(tmp_path / "5", "optimizer.lr=1", "model.net.activation=relu", "seed=2", error=ValueError("no"))
    found = grid(tmp_path)
    assert ranked(found) == [("best", "0"), None, ("middle", "1"), ("middle", "3"), ("worst", "2"), None]
    assert found is not None
    assert found.is_mixed


def test_the_middle_job_without_a_picture_leaves_its_place_to_the_next(tmp_path: Path) -> None:
    for seed, loss in enumerate((0.1, 0.9, 0.4, 0.5, 0.3)):
        add(tmp_path / str(seed), f"seed={seed}", loss=loss)
    (tmp_path / "2" / "plots" / "boundary.png").unlink()
    assert ranked(grid(tmp_path)) == [("best", "0"), ("middle", "3"), ("worst", "1")]


def test_no_other_job_is_called_the_best_where_that_has_no_picture(tmp_path: Path) -> None:
    for seed, loss in enumerate((0.1, 0.2, 0.3, 0.4)):
        add(tmp_path / str(seed), f"seed={seed}", loss=loss)
    (tmp_path / "0" / "plots" / "boundary.png").unlink()
    assert ranked(grid(tmp_path)) == [("middle", "1"), ("worst", "3")]
    (tmp_path / "3" / "plots" / "boundary.png").unlink()
    found = grid(tmp_path)
    assert found is not None
    assert found.ranks == ()
    assert [cell.job.name for cell in found.cells if cell] == ["1"]


def test_the_only_picture_of_equal_jobs_is_that_of_the_middle(tmp_path: Path) -> None:
    for seed in range(3):
        make_job(tmp_path / str(seed), f"seed={seed}", metrics={"val/loss": 0.5})
    add(tmp_path / "0", "seed=0", loss=0.5)
    found = grid(tmp_path)
    assert found is not None
    assert (found.ranks, [cell.job.name for cell in found.cells if cell]) == ((), ["0"])


def test_jobs_that_lost_the_metric_are_neither_best_nor_worst(tmp_path: Path) -> None:
    for seed, loss in enumerate((0.1, 0.2, 0.3)):
        add(tmp_path / str(seed), f"seed={seed}", loss=loss)
    draw(make_job(tmp_path / "3", "seed=3", metrics={"val/loss": None}))
    assert ranked(grid(tmp_path)) == [("best", "0"), ("middle", "1"), ("worst", "2")]


def test_a_seed_is_told_where_it_sets_jobs_apart(tmp_path: Path) -> None:
    for i in range(4):
        add(tmp_path / str(i), f"optimizer.lr={1 + i // 3}", f"seed={i % 3}", loss=0.1 * (i + 1))
    found = grid(tmp_path)
    assert found is not None
    assert [(cell.job.name, cell.which) for cell in found.cells if cell] == [
        *(("0", ("seed 0",)), ("1", ("seed 1",)), ("3", ()), ("2", ("seed 2",))),
    ]


def test_jobs_that_could_have_a_picture_have_the_places_that_those_with_one_would_have(tmp_path: Path) -> None:
    for i in range(40):
        make_job(tmp_path / str(i), f"optimizer.lr={i // 2}", f"seed={i % 2}", metrics={"val/loss": 1.0 + i})
    series = all_series(summarise(read_jobs([tmp_path]), [tmp_path], metric=None))
    found = shown_jobs(series, lambda _, name: name == "confusion.png")
    assert [(job.name, name) for job, name in found] == [(str(2 * i), "confusion.png") for i in range(12)]
    for job, name in found:
        add(job.path, *(f"{key}={value}" for key, value in job.overrides.items()), loss=1.0 + int(job.name), name=name)
    assert shown_jobs(series, has_left) == found
    shown = grid(tmp_path)
    assert shown is not None
    assert [cell.job.name for cell in shown.cells if cell] == [job.name for job, _ in found]


def test_of_few_groups_the_jobs_that_could_have_a_picture_are_three_each(tmp_path: Path) -> None:
    for i in range(10):
        overrides = (f"optimizer.lr={1 + i // 5}", f"seed={i % 5}")
        make_job(tmp_path / str(i), *overrides, metrics={"val/loss": 1.0 + i})
    series = all_series(summarise(read_jobs([tmp_path]), [tmp_path], metric=None))
    found = shown_jobs(series, lambda job, _: job.name != "7")
    assert [job.name for job, _ in found] == ["0", "5", "2", "6", "4", "9"]
    for job, name in found:
        add(job.path, *(f"{key}={value}" for key, value in job.overrides.items()), loss=1.0 + int(job.name), name=name)
    assert shown_jobs(series, has_left) == found
    assert [each and each[1] for each in ranked(grid(tmp_path))] == [job.name for job, _ in found]


def test_pictures_are_smaller_copies(tmp_path: Path) -> None:
    add(tmp_path / "0", loss=0.5, name="predictions.png")
    found = grid(tmp_path)
    assert found is not None
    (cell,) = found.cells
    assert cell is not None
    kind, _, data = cell.source.partition(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (640, 320)
    assert found.title == "Predictions"


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_a_broken_picture_leaves_its_place_empty(tmp_path: Path, content: bytes) -> None:
    add(tmp_path / "0", "optimizer.lr=1", loss=0.1)
    add(tmp_path / "1", "optimizer.lr=2", loss=0.2)
    (tmp_path / "1" / "plots" / "boundary.png").write_bytes(content)
    assert labels(grid(tmp_path)) == ["lr=1", None]


def test_half_a_picture_leaves_its_place_empty(tmp_path: Path) -> None:
    add(tmp_path / "0", loss=0.1)
    path = tmp_path / "0" / "plots" / "boundary.png"
    path.write_bytes(path.read_bytes()[:-500])
    assert labels(grid(tmp_path)) == [None]


@pytest.mark.slow
def test_large_pictures_leave_every_group_its_middle_job(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 640, 3), dtype=np.uint8)
    sweep(tmp_path, n_rates=3, n_seeds=3)
    for path in tmp_path.glob("*/plots/boundary.png"):
        Image.fromarray(noise).save(path)
    found = grid(tmp_path)
    assert found is not None
    assert found.n_left_out == 0
    assert 6 <= sum(cell is not None for cell in found.cells) < 18
    assert sum(each is not None and each[0] == "middle" for each in ranked(found)) == 6


@pytest.mark.slow
def test_large_pictures_end_before_the_page_is_too_large(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (600, 640, 3), dtype=np.uint8)
    for i in range(24):
        rate, name = i // 2 + 1, "relu" if i % 2 else "identity"
        add(tmp_path / str(i), f"optimizer.lr={rate}", f"model.net.activation={name}", loss=0.1 * i)
        Image.fromarray(noise).save(tmp_path / str(i) / "plots" / "boundary.png")
    found = grid(tmp_path)
    assert found is not None
    drawn = [cell for cell in found.cells if cell]
    assert 0 < len(drawn) < 24
    assert found.n_left_out == 24 - len(drawn)
    assert sum(len(cell.source) for cell in drawn) <= 1_800_000


def test_no_pictures_make_no_grid(tmp_path: Path) -> None:
    make_job(tmp_path / "0", metrics={"val/loss": 0.5})
    assert grid(tmp_path) is None
