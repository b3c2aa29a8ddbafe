"""A command outlives whoever reads what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import LIMIT_S, ROOT

LOUD = """
import logging, sys
from src.config.command.readers import outlive_readers
outlive_readers()
logging.basicConfig(stream=sys.stdout)
for i in range(10_000):
    print(i)
    logging.warning("line %d", i)
sys.stdout.flush()
open(sys.argv[1], "w").write("to the end")
"""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_has_seen_enough_ends_nothing(stream: str, tmp_path: Path) -> None:
    source, sink = os.pipe()
    os.close(source)
    other = "stderr" if stream == "stdout" else "stdout"
    code = LOUD if stream == "stdout" else LOUD.replace("print(i)", "print(i, file=sys.stderr)")
    with os.fdopen(sink, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "end")],
            cwd=ROOT,
            check=False,
            timeout=LIMIT_S,
            **{stream: closed, other: subprocess.PIPE},
        )
    assert done.returncode == 0
    assert (tmp_path / "end").read_text() == "to the end"
    assert b"Error" not in (done.stderr or b"")


def test_what_is_read_is_whole() -> None:
    code = (
        "from src.config.command.readers import outlive_readers; outlive_readers(); print('ä' * 9); print('b', end='')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, timeout=LIMIT_S)
    assert done.stdout.decode() == f"{'ä' * 9}\nb"


def test_a_stream_of_somebody_else_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import io, sys; sys.stdout = mine = io.StringIO(); from src.config.command.readers import outlive_readers; "
        "outlive_readers(); assert sys.stdout is mine"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=LIMIT_S)
    assert capsys.readouterr().out == ""
