"""Groups side by side: every point is seen, and what guessing gets."""

from pathlib import Path
from typing import Any

import pytest

from src.analysis.page.dots import dot_chart, stacked
from src.analysis.page.series import all_series
from src.analysis.records import read_jobs
from src.analysis.summary import Summary, summarise
from src.analysis.words.headings import compared
from tests.analysis.jobs import make_job


def read(path: Path, metric: str) -> Summary:
    return summarise(read_jobs([path]), [path], metric=metric)


def chart(path: Path, metric: str) -> dict[str, Any]:
    summary = read(path, metric)
    found = dot_chart(all_series(summary), metric)
    assert found is not None
    return found


def test_equal_points_lie_side_by_side_and_others_on_the_line() -> None:
    assert stacked([0.5, 0.5, 0.5, 1.0], 0.5) == pytest.approx([-0.12, 0, 0.12, 0])
    assert stacked([0.5] * 4, 0.0) == pytest.approx([-0.18, -0.06, 0.06, 0.18])
    many = stacked([0.5] * 100, 1.0)
    assert len(set(many)) == 100
    assert (min(many), max(many)) == pytest.approx((-0.35, 0.35))
    assert stacked([], 0.0) == []


def test_accuracy_has_a_line_at_chance_and_intervals_end_at_all(tmp_path: Path) -> None:
    for seed in range(8):
        metrics = {"test/accuracy": 0.97 if seed == 0 else 1.0, "test/chance": 0.5}
        make_job(tmp_path / str(seed), f"seed={seed}", metrics=metrics)
    found = chart(tmp_path, "test/accuracy")
    (shape,) = found["layout"]["shapes"]
    assert (shape["x0"], shape["x1"]) == (0.5, 0.5)
    assert found["layout"]["annotations"][0]["text"] == "chance: 50.0%"
    estimates = found["data"][1]
    assert estimates["x"][0] + estimates["error_x"]["array"][0] <= 1
    assert len(set(zip(found["data"][0]["x"], found["data"][0]["y"], strict=True))) == 8


def test_where_data_differ_chance_is_a_band(tmp_path: Path) -> None:
    for i in range(2):
        metrics = {"val/accuracy": 0.9, "val/chance": (0.5, 0.625)[i]}
        make_job(tmp_path / str(i), f"data.seed={i}", metrics=metrics)
    layout = chart(tmp_path, "val/accuracy")["layout"]
    assert (layout["shapes"][0]["x0"], layout["shapes"][0]["x1"]) == (0.5, 0.625)
    assert layout["annotations"][0]["text"] == "chance: 50.0 to 62.5%"


def test_regression_has_a_line_at_the_mean_and_a_loss_has_none(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "seed=0", metrics={"test/r2": 0.75, "val/loss": 0.5})
    assert chart(tmp_path, "test/r2")["layout"]["shapes"][0]["x0"] == 0
    assert "shapes" not in chart(tmp_path, "val/loss")["layout"]


def test_a_title_says_what_was_compared(tmp_path: Path) -> None:
    for i in range(12):
        overrides = (f"model.net.activation={('relu', 'tanh')[i % 2]}", f"optimizer.lr={(0.1, 1)[i // 2 % 2]}")
        make_job(tmp_path / str(i), *overrides, f"seed={i // 4}", metrics={"test/accuracy": 0.5})
    assert compared(read(tmp_path, "test/accuracy")) == "Test accuracy by activation and lr, over 3 seeds"


def test_a_title_without_a_number_or_with_one_group_is_short(tmp_path: Path) -> None:
    make_job(tmp_path / "a" / "0", "seed=0", error=ValueError("no"))
    assert compared(summarise(read_jobs([tmp_path / "a"]), [tmp_path / "a"], metric=None)) == ""
    make_job(tmp_path / "b" / "0", "seed=0", metrics={"val/loss": 0.5})
    assert compared(read(tmp_path / "b", "val/loss")) == "Validation loss, over 1 seed"
