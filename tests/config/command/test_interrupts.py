"""The first signal asks, the second ends."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from src.config.command import interrupts
from tests.waiting import command

SIGNALS = pytest.mark.parametrize("sent", interrupts.SIGNALS)


def send(sent: signal.Signals) -> None:
    os.kill(os.getpid(), sent)


def wait_after(act: Callable[[], object]) -> None:
    act()
    while True:
        signal.pause()


@SIGNALS
def test_a_signal_interrupts_what_looks_for_none(sent: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in (*interrupts.SIGNALS, signal.SIGALRM)]
    with interrupts.handled():
        with pytest.raises(KeyboardInterrupt):
            send(sent)
        assert interrupts.asked()
        assert interrupts.status() == 128 + sent
    assert [signal.getsignal(each) for each in (*interrupts.SIGNALS, signal.SIGALRM)] == before
    assert not interrupts.asked()


@SIGNALS
def test_the_epoch_that_hears_a_signal_is_the_last(sent: signal.Signals) -> None:
    begun: list[int] = []

    def train() -> None:
        for epoch in interrupts.until_asked(range(5)):
            begun.append(epoch)
            if epoch == 2:
                send(sent)

    with pytest.raises(KeyboardInterrupt), interrupts.handled(), interrupts.heeded():
        train()
    assert begun == [0, 1, 2]


def test_what_goes_wrong_after_a_signal_is_an_interrupt() -> None:
    def fall() -> None:
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)
        raise ImportError("cut short")

    with interrupts.handled(), pytest.raises(KeyboardInterrupt), interrupts.meant():
        fall()
    with pytest.raises(ImportError), interrupts.handled(), interrupts.meant():
        raise ImportError("of its own")


@pytest.mark.parametrize(("status", "meant"), [(1, KeyboardInterrupt), (0, SystemExit)])
def test_an_end_with_status_1_after_a_signal_is_an_interrupt(status: int, meant: type[BaseException]) -> None:
    def fall() -> None:
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)
        raise SystemExit(status)

    with interrupts.handled(), pytest.raises(meant), interrupts.meant():
        fall()


def test_without_a_signal_all_epochs_run() -> None:
    with interrupts.handled(), interrupts.heeded():
        assert list(interrupts.until_asked(range(5))) == [0, 1, 2, 3, 4]
    assert list(interrupts.until_asked(range(5))) == [0, 1, 2, 3, 4]


def test_an_epoch_that_does_not_end_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "_GRACE_S", 0.001)
    with pytest.raises(KeyboardInterrupt), interrupts.handled(), interrupts.heeded():
        wait_after(lambda: send(signal.SIGTERM))


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """That is how nohup keeps a command alive."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupts.handled():
            send(signal.SIGHUP)
            assert not interrupts.asked()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_closes_may_say_so_twice() -> None:
    def train() -> None:
        send(signal.SIGHUP)
        send(signal.SIGHUP)
        assert list(interrupts.until_asked(range(5))) == [0]

    with pytest.raises(KeyboardInterrupt), interrupts.handled(), interrupts.heeded():
        train()


def test_what_python_drops_in_a_destructor_is_raised_again(capsys: pytest.CaptureFixture[str]) -> None:
    class Falls:
        def __del__(self) -> None:
            send(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), interrupts.handled():
        wait_after(Falls)
    assert capsys.readouterr().err == ""


def test_other_threads_leave_signals_alone() -> None:
    before, found = signal.getsignal(signal.SIGINT), []

    def look() -> None:
        with interrupts.handled(), interrupts.heeded():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [before]


TWICE = """
import os, signal, sys
from src.config.command import interrupts
with interrupts.handled():
    try:
        print("said")
        os.kill(os.getpid(), int(sys.argv[1]))
    finally:
        os.kill(os.getpid(), int(sys.argv[1]))
        print("not said")
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once_without_a_word(sent: signal.Signals, tmp_path: Path) -> None:
    process = command(sys.executable, "-c", TWICE, str(int(sent)), output=tmp_path / "output")
    assert process.end() == 128 + sent
    assert process.said() == "said\n"
