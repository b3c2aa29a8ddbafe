"""A log that cannot be written is in nobody's way."""

import logging
import os
from pathlib import Path

import pytest

from src.run.log import Log


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("name", logging.INFO, "", 0, text, None, None)


class Counting(Log):
    """Counts how often it is lost."""

    n_lost = 0

    def lost(self, error: OSError) -> None:  # noqa: ARG002
        self.n_lost += 1


def say(path: Path) -> Counting:
    handler = Counting(path, encoding="utf-8", delay=True)
    handler.handle(record("one"))
    handler.handle(record("two"))
    handler.close()
    return handler


def test_lines_are_appended(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text("before\n")
    assert say(tmp_path / "train.log").n_lost == 0
    assert (tmp_path / "train.log").read_text() == "before\none\ntwo\n"


@pytest.mark.parametrize("path", ["/dev/full", "/proc/nothing.log", "/dev/null/below"])
def test_a_file_that_takes_nothing_is_lost_once_and_without_a_word(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert say(Path(path)).n_lost == 1
    assert capsys.readouterr().err == ""


def test_a_line_that_cannot_be_put_together_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = Log(tmp_path / "train.log")
    handler.handle(logging.LogRecord("name", logging.INFO, "", 0, "%d", ("text",), None))
    handler.handle(record("next"))
    handler.close()
    assert "TypeError" in capsys.readouterr().err
    assert (tmp_path / "train.log").read_text() == "next\n"


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train.log")
    assert say(tmp_path / "train.log").n_lost == 1
