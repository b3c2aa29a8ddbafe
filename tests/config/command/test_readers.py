"""A command outlives whoever reads what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import LIMIT_S, ROOT

BEGIN = "from src.config.command.readers import outlive_readers"
LOUD = f"""
import logging, sys
{BEGIN}
outlive_readers()
logging.basicConfig(stream=sys.STREAM)
for i in range(10_000):
    print(i, file=sys.STREAM)
    logging.warning("line %d", i)
open(sys.argv[1], "w").write("to the end")
"""


def python(code: str, *arguments: str, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE) -> bytes:
    """What a process says that ends well."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, timeout=LIMIT_S, stdout=stdout, stderr=stderr)
    assert b"Error" not in (done.stderr or b"")
    return done.stdout or b""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_has_seen_enough_ends_nothing(stream: str, tmp_path: Path) -> None:
    source, sink = os.pipe()
    os.close(source)
    try:
        code, end = LOUD.replace("STREAM", stream), str(tmp_path / "end")
        if stream == "stdout":
            python(code, end, stdout=sink)
        else:
            python(code, end, stderr=sink)
    finally:
        os.close(sink)
    assert (tmp_path / "end").read_text() == "to the end"


def test_what_is_read_is_whole() -> None:
    said = python(f"{BEGIN}; outlive_readers(); print('ä' * 9); print('b', end='')")
    assert said.decode() == f"{'ä' * 9}\nb"


def test_a_stream_of_somebody_else_is_left_alone() -> None:
    python(f"import io, sys; sys.stdout = mine = io.StringIO(); {BEGIN}; outlive_readers(); assert sys.stdout is mine")
