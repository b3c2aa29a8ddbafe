"""What all tests share."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.waiting import kill_what_is_left

# Tests run side by side, one per core: threads that wait for each other would take longer than the arithmetic. Set
# before torch is imported, and inherited by the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"

# Runs of a checkout with changes leave one file more.
os.environ["NO_CODE_PATCH"] = "1"

# Some tests send signals, which whoever started this may ignore, as nohup does; processes that tests start inherit it.
for _each, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_each) is signal.SIG_IGN:
        signal.signal(_each, _handler)

_skipped: set[str] = set()


@pytest.fixture(autouse=True)
def nothing_outlives_its_test() -> Iterator[None]:
    yield
    kill_what_is_left()


def pytest_report_teststatus(report: pytest.TestReport) -> None:
    """Remember what CI may not skip: a test that needs no device of its own."""
    if report.skipped and "gpu" not in report.keywords and os.environ.get("CI"):
        _skipped.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run of CI that has left out a test which its machine could have run."""
    if _skipped:
        print(f"\nskipped although CI can run them: {', '.join(sorted(_skipped))}")  # noqa: T201
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
