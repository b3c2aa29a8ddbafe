"""What decides a metric: shares of variance that can be worked out by hand."""

from pathlib import Path

import pytest

from src.analysis.page.importance import importances
from src.analysis.page.series import all_series
from src.analysis.page.values import Swept
from src.analysis.records import read_jobs
from src.analysis.summary import summarise
from tests.analysis.jobs import make_job


def shares(path: Path, metric: str = "val/mae") -> dict[str, float]:
    summary = summarise(read_jobs([path]), [path], metric=metric)
    return dict(importances(Swept(summary, all_series(summary))))


def test_main_effects_of_two_keys_that_add_up(tmp_path: Path) -> None:
    for i in range(8):
        a, b, seed = i // 4, i // 2 % 2, i % 2
        overrides = (f"model.net.activation={('relu', 'tanh')[a]}", f"optimizer.lr={(0.1, 1)[b]}", f"seed={seed}")
        make_job(tmp_path / str(i), *overrides, metrics={"val/mae": 10 + 3 * a + b})
    # sums of squares by hand: 18 of the activation, 2 of the rate, 20 in all
    found = shares(tmp_path)
    assert list(found) == ["model.net.activation", "optimizer.lr"]
    assert found["model.net.activation"] == pytest.approx((18 - 2 / 6) / 20)
    assert found["optimizer.lr"] == pytest.approx(max(0, (2 - 18 / 6) / 20))


def test_many_numbers_count_in_parts_and_do_not_explain_all(tmp_path: Path) -> None:
    for i in range(20):
        make_job(tmp_path / str(i), f"optimizer.lr={0.01 * (i + 1):.2f}", metrics={"val/mae": 1.0 + i % 2})
    assert shares(tmp_path) == {"optimizer.lr": 0.0}


def test_equal_results_and_too_few_jobs_have_nothing_to_explain(tmp_path: Path) -> None:
    for i in range(2):
        make_job(tmp_path / "few" / str(i), f"optimizer.lr={i + 1}", metrics={"val/mae": 1.0 + i})
        make_job(tmp_path / "equal" / str(i), f"optimizer.lr={i + 1}", metrics={"val/mae": 1.0})
    assert shares(tmp_path / "few") == {}
    assert shares(tmp_path / "equal") == {}
