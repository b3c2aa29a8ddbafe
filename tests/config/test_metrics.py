"""Which end of a metric is the better one, and how its values are written."""

import logging
import math

import pytest

from src.config.errors import ConfigError
from src.config.keys import differences
from src.config.metrics import better, mode_of, number, objective, share, split_of, with_marks


@pytest.mark.parametrize(
    ("metric", "mode"),
    [
        *(
            ("val/loss", "min"),
            ("val/accuracy", "max"),
            ("train/mae", "min"),
            ("val/r2", "max"),
            ("n_parameters", "min"),
        ),
        *(("val/kappa", None), ("val/f1", "max")),
    ],
)
def test_the_name_tells_the_better_end(metric: str, mode: str | None) -> None:
    assert better(metric) == mode


def test_what_is_said_stands_and_against_the_name_it_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert mode_of("val/loss", None, key="callbacks.a", warns=True) == "min"
    assert mode_of("val/kappa", "min", key="callbacks.a", warns=True) == "min"
    assert mode_of("val/accuracy", "min", key="callbacks.a") == "min"
    assert not caplog.records
    assert mode_of("val/accuracy", "min", key="callbacks.a", warns=True) == "min"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    said = "callbacks.a.mode=min takes the worse end of val/accuracy for the better one; callbacks.a.mode=null is max"
    assert record.message == said


def test_a_name_that_does_not_tell_asks_for_the_mode() -> None:
    with pytest.raises(ConfigError, match=r"^callbacks\.a\.mode: got null; allowed: min or max, since .*val/kappa"):
        mode_of("val/kappa", None, key="callbacks.a")


def test_a_run_that_was_told_its_mode_is_that_which_reads_it_from_the_name() -> None:
    stored = {"callbacks.a.monitor": "val/loss", "callbacks.a.mode": "min"}
    assert differences(stored, {**stored, "callbacks.a.mode": None}) == ""
    assert differences(stored, {**stored, "callbacks.a.mode": "max"}) != ""
    assert differences(stored, {"callbacks.a.monitor": "val/accuracy", "callbacks.a.mode": None}) != ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.69314718, "0.6931"),
        (0.0, "0.0000"),
        (-0.0, "0.0000"),
        (0.05, "0.0500"),
        (0.0012346, "0.001235"),
        (1.2e-8, "1.2e-08"),
        (-3.45678e-5, "-3.457e-05"),
        (0.99998, "0.99998"),
        (1 - 6e-8, "1.0000"),
        (1.0, "1.0000"),
        (-33277.123, "-33277.1230"),
        (-12345.67891, "-12345.6789"),
        (1.76e34, "1.76e+34"),
        (-2e6, "-2e+06"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_numbers_have_the_digits_that_tell_them_apart_in_narrow_columns(value: float, expected: str) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.985, "98.5"), (1.0, "100.0"), (0.9996, "99.96"), (0.00004, "0.004"), (0.0, "0.0"), (1 - 6e-8, "100.0")],
)
def test_a_share_is_all_or_nothing_only_where_it_says_so(value: float, expected: str) -> None:
    assert share(value) == expected


def test_a_share_of_one_has_more_decimals_near_one() -> None:
    assert [share(value, decimals=3, of=1) for value in (0.5, 0.9996, 1.0)] == ["0.500", "0.9996", "1.000"]


def test_one_of_several_loaders_does_not_hide_the_name() -> None:
    assert better("val_loss/dataloader_idx_1") == better("val/loss/dataloader_idx_0") == "min"
    assert better("val_acc/dataloader_idx_1") == better("val_acc") == "max"
    assert split_of("val_loss/dataloader_idx_1") == ("val", "loss/dataloader_idx_1")
    assert split_of("val/loss/dataloader_idx_0") == ("val", "loss/dataloader_idx_0")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("n_parameters", 337.0, "337"),
        ("n_parameters", 1234567.0, "1234567"),
        ("val/accuracy", 1.0, "1.0000"),
        ("duration_s", 2.5, "2.5000"),
        ("n_parameters", float("nan"), "nan"),
        ("n_parameters", float("inf"), "inf"),
    ],
)
def test_a_count_that_is_searched_by_has_no_decimals(name: str, value: float, text: str) -> None:
    assert objective(name, value) == text


def test_large_whole_numbers_of_a_text_have_marks() -> None:
    assert with_marks("best, epoch 19200") == "best, epoch 19,200"
    assert with_marks("best, epoch 999") == "best, epoch 999"
    assert with_marks("last epoch") == "last epoch"
