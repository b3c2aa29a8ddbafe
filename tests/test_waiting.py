"""Waiting for events, moments that are chosen, and that nothing in the tests is timed."""

import re
import signal
import sys
from pathlib import Path

import pytest

from tests import waiting
from tests.waiting import ROOT, command, completed, is_running, wait_for

# Sleeping, reading a clock, drawing a moment, and limits that are written as numbers.
TIMED = re.compile(
    r"sleep\(|monotonic\(|perf_counter|process_time|getrusage|Timer\(|time\.time\(|^import time$|^from time import"
    r"|uniform\(0|\.(join|wait)\([\d.]+\)|\b(timeout|timeout_s|for_s)=[\d_.]+",
    re.MULTILINE,
)
# `src.launch.slurm.cancel` is asked not to wait at all
ALLOWED = {"tests/launch/test_slurm.py: timeout_s=0"}

WRITER = """
import os, pathlib, signal, sys
from tests.moments import Moment
Moment("*/file", n=2).send(signal.Signals(int(sys.argv[1])))
for text in "123":
    pathlib.Path("aside").write_text(text)
    pathlib.Path("aside").replace("file")
print("done", flush=True)
"""


def test_nothing_in_the_tests_is_timed_and_one_module_waits() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in (ROOT / "tests").rglob("*.py")
        if path not in (Path(waiting.__file__), Path(__file__))
        for match in TIMED.finditer(path.read_text())
    }
    assert found == ALLOWED


@pytest.mark.parametrize(
    "line",
    [
        "time.sleep(0.1)",
        "rng.uniform(0.3, 1.0)",
        "process.join(60)",
        "import time",
        "run(timeout=30)",
        "wait_for(for_s=5)",
    ],
)
def test_what_is_timed_is_found(line: str) -> None:
    assert TIMED.search(line)


def test_an_event_gives_its_value() -> None:
    values = iter([None, 0, "", "here"])
    assert wait_for(lambda: next(values), "a value") == "here"


def test_what_hangs_is_named_with_what_was_said_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = command(
        sys.executable, "-c", "import signal; print('so far', flush=True); signal.pause()", output=tmp_path / "o"
    )
    process.line("so far")
    monkeypatch.setattr(waiting, "LIMIT_S", 0)
    with pytest.raises(AssertionError, match=r"waited 0 s in vain for its end\nso far"):
        process.end()
    assert is_running(process.pid)
    monkeypatch.undo()
    waiting.kill_what_is_left()
    assert not is_running(process.pid)


def test_a_process_that_ends_before_the_event_is_named_with_its_status_and_output(tmp_path: Path) -> None:
    process = command(sys.executable, "-c", "print('alas'); raise SystemExit(3)", output=tmp_path / "output")
    with pytest.raises(AssertionError, match=r"ended with status 3 before it printed hello\nalas"):
        process.line("hello")


def test_an_event_counts_though_the_process_has_ended_since(tmp_path: Path) -> None:
    process = command(sys.executable, "-c", "print('number 7')", output=tmp_path / "output")
    assert process.end() == 0
    assert process.line(r"number (\d)")[1] == "7"


def test_a_process_is_killed_before_a_file_is_put_in_its_place(tmp_path: Path) -> None:
    done = completed(
        sys.executable, "-c", WRITER, str(int(signal.SIGKILL)), cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    assert (tmp_path / "file").read_text() == "1"
    assert (tmp_path / "aside").read_text() == "2"


def test_a_process_is_interrupted_before_a_file_is_put_in_its_place(tmp_path: Path) -> None:
    done = completed(sys.executable, "-c", WRITER, str(int(signal.SIGINT)), cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in done.stderr
    assert (tmp_path / "file").read_text() == "1"
