"""Processes end with the one that started them."""

import os
import signal
import sys
from pathlib import Path

import pytest

from src.launch.parent_death import parent_lock, sigterm_exits
from tests.waiting import command, is_running, wait_for

LATE = "import sys, pathlib; from src.launch.parent_death import die_with_parent;"
LATE += " die_with_parent(pathlib.Path(sys.argv[1]));"
LATE += " print('ready', flush=True);"
CHILD = f"import signal; {LATE} signal.pause()"
PARENT = f"""
import signal, subprocess, sys
from src.launch.parent_death import parent_lock
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}, str(parent_lock())], stdout=subprocess.PIPE)
child.stdout.readline()
print("child", child.pid, flush=True)
signal.pause()
"""


def test_a_child_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    parent = command(sys.executable, "-c", PARENT, output=tmp_path / "output")
    child = int(parent.line(r"child (\d+)\n")[1])
    assert is_running(child)
    parent.kill()
    wait_for(lambda: not is_running(child), "the end of the child")


def test_a_child_that_comes_too_late_ends_at_once(tmp_path: Path) -> None:
    late = command(sys.executable, "-c", LATE, str(tmp_path / "gone"), output=tmp_path / "output")
    assert late.end() == -signal.SIGKILL
    assert late.said() == ""


def test_a_process_has_one_lock() -> None:
    assert parent_lock() == parent_lock()


def test_sigterm_ends_what_stands_below_and_nothing_else() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped, sigterm_exits():
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before


def locks(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_a_lock_goes_with_its_process_or_with_the_next_one(tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    env = {**os.environ, "TMPDIR": str(folder)}
    killed = command(sys.executable, "-c", PARENT, output=tmp_path / "killed", env=env)
    child = int(killed.line(r"child (\d+)\n")[1])
    (left,) = locks(folder)
    # one that lives keeps its own
    living = command(sys.executable, "-c", PARENT, output=tmp_path / "living", env=env)
    living.line(r"child (\d+)\n")
    assert len(locks(folder)) == 2
    killed.kill()
    wait_for(lambda: not is_running(child), "the end of the child")
    assert left in locks(folder)
    ended = command(sys.executable, "-c", f"{MAKE}; print('made', parent_lock())", output=tmp_path / "ended", env=env)
    assert ended.end() == 0, ended.said()
    assert len(locks(folder)) == 1
    assert left not in locks(folder)


MAKE = "from src.launch.parent_death import parent_lock"
