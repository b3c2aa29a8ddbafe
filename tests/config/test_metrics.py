"""Which end of a metric is the better one."""

import logging

import pytest

from src.config.errors import ConfigError
from src.config.keys import differences
from src.config.metrics import better, mode_of


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
