"""The end of a process that is cut short leaves what a whole one leaves."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from src.compat.python import collect_seldom
from tests.waiting import ROOT

SCRIPT = """
import atexit, sys, threading
from src.compat.python import leave, nothing_waits

def ends():
    print("nothing waits", nothing_waits())
    if nothing_waits():
        leave(3, is_asked=False)

class Kept:
    def __del__(self):
        print("taken apart")

kept = Kept()
file = open("written.txt", "w")
file.write("not closed")
atexit.register(print, "registered")
started = threading.Event()
thread = threading.Thread(target=lambda: (started.wait(), print("thread")))
thread.start()
started.set()
ends()
"""


def ended(*arguments: str, folder: Path) -> tuple[int, str]:
    """Status and output of a Python process with the script in its folder."""
    (folder / "ending.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize("arguments", [("ending.py",), ("-m", "ending")])
def test_threads_files_and_what_is_registered_come_to_their_end(arguments: tuple[str, ...], tmp_path: Path) -> None:
    status, output = ended(*arguments, folder=tmp_path)
    assert status == 3
    assert sorted(output.splitlines()) == ["nothing waits True", "registered", "thread"]
    assert (tmp_path / "written.txt").read_text() == "not closed"


@pytest.mark.parametrize(
    "arguments", [("-m", "cProfile", "-o", "profile", "ending.py"), ("-m", "cProfile", "-o", "profile", "-m", "ending")]
)
def test_a_profiler_that_runs_a_module_has_its_say(arguments: tuple[str, ...], tmp_path: Path) -> None:
    status, output = ended(*arguments, folder=tmp_path)
    assert status == 0
    assert "nothing waits False" in output
    assert "taken apart" in output
    assert (tmp_path / "profile").stat().st_size > 0


def test_garbage_is_collected_seldom_unless_somebody_has_chosen() -> None:
    before = gc.get_threshold()
    try:
        for given, expected in (
            ((700, 10, 10), 20_000),
            ((2_000, 10, 0), 20_000),
            ((5_000, 1, 1), 5_000),
            ((0, 1, 1), 0),
        ):
            gc.set_threshold(*given)
            collect_seldom()
            assert gc.get_threshold()[0] == expected
    finally:
        gc.set_threshold(*before)
