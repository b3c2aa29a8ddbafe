"""A run that has ended goes on for longer."""

import json
import logging
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
from lightning.pytorch.callbacks import Timer
from omegaconf import DictConfig

from src.analysis.records import read_jobs
from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.tasks.training.network import OneNetwork
from src.train import train
from src.vmap.planning.plan import plan
from tests.launch.commands import Launcher
from tests.tasks.by_hand import rows_of
from tests.tasks.runs import interrupted, interrupted_once, listing, small
from tests.tasks.test_resuming import identical, states
from tests.vmap.stacked_jobs import assert_near, make_jobs

SMALL = ("callbacks=none", "logger=csv", "data.n_samples=50", "data.n_val=30", "data.batch_size=16")
ROWS = ("task.log_every_n_epochs=5",)
SHORT, LONG = ("trainer.max_epochs=16",), ("trainer.max_epochs=28",)


def extended(*given: str, run_dir: Path, length: tuple[str, ...] = LONG) -> DictConfig:
    cfg = small(*SMALL, *given, *length, run_dir=run_dir)
    cfg.resume = "extend"
    return cfg


def result_of(run_dir: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((run_dir / "result.json").read_text())
    return {name: value for name, value in result.items() if name != "duration_s"}


def lines(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records)


def train_both(*given: str, folder: Path) -> tuple[Path, Path]:
    """A run that is extended, and one of the same length in one go."""
    for name, length in (("twice", SHORT), ("whole", LONG)):
        train(small(*SMALL, *given, *length, run_dir=folder / name))
    train(extended(*given, run_dir=folder / "twice"))
    return folder / "twice", folder / "whole"


def assert_same(found: Path, expected: Path) -> None:
    for mine, whole in zip(states(found), states(expected), strict=True):
        for key in ("state_dict", "optimizer_states", "epoch", "global_step"):
            assert identical(mine[key], whole[key]), key
    mine, whole = states(found)[0], states(expected)[0]
    assert identical(mine["lr_schedulers"], whole["lr_schedulers"])
    assert rows_of(found) == rows_of(expected)
    assert result_of(found) == result_of(expected)
    assert listing(found) == listing(expected)


@pytest.mark.parametrize(
    "given",
    [
        ("optimizer=sgd", "optimizer.momentum=0.9"),
        ("optimizer=adam", "scheduler=step", "scheduler.step_size=6"),
        ("optimizer=adam", "task.loop=steps"),
        ("optimizer=sgd", "scheduler=plateau", "scheduler.patience=2"),
        ("optimizer=adamw", "model.net._target_=tests.tasks.test_resuming.WithDropout", "callbacks=default"),
    ],
    ids=" ".join,
)
def test_an_extended_run_is_one_of_the_whole_length_bit_by_bit(
    given: tuple[str, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        both = train_both(*ROWS, *given, "logger=csv", folder=tmp_path)
    assert_same(*both)
    assert RunDir(both[0]).leaves()["trainer.max_epochs"] == 28
    assert "rows:" not in lines(caplog)
    assert "schedule" not in lines(caplog)


def test_a_schedule_of_the_whole_length_goes_on_at_the_rates_of_the_longer_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        twice, whole = train_both(*ROWS, "scheduler=cosine", folder=tmp_path)
    mine, expected = rows_of(twice), rows_of(whole)
    assert mine.keys() == expected.keys()
    for epoch, row in mine.items():
        same = row["lr"] == pytest.approx(expected[epoch]["lr"], rel=1e-6)
        assert same == (epoch >= 16 or epoch == 0), epoch
    assert "epochs up to 15 had the rates of the shorter run" in lines(caplog)
    assert states(twice)[0]["lr_schedulers"][0]["T_max"] == 28


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "rows: every 1 epochs up to epoch 15, every 2 from there on"),
        (("task.log_every_n_epochs=4",), "rows: that of epoch 15 stays"),
    ],
)
def test_rows_that_one_go_would_not_have_are_told(
    given: tuple[str, ...], said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(small(*SMALL, *given, *SHORT, run_dir=tmp_path))
    before = rows_of(tmp_path)
    with caplog.at_level(logging.INFO):
        train(extended(*given, run_dir=tmp_path, length=("trainer.max_epochs=200",)))
    assert said in lines(caplog)
    after = rows_of(tmp_path)
    assert {epoch: after[epoch] for epoch in before} == before
    assert max(after) == 199


def test_a_run_that_early_stopping_has_ended_stays_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    given = ("callbacks=early_stopping", *ROWS, "callbacks.early_stopping.patience=1", "optimizer.lr=3.0")
    train(small("callbacks=none", *SMALL[1:], *given, "trainer.max_epochs=400", run_dir=tmp_path))
    rows, before = rows_of(tmp_path), states(tmp_path)
    assert max(rows) < 399
    with caplog.at_level(logging.INFO):
        train(extended(*given, run_dir=tmp_path, length=("trainer.max_epochs=500",)))
    assert f"early stopping has ended this run at epoch {max(rows)}: a longer one ends there, too" in lines(caplog)
    assert rows_of(tmp_path) == rows
    assert identical(states(tmp_path)[1]["state_dict"], before[1]["state_dict"])
    assert identical(states(tmp_path)[0]["state_dict"], before[0]["state_dict"])


# What is refused


def refusal(cfg: DictConfig) -> str:
    before = listing(Path(cfg.run_dir))
    with pytest.raises(ConfigError) as error:
        train(cfg)
    assert listing(Path(cfg.run_dir)) == before
    return str(error.value)


def test_a_longer_run_is_refused_with_what_extends_it_and_values_as_they_come_out(tmp_path: Path) -> None:
    train(small(*SMALL, "suggested.max_epochs=16", run_dir=tmp_path))
    said = refusal(small(*SMALL, "suggested.max_epochs=16", "trainer.max_epochs=28", run_dir=tmp_path))
    assert "trainer.max_epochs: stored 16, given 28" in said
    assert "resume=extend goes on with this run for longer" in said
    # the same by another name
    said = refusal(small(*SMALL, "suggested.max_epochs=16", "trainer.max_epochs=16", run_dir=tmp_path))
    assert "trainer.max_epochs: stored ${suggested.max_epochs} (16), given 16" in said
    assert "resume" not in said


@pytest.mark.parametrize(
    ("given", "length"),
    [
        (("seed=1",), LONG),
        ((), ("trainer.max_epochs=12",)),
        (("optimizer=adam",), SHORT),
        (("trainer.max_steps=5",), LONG),
    ],
)
def test_any_other_difference_is_refused_all_the_same(
    given: tuple[str, ...], length: tuple[str, ...], tmp_path: Path
) -> None:
    train(small(*SMALL, *SHORT, run_dir=tmp_path))
    said = refusal(extended(*given, run_dir=tmp_path, length=length))
    assert "holds a run of another configuration" in said
    assert "resume=extend allows a longer training only" in said


def test_a_run_that_has_not_ended_or_keeps_no_checkpoint_is_not_extended(tmp_path: Path) -> None:
    interrupted(small(*SMALL, *ROWS, *SHORT, "callbacks.checkpoint.every_s=0", run_dir=tmp_path / "a"), epoch=11)
    said = refusal(extended(*ROWS, "callbacks.checkpoint.every_s=0", run_dir=tmp_path / "a"))
    assert "it has not ended; the same command with trainer.max_epochs=16 ends it" in said
    train(small(*SMALL, *SHORT, run_dir=tmp_path / "b"))
    (tmp_path / "b" / "checkpoints" / "last.ckpt").unlink()
    assert "from which it would go on" in refusal(extended(run_dir=tmp_path / "b"))


def test_more_steps_or_more_time_are_a_longer_training_too(tmp_path: Path) -> None:
    def cfg(**changes: Any) -> DictConfig:
        made = small(*SMALL[:-1], *ROWS, "trainer.max_epochs=1000", run_dir=tmp_path)
        made.trainer = {**made.trainer, **changes}
        return made

    train(cfg(max_steps=11))
    longer = cfg(max_steps=21, max_epochs=1000)
    longer.resume = "extend"
    train(longer)
    assert max(rows_of(tmp_path)) == 20


# 40 rows: an epoch has three batches of 16, or one of all
@pytest.mark.parametrize("loop", ["blocks", "steps"])
@pytest.mark.parametrize("given", [(), ("data.batch_size=16",), ("data.batch_size=16", "data.drop_last=true")], ids=str)
@pytest.mark.parametrize("last_step", [9, 10])
@pytest.mark.parametrize("limit", ["max_steps", "max_time"])
def test_a_run_that_steps_or_time_have_ended_is_one_go_or_says_that_it_is_not(
    loop: str,
    given: tuple[str, ...],
    last_step: int,
    limit: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if (loop, limit) == ("blocks", "max_time"):
        # refused before any training
        loop = "auto"

    def check(self: Timer, trainer: pl.Trainer) -> None:
        # one hour is over after so many steps, and a day is not
        trainer.should_stop = trainer.should_stop or (self._duration == 3600 and trainer.global_step >= last_step)

    def cfg(name: str, length: Any) -> DictConfig:
        made = small(*SMALL[:-1], "task.log_every_n_epochs=1", f"task.loop={loop}", *given, run_dir=tmp_path / name)
        made.trainer = {**made.trainer, "max_epochs": 24, limit: length}
        return made

    monkeypatch.setattr(Timer, "_check_time_remaining", check)
    # a number of whole epochs of each size
    short, long = {"max_steps": (last_step, 24), "max_time": ({"hours": 1}, {"days": 1})}[limit]
    train(cfg("whole", long))
    train(cfg("twice", short))
    assert states(tmp_path / "twice")[0]["global_step"] == last_step
    longer = cfg("twice", long)
    longer.resume = "extend"
    with caplog.at_level(logging.INFO):
        train(longer)
    n_batches = 3 if given == ("data.batch_size=16",) else 2 if given else 1
    if last_step % n_batches == 0:
        assert "a run in one go differs" not in lines(caplog)
        assert_same(tmp_path / "twice", tmp_path / "whole")
    else:
        # the row of an epoch that was cut has no value of validation, as in any run that is
        assert f"has ended this run within epoch {last_step // n_batches}: the longer one begins with the" in lines(
            caplog
        )


@pytest.mark.parametrize("epoch", [8, 13])
def test_a_run_of_so_many_steps_goes_on_after_a_kill(
    epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cfg(name: str) -> DictConfig:
        made = small(*SMALL[:-1], *ROWS, "callbacks.checkpoint.every_s=0", run_dir=tmp_path / name)
        made.trainer = {**made.trainer, "max_steps": 21}
        return made

    train(cfg("whole"))
    start_epoch = OneNetwork.start_epoch

    def interrupt(self: OneNetwork, at: int) -> None:
        if at == epoch:
            raise KeyboardInterrupt
        start_epoch(self, at)

    monkeypatch.setattr(OneNetwork, "start_epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(cfg("twice"))
    monkeypatch.setattr(OneNetwork, "start_epoch", start_epoch)
    train(cfg("twice"))
    assert_same(tmp_path / "twice", tmp_path / "whole")


# What a kill leaves


def test_a_killed_extension_goes_on_by_its_own_command_and_what_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (*ROWS, "callbacks.checkpoint.every_s=0", "optimizer=adam")
    train(small(*SMALL, *given, *LONG, run_dir=tmp_path / "whole"))
    run_dir = tmp_path / "twice"
    train(small(*SMALL, *given, *SHORT, run_dir=run_dir))
    before = {name: (run_dir / name).read_bytes() for name in listing(run_dir)}
    trained = interrupted_once(monkeypatch, 24)
    with pytest.raises(KeyboardInterrupt):
        train(extended(*given, run_dir=run_dir))
    assert {name: (run_dir / name).read_bytes() for name in before} == before
    # the shorter run is still there for its own command
    train(small(*SMALL, *given, *SHORT, run_dir=run_dir))
    assert trained == [*range(16, 25)]
    train(extended(*given, run_dir=run_dir))
    assert trained == [*range(16, 25), *range(21, 28)]
    assert_same(run_dir, tmp_path / "whole")


def test_one_that_fails_leaves_what_was_there_and_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(small(*SMALL, *ROWS, *LONG, run_dir=tmp_path / "whole"))
    run_dir = tmp_path / "twice"
    train(small(*SMALL, *ROWS, *SHORT, run_dir=run_dir))
    before = result_of(run_dir)
    start_epoch = OneNetwork.start_epoch

    def fail(_: OneNetwork, epoch: int) -> None:
        raise RuntimeError(f"epoch {epoch}")

    monkeypatch.setattr(OneNetwork, "start_epoch", fail)
    with pytest.raises(RuntimeError, match="epoch 16"):
        train(extended(*ROWS, run_dir=run_dir))
    assert result_of(run_dir) == before
    monkeypatch.setattr(OneNetwork, "start_epoch", start_epoch)
    train(extended(*ROWS, run_dir=run_dir))
    assert_same(run_dir, tmp_path / "whole")


@pytest.mark.parametrize("moment", ["first file", "last file", "result"])
def test_a_kill_while_files_are_put_into_place_is_made_good(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(small(*SMALL, *ROWS, *LONG, run_dir=tmp_path / "whole"))
    run_dir = tmp_path / "twice"
    train(small(*SMALL, *ROWS, *SHORT, run_dir=run_dir))
    replace, killed = Path.replace, False

    def kill(self: Path, target: Path) -> Path:
        nonlocal killed
        is_move = ".extending" in self.parts and ".extending" not in Path(target).parts
        when = {"first file": is_move, "last file": self.name == "metrics.csv", "result": self.name == "result.json"}
        if is_move and when[moment] and not killed:
            killed = True
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", kill)
    with pytest.raises(KeyboardInterrupt):
        train(extended(*ROWS, run_dir=run_dir))
    train(extended(*ROWS, run_dir=run_dir))
    assert_same(run_dir, tmp_path / "whole")


def test_a_completed_extension_is_not_trained_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train(small(*SMALL, *SHORT, run_dir=tmp_path))
    value = train(extended(run_dir=tmp_path))
    with caplog.at_level(logging.INFO):
        assert train(extended(run_dir=tmp_path)) == value
        assert train(small(*SMALL, *LONG, run_dir=tmp_path)) == value
    assert lines(caplog).count("already completed") == 2
    # and a new directory begins as any run
    assert train(extended(run_dir=tmp_path / "new")) is not None


def test_neither_the_digest_nor_what_is_stored_knows_how_a_run_was_taken_up(tmp_path: Path) -> None:
    train(small(*SMALL, *SHORT, run_dir=tmp_path / "a"))
    train(extended(run_dir=tmp_path / "b", length=SHORT))
    assert RunDir(tmp_path / "a").digest == RunDir(tmp_path / "b").digest
    assert "resume" not in RunDir(tmp_path / "b").config()


def test_a_job_that_is_to_be_extended_is_not_stacked(tmp_path: Path) -> None:
    jobs = make_jobs((*SMALL, *SHORT), [("seed=5",), ("seed=6",)], tmp_path)
    for job in jobs:
        train(job.cfg)
    longer = make_jobs((*SMALL, *LONG), [("seed=5",), ("seed=6",), ("seed=7",), ("seed=8",)], tmp_path)
    for job in longer:
        job.cfg.resume = "extend"
    found = plan(longer)
    assert [[job.number for job in stack.jobs] for stack in found.stacks] == [[2, 3]]
    assert {reason for _, reason in found.single} == {"resume=extend goes on with the run that has ended there"}


# In a sweep


def test_an_extension_that_has_not_come_to_its_end_counts_in_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(small(*SMALL, *SHORT, run_dir=tmp_path / "0"))
    cfg = extended(run_dir=tmp_path / "0")
    for error, status in ((KeyboardInterrupt, "unfinished"), (RuntimeError, "failed")):

        def end(*_: Any, error: type[BaseException] = error) -> None:
            raise error("lost")

        monkeypatch.setattr(OneNetwork, "start_epoch", end)
        with pytest.raises(error):
            train(cfg)
        (record,) = read_jobs([tmp_path])
        assert (record.status, record.error_message) == (status, "lost" if status == "failed" else None)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib", "vmap"])
def test_all_jobs_of_a_sweep_go_on(launcher: str, tmp_path: Path) -> None:
    sweep = Launcher(launcher)
    given = ["seed=1,2,3", "trainer=cpu", *SMALL, *ROWS]
    for name, length in (("twice", SHORT), ("whole", LONG)):
        assert sweep.run(tmp_path / name, *given, *length)[0] == 0
    status, said = sweep.run(tmp_path / "twice", *given, *LONG)
    assert (status, "resume=extend goes on with this run" in said) == (1, True)
    assert sweep.run(tmp_path / "twice", *given, *LONG, "resume=extend")[0] == 0
    for number in range(3):
        twice, whole = (states(tmp_path / name / str(number))[0] for name in ("twice", "whole"))
        assert twice["global_step"] == whole["global_step"] == 28 * 3
        assert_near(twice["state_dict"], whole["state_dict"], atol=1e-5)
    before = result_of(tmp_path / "twice" / "2")
    assert sweep.run(tmp_path / "twice", *given, *LONG, "resume=extend")[0] == 0
    assert result_of(tmp_path / "twice" / "2") == before


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib", "vmap"])
def test_what_differs_from_one_go_is_said_of_each_job_of_a_sweep(launcher: str, tmp_path: Path) -> None:
    sweep = Launcher(launcher)
    given = ["seed=1,2", "trainer=cpu", *SMALL, *ROWS, "trainer.max_epochs=50", "scheduler=cosine"]
    # an epoch has three batches
    lengths = ("+trainer.max_steps=10", "+trainer.max_steps=30")
    assert sweep.run(tmp_path / "s", *given, lengths[0])[0] == 0
    assert sweep.run(tmp_path / "s", *given, lengths[1], "resume=extend")[0] == 0
    for number in range(2):
        assert states(tmp_path / "s" / str(number))[0]["global_step"] == 30
        said = (tmp_path / "s" / str(number) / "train.log").read_text()
        assert "has ended this run within epoch 3: the longer one begins with the next" in said
        assert "schedule" not in said
    longer = [each for each in given if not each.startswith("trainer.max_epochs")]
    status, said = sweep.run(tmp_path / "s", *longer, lengths[1], "trainer.max_epochs=60", "resume=extend")
    assert status == 0
    for number in range(2):
        assert "the schedule follows from the length" in (tmp_path / "s" / str(number) / "train.log").read_text()
