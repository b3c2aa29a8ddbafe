"""Processes end with the one that started them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from src.launch.parent_death import parent_lock, sigterm_exits
from tests.launch.commands import ROOT, wait_until
from tests.launch.fakes import is_running

CHILD = "import sys, time, pathlib; from src.launch.parent_death import die_with_parent;"
CHILD += " die_with_parent(pathlib.Path(sys.argv[1]));"
CHILD += " print('ready', flush=True); time.sleep(60)"
PARENT = f"""
import subprocess, sys, time
from src.launch.parent_death import parent_lock
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}, str(parent_lock())], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_child_ends_with_its_parent_however_that_ends() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_running(child)
    parent.kill()
    wait_until(lambda: not is_running(child), for_s=10)
    parent.communicate()


def test_a_child_that_comes_too_late_ends_at_once(tmp_path: Path) -> None:
    late = subprocess.run([sys.executable, "-c", CHILD, tmp_path / "gone"], cwd=ROOT, capture_output=True, timeout=30)
    assert late.returncode == -signal.SIGKILL
    assert late.stdout == b""


def test_a_process_has_one_lock() -> None:
    assert parent_lock() == parent_lock()


def test_sigterm_ends_what_stands_below_and_nothing_else() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped, sigterm_exits():
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before
