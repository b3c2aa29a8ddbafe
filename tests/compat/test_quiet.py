"""What Lightning says is kept out of a run, and only for as long as a trainer is called."""

import logging
import sys
import warnings
from pathlib import Path

import pytest

from src.build import build
from src.compat.quiet import quiet_lightning
from src.measure import measure
from tests.tasks.runs import small
from tests.waiting import completed

# In a process of its own: Lightning's handlers hold the stream that was there when it was imported.
RUN = """
import sys, warnings
from pathlib import Path
from src.build import build
from src.measure import measure
from tests.tasks.runs import small
warnings.simplefilter("error")
built = build(small("data.n_samples=50", "trainer.max_epochs=2", run_dir=Path(sys.argv[1])))
built.fit()
measure(built)
"""


def state() -> tuple[object, ...]:
    loggers = [logging.getLogger(name) for name in ("lightning", "lightning.pytorch", "lightning.fabric")]
    return [(logger.level, logger.handlers[:]) for logger in loggers], warnings.filters[:]


@pytest.mark.slow
def test_a_run_by_hand_prints_nothing_and_warns_of_nothing(tmp_path: Path) -> None:
    done = completed(sys.executable, "-W", "ignore", "-c", RUN, str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [(), ("-m", "seed=1,2", "hydra/launcher=vmap")])
def test_a_command_prints_no_line_of_lightning(launcher: tuple[str, ...], tmp_path: Path) -> None:
    where = [f"hydra.{key}={tmp_path / 'out'}" for key in ("run.dir", "sweep.dir")]
    done = completed(sys.executable, "-m", "src.train", *launcher, "trainer=cpu", "trainer.max_epochs=2", *where)
    assert done.returncode == 0, done.stderr
    lines = (done.stdout + done.stderr).splitlines()
    assert lines
    # Lightning speaks by its own handler as "INFO: ...", by Hydra's as of its own modules, and in warnings
    said = ("INFO:", "WARNING:", "Warning:", "weights_only`", "available:", "max_epochs=2` reached")
    assert [line for line in lines if any(word in line for word in said)] == []


def test_building_training_and_measuring_leave_logging_and_warnings_as_they_were(tmp_path: Path) -> None:
    before = state()
    built = build(small("data.n_samples=50", "trainer.max_epochs=2", run_dir=tmp_path))
    built.fit()
    measure(built)
    assert state() == before


def test_an_error_inside_gives_everything_back() -> None:
    before = state()
    with pytest.raises(ZeroDivisionError), quiet_lightning():
        1 / (state() == before)
    assert state() == before


@pytest.mark.parametrize(
    "message",
    [
        "Total length of `list` across ranks is zero. Please make sure this was your intention.",
        "The `srun` command is available on your system but is not used. HINT: ...",
        "`isinstance(treespec, LeafSpec)` is deprecated, use ...",
    ],
)
def test_needless_messages_are_ignored_and_others_are_not(message: str) -> None:
    with quiet_lightning():
        warnings.warn(message, stacklevel=1)
        with pytest.raises(UserWarning, match="something else"):
            warnings.warn("something else", stacklevel=1)
