"""What is kept from being imported, and that nothing is missing afterwards."""

import sys

import pytest

from tests.waiting import completed

LEAN = """
import sys
from src.compat.torchmetrics import without_scipy_signal
with without_scipy_signal():
    import src.build
assert "scipy.signal._signaltools" not in sys.modules
import scipy.signal
assert abs(scipy.signal.convolve([1, 2], [1, 2])[1] - 4) < 1e-9
"""

LOADED = """
import scipy.signal
from src.compat.torchmetrics import without_scipy_signal
before = scipy.signal
with without_scipy_signal():
    import scipy.signal
    assert scipy.signal is before
"""


def run(code: str) -> None:
    done = completed(sys.executable, "-W", "ignore", "-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_lightning_is_imported_without_scipy_signal_which_works_afterwards() -> None:
    run(LEAN)


@pytest.mark.slow
def test_scipy_signal_that_is_there_already_stays() -> None:
    run(LOADED)


@pytest.mark.slow
def test_commands_that_train_nothing_load_no_torch() -> None:
    for arguments in (["--help"], ["--cfg", "job"], ["--info", "defaults"], ["optimizer.lrr=1"]):
        code = (
            "import sys\n"
            f"sys.argv = ['src.train', *{arguments!r}]\n"
            "import runpy\n"
            "try:\n    runpy.run_module('src.train', run_name='__main__')\n"
            "except SystemExit:\n    pass\n"
            "loaded = {'torch', 'lightning', 'sklearn', 'matplotlib', 'torchmetrics'} & set(sys.modules)\n"
            "assert not loaded, loaded\n"
        )
        run(code)
