"""What a report may be asked for."""

from pathlib import Path
from typing import Any

import pytest

from src.analysis.options import DEFAULTS, Options
from src.analysis.records import read_jobs
from src.config.errors import ConfigError
from tests.analysis.jobs import make_job


def test_what_is_not_given_is_the_default() -> None:
    assert Options.of({"estimate": None, "failed": None, "margin": None}) == DEFAULTS


def test_what_is_given_is_checked_and_kept() -> None:
    found = Options.of({"estimate": "iqm", "failed": "test/accuracy<0.9", "margin": 0.02})
    assert (found.estimate, str(found.failed), found.margin) == ("iqm", "test/accuracy < 0.9", 0.02)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"estimate": "medan"}, r"report\.estimate=medan: did you mean median\? Allowed: median, iqm, mean, or null"),
        ({"estimate": 3}, r"report\.estimate=3: allowed: iqm, mean, median, or null"),
        ({"failed": 0.9}, r"report\.failed=0\.9: allowed: a condition such as test/accuracy<0\.9"),
        ({"margn": 1}, r"report\.margn: unknown key; did you mean report\.margin\?"),
        ({"margin": "x"}, r"report\.margin=x: allowed: a number from 0 on, of a share 0\.01 for one point"),
        ({"margin": -1}, r"report\.margin=-1: allowed"),
        ({"margin": True}, r"report\.margin=True: allowed"),
        ({"margin": float("nan")}, r"report\.margin=nan: allowed"),
        ({"margin": {"val/loss": "x"}}, r"report\.margin\.val/loss=x: allowed"),
    ],
)
def test_what_is_wrong_is_refused_with_its_key(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Options.of(given)


def test_a_margin_is_a_point_of_shares_or_what_is_asked_for() -> None:
    def margins(options: Options) -> list[float | None]:
        return [
            options.margin_of("val/loss", ranks=True, is_share=False),
            options.margin_of("test/accuracy", ranks=False, is_share=True),
        ]

    assert margins(DEFAULTS) == [None, 0.01]
    assert margins(Options(margin=0.1)) == [0.1, 0.01]
    assert margins(Options(margin={"test/accuracy": 0.05})) == [None, 0.05]
    assert margins(Options(margin={"val/loss": 0.0, "test/accuracy": 0.0})) == [0.0, 0.0]


def test_a_report_takes_the_margin_of_its_sweep_unless_it_is_given_one(tmp_path: Path) -> None:
    for i in range(2):
        make_job(tmp_path / "one" / str(i), f"seed={i}", "sweep.margin=0.25", metrics={"val/loss": 0.5})
        make_job(tmp_path / "two" / str(i), f"seed={i}", f"sweep.margin={i}", metrics={"val/loss": 0.5})
    one, two = (read_jobs([tmp_path / name]) for name in ("one", "two"))
    assert DEFAULTS.with_margin_of(one).margin == 0.25
    assert DEFAULTS.with_margin_of([*one, *two]).margin is None
    assert DEFAULTS.with_margin_of(two).margin is None
    assert Options(margin=0.1).with_margin_of(one).margin == 0.1
