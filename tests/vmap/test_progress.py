"""What a sweep shows while its models train together."""

import logging

import pytest

from src.vmap.progress import SweepBar, Unseen


def test_a_terminal_shows_epochs_files_and_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with SweepBar([(4, 10), (2, 10)]) as bar:
        bar.begin()
        bar.trained(10)
        bar.trained(30)
        bar.recorded(4)
        bar.end()
        bar.begin()
        bar.trained(20)
        bar.recorded(2)
    out = capsys.readouterr().out
    assert "bucket 2 of 2, epochs" in out
    assert "60/60" in out
    assert "6/6" in out
    assert "models/s" in out


def test_a_log_gets_a_line_per_bucket(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), SweepBar([(4, 10)]) as bar:
        bar.begin()
        bar.trained(40)
        bar.recorded(4)
        bar.end()
    assert capsys.readouterr().out == ""
    assert "4 models in " in caplog.text


def test_nobody_needs_to_look() -> None:
    unseen = Unseen()
    unseen.trained(1)
    unseen.recorded(1)
