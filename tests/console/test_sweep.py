"""What a sweep shows while its models train together."""

import itertools
import logging

import pytest

from src.console.sweep import NoProgress, StackBar


def test_a_terminal_shows_epochs_and_files(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with StackBar([(4, 10), (2, 10)]) as bar:
        bar.begin()
        bar.epochs_done(10)
        bar.epochs_done(30)
        bar.models_recorded(4)
        bar.end()
        bar.begin()
        bar.epochs_done(20)
        bar.models_recorded(2)
    out = capsys.readouterr().out
    assert "stack 2 of 2, epochs" in out
    assert "60/60" in out
    assert "6/6" in out


def test_a_log_gets_a_line_per_stack(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), StackBar([(4, 10)]) as bar:
        bar.begin()
        bar.epochs_done(40)
        bar.models_recorded(4)
        bar.end()
    assert capsys.readouterr().out == ""
    assert "4 models in " in caplog.text


def test_nobody_needs_to_look() -> None:
    unseen = NoProgress()
    unseen.epochs_done(1)
    unseen.models_recorded(1)


def test_a_log_is_told_now_and_then_how_far_a_stack_is(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(0, 3)
    monkeypatch.setattr("src.console.sweep.monotonic", lambda: next(clock))
    caplog.set_level(logging.INFO)
    with StackBar([(4, 10)]) as bar:
        bar.begin()
        for _ in range(4):
            bar.epochs_done(10)
        for _ in range(4):
            bar.models_recorded(1)
    # every second call is five seconds later
    assert [record.message for record in caplog.records] == [
        "stack 1 of 1: 50% trained, 0 of 4 models recorded, after 6 s",
        "stack 1 of 1: 100% trained, 0 of 4 models recorded, after 12 s",
        "stack 1 of 1: 100% trained, 2 of 4 models recorded, after 18 s",
        "stack 1 of 1: 100% trained, 4 of 4 models recorded, after 24 s",
    ]
