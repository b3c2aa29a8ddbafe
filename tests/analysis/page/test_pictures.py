"""Pictures side by side: which jobs stand for their groups, and where."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.analysis.page.pictures import Grid, has_left, picture_grid, shown_jobs
from src.analysis.page.series import all_series
from src.analysis.records import read_jobs
from src.analysis.summary import summarise
from tests.analysis.jobs import make_job


def add(path: Path, *overrides: str, loss: float, name: str = "boundary.png") -> None:
    run = make_job(path, *overrides, metrics={"val/loss": loss})
    run.plots.mkdir(exist_ok=True)
    Image.new("RGB", (1100, 550), "white").save(run.plots / name)


def grid(path: Path) -> Grid | None:
    return picture_grid(all_series(summarise(read_jobs([path]), [path], metric=None)))


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


def test_the_job_in_the_middle_stands_for_its_group(tmp_path: Path) -> None:
    for seed, loss in enumerate((0.1, 0.9, 0.4, 0.5, 0.3)):
        add(tmp_path / str(seed), f"seed={seed}", loss=loss)
    found = grid(tmp_path)
    assert found is not None
    assert [cell.job.name for cell in found.cells if cell] == ["2"]


def test_a_job_without_a_picture_leaves_its_place_to_the_next(tmp_path: Path) -> None:
    for seed, loss in enumerate((0.1, 0.2, 0.31)):
        add(tmp_path / str(seed), f"seed={seed}", loss=loss)
    (tmp_path / "1" / "plots" / "boundary.png").unlink()
    found = grid(tmp_path)
    assert found is not None
    assert [cell.job.name for cell in found.cells if cell] == ["0"]


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
