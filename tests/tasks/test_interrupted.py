"""A run that a signal ends between two epochs goes on as if nothing had been."""

import os
import signal
from pathlib import Path

import pytest

from src.config.command import interrupts
from src.tasks.training.network import OneNetwork
from src.train import train
from tests.tasks.by_hand import rows_of
from tests.tasks.runs import small
from tests.tasks.test_resuming import LONG, identical, states
from tests.waiting import LIMIT_S

# blocks of seven epochs, of which one is measured
BLOCKS = (*(line for line in LONG if "scheduler" not in line), "scheduler=cosine", "callbacks.checkpoint.every_s=1000")
CASES = {
    "one row per block": (*BLOCKS, "model.net._target_=tests.tasks.test_resuming.WithDropout"),
    "rows within blocks": (*BLOCKS, "task.log_every_n_epochs=8", "task.eval_every_n_epochs=2"),
    "every epoch measured": (*LONG, "callbacks.checkpoint.every_s=1000"),
    "early stopping": (*BLOCKS, "callbacks=early_stopping", "callbacks.early_stopping.patience=3"),
}


def send_at(epoch: int, sent: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let an epoch send this process a signal as it begins; gives the epochs that have begun."""
    begun: list[int] = []
    start_epoch = OneNetwork.start_epoch

    def start(self: OneNetwork, number: int) -> None:
        begun.append(number)
        if number == epoch:
            os.kill(os.getpid(), sent)
        start_epoch(self, number)

    monkeypatch.setattr(OneNetwork, "start_epoch", start)
    # however slow the machine is
    monkeypatch.setattr(interrupts, "_GRACE_S", LIMIT_S)
    return begun


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[str, ...], Path]:
    """Overrides, and the directory of a run that nothing has ended."""
    path = tmp_path_factory.mktemp("uninterrupted")
    train(small(*CASES[request.param], run_dir=path))
    return CASES[request.param], path


def test_a_run_that_signals_end_goes_on_to_the_same_bits(
    case: tuple[tuple[str, ...], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides, whole = case
    last = states(whole)[0]["epoch"]
    for epoch, sent in (
        (0, signal.SIGINT),
        (3, signal.SIGTERM),
        (4, signal.SIGHUP),
        (7, signal.SIGINT),
        (8, signal.SIGINT),
    ):
        with monkeypatch.context() as patch:
            begun = send_at(epoch, sent, patch)
            with pytest.raises(KeyboardInterrupt), interrupts.handled():
                train(small(*overrides, run_dir=tmp_path))
        # no epoch after it, and none twice
        assert begun[-1] == epoch
        assert not (tmp_path / "result.json").exists()
    begun = send_at(-1, signal.SIGINT, monkeypatch)
    train(small(*overrides, run_dir=tmp_path))
    assert begun == list(range(9, last))
    for mine, its in zip(states(tmp_path), states(whole), strict=True):
        for key in ("state_dict", "optimizer_states", "epoch", "global_step", "fitted"):
            assert identical(mine.get(key), its.get(key)), key
    for key in ("lr_schedulers", "callbacks", "loops", "rng_state"):
        assert identical(*(states(run)[0][key] for run in (tmp_path, whole))), key
    assert rows_of(tmp_path) == rows_of(whole)
    assert (tmp_path / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()


def test_a_signal_in_the_last_epoch_leaves_the_result_to_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = (*BLOCKS, "trainer.max_epochs=3")
    with monkeypatch.context() as patch:
        send_at(2, signal.SIGTERM, patch)
        with pytest.raises(KeyboardInterrupt), interrupts.handled():
            train(small(*overrides, run_dir=tmp_path))
    assert states(tmp_path)[0]["epoch"] == 3
    assert not (tmp_path / "result.json").exists()
    begun = send_at(-1, signal.SIGINT, monkeypatch)
    assert train(small(*overrides, run_dir=tmp_path)) == rows_of(tmp_path)[2]["val/loss"]
    assert begun == []
