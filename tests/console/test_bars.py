"""Bars leave the lines of logs whole, and their own numbers where there is little room."""

import io
import logging
import sys

import pytest
from rich.console import Console

from src.console.bars import Bars


def drawn(width: int, text: str = "val loss 0.1441, accuracy 0.9900", *, n_done: int = 20_000) -> list[str]:
    """What a terminal of this width shows of a bar."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    bars = Bars(console, name="epoch")
    task = bars.add("epochs", total=20_000)
    bars.update(task, completed=n_done, text=text)
    with console.capture() as captured:
        console.print(bars.get_renderable())
    return captured.get().splitlines()


@pytest.mark.parametrize("width", [30, 40, 59, 60, 80, 200])
def test_numbers_are_whole_at_any_width(width: int) -> None:
    lines = drawn(width)
    text = " ".join(" ".join(lines).split())
    assert "20000/20000" in text
    assert "took 1 s" in text
    for word in ("val", "loss", "0.1441,", "accuracy", "0.9900"):
        assert word in text.split()
    assert max(map(len, lines)) <= width
    assert ("epoch" in text, "━" in text) == ((True, True) if width >= 60 else (False, False))


def test_lines_of_a_log_stand_above_the_bars_and_go_where_they_went_afterwards(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    handlers = [logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)]
    logger = logging.getLogger("tests.console.a_log")
    for handler in handlers:
        logger.addHandler(handler)
    before = [handler.stream for handler in handlers]
    try:
        bars = Bars(Console())
        bars.add("epochs", total=3)
        bars.start()
        assert [handler.stream for handler in handlers] == [sys.stdout, sys.stderr] != before
        logger.warning("Numba computes 40 models together")
        bars.stop()
        assert [handler.stream for handler in handlers] == before
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
    out = capsys.readouterr().out
    # rich wipes the bar first, writes the line, and draws the bar again
    wiped, _, rest = out.partition("Numba computes 40 models together")
    assert wiped.endswith("\x1b[2K")
    assert "epochs" in rest
