"""What a sweep shows while its models train together."""

import logging

import pytest

from src.console.sweep import NoProgress, StackBar


def test_a_terminal_shows_epochs_files_and_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
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
    assert "models/s" in out


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
