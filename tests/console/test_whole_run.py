"""What a whole run writes: to a terminal of 80 columns, and to a file without one."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.waiting import LIMIT_S, ROOT

# whole commands, or whole trainings
pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "src.train", "model=circle_v1", "trainer=cpu", "trainer.max_epochs=400"]
# Nothing that tells rich more of a terminal than the terminal itself.
ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")},
    "TERM": "xterm-256color",
}
# On one line however long, so that they can be copied.
UNWRAPPED = ("  try: ", "run directory: ")


def in_terminal(*arguments: str, columns: int) -> str:
    """Output of a run that believes to be in front of a user."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=ROOT, env=ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    chunks = []
    # at the end, Linux raises where others give out nothing
    while True:
        try:
            chunk = os.read(ours, 65_536)
        except OSError:
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(ours)
    assert process.wait(LIMIT_S) == 0
    return b"".join(chunks).decode()


def check_lines(lines: list[str]) -> None:
    """No line is too wide, and everything that a run has to say is there."""
    assert [line for line in lines if len(line) > 80 and not line.startswith(UNWRAPPED)] == []
    text = "\n".join(lines)
    told = (
        "data: CirclesDataModule, 800 training",
        "model: circle_v1, MLP(",
        "optimizer: SGD(lr=0.1), ",
        "device: cpu",
    )
    for part in (*told, "results", "test, per class", "hint: the network is linear"):
        assert part in text
    assert any(line.startswith("  try: python -m src.train model=circle_v1") for line in lines)
    assert lines[-1].startswith("run directory: ")


def test_a_terminal_of_80_columns_shows_a_tree_a_bar_and_tables(tmp_path: Path) -> None:
    raw = in_terminal(f"hydra.run.dir={tmp_path}", columns=80)
    assert raw.rindex("\x1b[?25h") > raw.rindex("\x1b[?25l"), "the cursor stays hidden"
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", raw)
    drawn = [re.split("\r+", line.rstrip("\r")) for line in plain.rstrip("\n").split("\n")]
    assert all(len(part) <= 80 for parts in drawn for part in parts if not part.startswith(UNWRAPPED))
    # what was drawn last on a line is what stays
    lines = [parts[-1].rstrip() for parts in drawn]
    check_lines([line for line in lines if line])
    (bar,) = [line for line in lines if line.startswith("epoch ")]
    assert re.fullmatch(r"epoch 400/400 ━+ took \d+ s val loss 0\.\d{4}, accuracy 0\.\d{4}", bar)


def test_a_file_holds_plain_lines_and_no_progress(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as file:
        command = [*COMMAND, f"hydra.run.dir={tmp_path / 'run'}"]
        subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, stdout=file, stderr=file, check=True, timeout=LIMIT_S)
    text = log.read_text()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    lines = text.splitlines()
    check_lines(lines)
    assert not [line for line in lines if line.startswith("epoch")]
    assert len(lines) < 45
