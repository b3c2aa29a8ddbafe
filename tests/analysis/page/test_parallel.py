"""Parallel coordinates: every job has a place on every axis."""

import math
from pathlib import Path
from typing import Any

import pytest

from src.analysis.page.parallel import parallel_axes
from src.analysis.page.series import all_series
from src.analysis.page.values import Swept
from src.analysis.records import read_jobs
from src.analysis.summary import summarise
from tests.analysis.jobs import make_job


def lines(path: Path, *, metric: str | None = None) -> dict[str, Any] | None:
    summary = summarise(read_jobs([path]), [path], metric=metric)
    return parallel_axes(Swept(summary, all_series(summary)), summary)


def test_places_lie_between_the_ends_and_ticks_at_their_values(tmp_path: Path) -> None:
    rates = [10.0**-i for i in range(10)]
    for i, rate in enumerate(rates):
        make_job(tmp_path / str(i), f"optimizer.lr={rate!r}", metrics={"val/loss": 0.5 + 0.25 * i})
    found = lines(tmp_path)
    assert found is not None
    rate_axis, loss_axis = found["axes"]
    assert rate_axis["label"] == "lr"
    places = {job["name"]: job["places"] for job in found["jobs"]}
    for i, rate in enumerate(rates):
        assert places[f"job {i}"] == pytest.approx([(math.log10(rate) + 9) / 10, i / 10], abs=1e-3)
    for axis in found["axes"]:
        assert [axis["ticks"][0][0], axis["ticks"][-1][0]] == pytest.approx([0, 1])
    for place, text in rate_axis["ticks"]:
        assert place == pytest.approx((math.log10(float(text)) + 9) / 10)
    for place, text in loss_axis["ticks"]:
        assert place == pytest.approx((float(text) - 0.5) / 2.5)


@pytest.mark.parametrize(("metric", "best"), [("val/loss", "job 0"), ("test/accuracy", "job 3")])
def test_the_best_line_has_the_best_color_and_is_on_top(tmp_path: Path, metric: str, best: str) -> None:
    for i in range(4):
        metrics = {"val/loss": 0.1 * (i + 1), "test/accuracy": 0.2 * (i + 1)}
        make_job(tmp_path / str(i), f"optimizer.lr={i + 1}", metrics=metrics)
    found = lines(tmp_path, metric=metric)
    assert found is not None
    assert (found["jobs"][-1]["name"], found["jobs"][-1]["color"]) == (best, "var(--level-7)")


def test_lines_know_their_rows_in_the_table(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "optimizer.lr=1", error=ValueError("no"))
    for i in (1, 2):
        make_job(tmp_path / str(i), f"optimizer.lr={i + 1}", metrics={"val/loss": 0.1 * i})
    found = lines(tmp_path)
    assert found is not None
    assert {job["name"]: job["row"] for job in found["jobs"]} == {"job 1": 1, "job 2": 2}


def test_equal_metrics_stand_in_the_middle(tmp_path: Path) -> None:
    for i in range(2):
        make_job(tmp_path / str(i), f"optimizer.lr={i + 1}", metrics={"val/loss": 0.5})
    found = lines(tmp_path)
    assert found is not None
    assert [job["places"][-1] for job in found["jobs"]] == [0.5, 0.5]


def test_nothing_swept_makes_no_axes(tmp_path: Path) -> None:
    for seed in range(2):
        make_job(tmp_path / str(seed), f"seed={seed}", metrics={"val/loss": 0.5})
    assert lines(tmp_path) is None
