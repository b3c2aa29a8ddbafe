"""The metric against swept values, along axes that fit them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.analysis.page import values
from src.analysis.page.series import all_series
from src.analysis.page.values import Swept, ordered, value_charts
from src.analysis.records import read_jobs
from src.analysis.summary import summarise
from tests.analysis.jobs import make_job


def charts(path: Path, *, metric: str = "val/loss") -> list[dict[str, Any]]:
    summary = summarise(read_jobs([path]), [path], metric=metric)
    return value_charts(Swept(summary, all_series(summary)))


def sweep(path: Path, key: str, values: list[str], *, metric: str = "val/loss", factor: float = 1.0) -> None:
    for i, value in enumerate(values):
        make_job(path / str(i), f"{key}={value}", metrics={metric: 0.5 * factor**i})


def test_few_values_are_boxes_in_their_order(tmp_path: Path) -> None:
    sweep(tmp_path, "optimizer.lr", ["0.1", "0.001", "1"])
    (chart,) = charts(tmp_path)
    assert [trace["type"] for trace in chart["data"]] == ["box", "scatter"]
    assert chart["layout"]["xaxis"]["ticktext"] == ["0.001", "0.1", "1"]
    assert chart["data"][0]["x"] == [1, 0, 2]


def test_words_stand_as_they_come(tmp_path: Path) -> None:
    sweep(tmp_path, "model.net.activation", ["tanh", "identity", "relu"], factor=0.5)
    (chart,) = charts(tmp_path)
    assert chart["layout"]["xaxis"]["ticktext"] == ["tanh", "identity", "relu"]


@pytest.mark.parametrize(("step", "kind"), [(2.0, "log"), (1.05, "linear")])
def test_many_numbers_are_points_along_an_axis(tmp_path: Path, step: float, kind: str) -> None:
    sweep(tmp_path, "optimizer.lr", [repr(0.01 * step**i) for i in range(12)])
    (chart,) = charts(tmp_path)
    (points,) = chart["data"]
    assert chart["layout"]["xaxis"]["type"] == kind
    assert sorted(points["x"]) == pytest.approx([0.01 * step**i for i in range(12)], rel=1e-4)


def test_a_metric_over_orders_of_magnitude_has_a_logarithmic_axis_and_a_share_has_none(tmp_path: Path) -> None:
    sweep(tmp_path / "a", "optimizer.lr", ["1", "2", "3"], factor=0.01)
    sweep(tmp_path / "b", "optimizer.lr", ["1", "2", "3"], factor=0.01, metric="test/accuracy")
    assert charts(tmp_path / "a")[0]["layout"]["yaxis"]["type"] == "log"
    assert "type" not in charts(tmp_path / "b", metric="test/accuracy")[0]["layout"]["yaxis"]


def test_every_completed_job_is_a_point_that_tells_its_name(tmp_path: Path) -> None:
    sweep(tmp_path, "optimizer.lr", ["1", "2", "3", "4"])
    make_job(tmp_path / "4", "optimizer.lr=5", error=ValueError("no"))
    (chart,) = charts(tmp_path)
    assert sorted(chart["data"][-1]["text"]) == ["job 0", "job 1", "job 2", "job 3"]


def test_the_seed_is_no_swept_value(tmp_path: Path) -> None:
    for seed in range(3):
        make_job(tmp_path / str(seed), f"seed={seed}", metrics={"val/loss": 0.5})
    assert charts(tmp_path) == []


def test_numbers_come_in_their_order_before_words() -> None:
    assert ordered(["b", "10", "9", "a", "-1", "1e-3"]) == ["-1", "1e-3", "9", "10", "b", "a"]


def test_of_many_jobs_some_are_points_and_boxes_are_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MANY", 10)
    found = np.random.default_rng(0).normal(size=30).round(4)
    for i, loss in enumerate(found):
        make_job(tmp_path / str(i), f"optimizer.lr={0.1 if i < 12 else 0.2}", f"seed={i}", metrics={"val/loss": loss})
    (chart,) = charts(tmp_path)
    box, points = chart["data"]
    assert len(points["x"]) == len(set(points["text"])) == 10
    assert box["x"] == [0, 1]
    assert box["median"] == pytest.approx([np.median(found[:12]), np.median(found[12:])], abs=1e-4)
    assert box["q1"] == pytest.approx([np.quantile(each, 0.25) for each in (found[:12], found[12:])], abs=1e-4)
    for each, low, high in zip((found[:12], found[12:]), box["lowerfence"], box["upperfence"], strict=True):
        assert {low, high} <= set(each)
