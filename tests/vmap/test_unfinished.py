"""A chunk that something has ended goes on, and ends as if nothing had."""

import logging
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import open_dict

from src.config.command import interrupts
from src.console.sweep import NoProgress
from src.sweep.jobs import Job
from src.tasks.checkpoint import load_checkpoint, save_checkpoint
from src.vmap.module import StackedModule
from src.vmap.tile import Tile
from src.vmap.train import StackOptions, train_stack
from src.vmap.unfinished import fingerprint, tidy, unfinished_chunks
from tests.slow import slow
from tests.tasks.runs import listing
from tests.vmap.stacked_jobs import assert_near, checkpoint_of, make_jobs, result_of, rows_of
from tests.waiting import LIMIT_S

# two tiles, so that one model stands by itself
TWO = StackOptions(models_per_step=2)
N_EPOCHS = 12

SEEDS: list[tuple[str, ...]] = [("seed=0",), ("seed=1",), ("seed=2",)]
CASES: dict[str, tuple[list[str], list[tuple[str, ...]]]] = {
    "sgd, cosine": (["scheduler=cosine"], [("optimizer.momentum=0.9",), ("seed=1",), ("seed=2",)]),
    "adam, step": (
        ["optimizer=adam", "scheduler=step", "scheduler.step_size=3"],
        [("seed=0",), ("seed=1",), ("seed=2",)],
    ),
    "adamw, plateau": (
        ["optimizer=adamw", "scheduler=plateau"],
        [("scheduler.patience=0",), ("optimizer.lr=0.1",), ("scheduler.factor=0.1",)],
    ),
    "rmsprop, batches": (
        ["optimizer=rmsprop", "data.batch_size=150", "optimizer.lr=0.001"],
        [("seed=0",), ("seed=1", "optimizer.momentum=0.5"), ("data.batch_seed=3",)],
    ),
    "asgd": (
        ["scheduler=step", "scheduler.step_size=3"],
        [("seed=0",), ("seed=1", "optimizer.lr=0.03"), ("seed=2",)],
    ),
    "early stopping": (
        [
            *[f"callbacks.{name}=null" for name in ("progress", "summary", "pictures", "boundary_frames", "hints")],
            *[f"callbacks.{name}=null" for name in ("precision_recall", "model_graph")],
            "callbacks=early_stopping",
            "optimizer=adam",
            "callbacks.early_stopping.min_delta=0.05",
        ],
        [
            ("seed=1", "callbacks.early_stopping.patience=7"),
            ("seed=0", "callbacks.early_stopping.patience=2"),
            ("seed=2", "callbacks.early_stopping.patience=9"),
        ],
    ),
    "other widths and activations": (
        ["model=mlp", "optimizer=adam", "scheduler=cosine"],
        [
            ("model.net.hidden=[8,3]", "model.net.activation=[tanh,relu]"),
            ("model.net.hidden=[4,5]", "model.net.activation=tanh"),
            ("model.net.hidden=[6,2]", "model.net.activation=[relu,sigmoid]"),
        ],
    ),
    "a model of another width that is lost": (
        ["model=mlp", "data=line", "loss=mse"],
        [
            ("model.net.hidden=[8]",),
            ("model.net.hidden=[5]", "optimizer.lr=1e30"),
            ("model.net.hidden=[3]", "optimizer.lr=0.01"),
        ],
    ),
    "a model that is lost": (["model=line", "data=line"], [("seed=0",), ("optimizer.lr=1e30",), ("seed=2",)]),
}


# One model has left its tile by the sixth epoch.
LEAVING = ("early stopping", "a model of another width that is lost", "a model that is lost")


class StoppedError(Exception):
    """What ends a command."""


class Stop(NoProgress):
    """Counts what it is told, and ends the command."""

    def __init__(self, *, epochs: int | None = None, records: int | None = None) -> None:
        self.epochs_left, self.records_left = epochs, records
        self.n_trained: list[int] = []

    def epochs_done(self, n: int) -> None:
        self.n_trained.append(n)
        if self.epochs_left is not None and len(self.n_trained) > self.epochs_left:
            raise StoppedError

    def models_recorded(self, n: int) -> None:
        if n and self.records_left is not None:
            self.records_left -= n
            if self.records_left == 0:
                raise StoppedError


def jobs_of(case: str, folder: Path, more: Sequence[str] = ()) -> list[Job]:
    common, each = CASES[case]
    always = [f"trainer.max_epochs={N_EPOCHS}", "model=circle_v2", "logger=csv", "callbacks.checkpoint.every_s=0"]
    jobs = make_jobs([*always, *common, *more], each, folder)
    for job in jobs if case == "asgd" else ():
        job.cfg.optimizer = {
            "_target_": "torch.optim.asgd.ASGD",
            "_partial_": True,
            "lr": job.cfg.optimizer.lr,
            "t0": 3,
        }
    return jobs


def assert_same(jobs: Sequence[Job], others: Sequence[Job]) -> None:
    """Bit for bit."""
    for job, other in zip(jobs, others, strict=True):
        assert (job.run_dir / "metrics.csv").read_bytes() == (other.run_dir / "metrics.csv").read_bytes()
        found, expected = result_of(job.run_dir), result_of(other.run_dir)
        assert found["status"] == expected["status"]
        assert found.get("metrics") == expected.get("metrics")
        for name in ("best", "last") if found["status"] == "completed" else ():
            assert_near(checkpoint_of(job.run_dir, name), checkpoint_of(other.run_dir, name), atol=0, where=name)


@pytest.mark.parametrize("case", ["rmsprop, batches", *slow(*(case for case in CASES if case != "rmsprop, batches"))])
def test_a_chunk_that_was_ended_in_the_middle_goes_on(case: str, tmp_path: Path) -> None:
    options = replace(TWO, folder=tmp_path / "unfinished")
    jobs, others = jobs_of(case, tmp_path / "jobs"), jobs_of(case, tmp_path / "others")
    # two tiles report each epoch, and each model that leaves: the seventh is half trained
    with pytest.raises(StoppedError):
        train_stack(jobs, options, progress=Stop(epochs=13 + (case in LEAVING)))
    assert not list((tmp_path / "jobs").glob("*/result.json"))
    rest = Stop()
    train_stack(jobs, options, progress=rest)
    train_stack(others, TWO)
    assert_same(jobs, others)
    # at once, what was trained before: six epochs of each tile, and nothing is left of a model that has ended
    at_once = [N_EPOCHS, 6, 6] if case in LEAVING else [6 * 2, 6 * 1]
    assert sorted(rest.n_trained, reverse=True)[: len(at_once)] == at_once
    assert sum(rest.n_trained) == N_EPOCHS * len(jobs)
    assert not list((tmp_path / "unfinished").iterdir())


@pytest.mark.parametrize("case", CASES)
def test_a_chunk_that_signals_end_between_two_epochs_goes_on(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = replace(TWO, folder=tmp_path / "unfinished")
    # blocks of four epochs, in which every other one is measured
    rows = ["task.log_every_n_epochs=4", "task.eval_every_n_epochs=2"]
    jobs, others = jobs_of(case, tmp_path / "jobs", rows), jobs_of(case, tmp_path / "others", rows)
    for epoch in (1, 3, 4, 6):
        with monkeypatch.context() as patch:
            begun = send_at(epoch, patch)
            with pytest.raises(KeyboardInterrupt), interrupts.handled():
                train_stack(jobs, options)
        # no epoch after it, in no tile
        assert max(begun) == epoch
        assert not list((tmp_path / "jobs").glob("*/result.json"))
    begun = send_at(-1, monkeypatch)
    rest = Stop()
    train_stack(jobs, options, progress=rest)
    assert min(begun) == 7
    monkeypatch.undo()
    train_stack(others, TWO)
    assert_same(jobs, others)
    assert sum(rest.n_trained) == N_EPOCHS * len(jobs)
    assert not list((tmp_path / "unfinished").iterdir())


def send_at(epoch: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let an epoch send this process a signal as it first begins; gives the epochs that have begun."""
    begun: list[int] = []
    start_epoch = Tile.start_epoch

    def start(self: Tile, number: int) -> None:
        if number == epoch and number not in begun:
            os.kill(os.getpid(), signal.SIGTERM)
        begun.append(number)
        start_epoch(self, number)

    monkeypatch.setattr(Tile, "start_epoch", start)
    # however slow the machine is
    monkeypatch.setattr(interrupts, "_GRACE_S", LIMIT_S)
    return begun


def test_a_chunk_that_was_ended_while_it_was_recorded_trains_no_more(tmp_path: Path) -> None:
    options = replace(TWO, folder=tmp_path / "unfinished")
    jobs, others = jobs_of("sgd, cosine", tmp_path / "jobs"), jobs_of("sgd, cosine", tmp_path / "others")
    with pytest.raises(StoppedError):
        train_stack(jobs, options, progress=Stop(records=2))
    first = jobs[0].run_dir / "result.json"
    written = first.stat().st_mtime_ns
    rest = Stop()
    train_stack(jobs, options, progress=rest)
    train_stack(others, TWO)
    assert_same(jobs, others)
    assert first.stat().st_mtime_ns == written
    # no model outside the chunk, then both tiles at once
    assert rest.n_trained[0] == 0
    assert sorted(rest.n_trained[1:]) == [N_EPOCHS, 2 * N_EPOCHS]


def test_what_belongs_to_other_jobs_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "unfinished"
    jobs = jobs_of("sgd, cosine", tmp_path / "jobs")
    with pytest.raises(StoppedError):
        train_stack(jobs, replace(TWO, folder=folder), progress=Stop(epochs=3))
    assert [len(chunk.jobs) for chunk in unfinished_chunks(folder, jobs)] == [3]
    assert not list(unfinished_chunks(folder, jobs[:2]))
    changed = jobs[2].cfg.copy()
    changed.optimizer.lr = 0.5
    jobs[2] = Job.of(2, jobs[2].overrides, changed, jobs[2].hydra_cfg)
    assert not list(unfinished_chunks(folder, jobs))
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    assert not list(unfinished_chunks(folder, jobs))
    assert f"{path} is damaged (" in caplog.text


def older(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint as the version before wrote it."""
    tiles, chunk = checkpoint.pop("tiles"), checkpoint.pop("chunk")
    checkpoint["shard"] = {"jobs": chunk["jobs"], "size": chunk["tile"], "seconds": chunk["seconds"]}
    checkpoint["cohorts"] = [
        {
            **{name: tile[name] for name in ("weights", "optimizer", "epochs", "lrs")},
            "rates": tile["scheduler"],
            "means": torch.stack(list(tile["columns"].values()), dim=1),
            "alive": tile["is_finite"],
            "score_of_best": tile["best_score"],
            "best": {
                **{key: tile["best"][key] for key in ("epoch", "lr", "weights")},
                "state": tile["best"]["optimizer"],
            },
        }
        for tile in tiles
    ]
    return checkpoint


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case not in LEAVING])
def test_a_chunk_of_the_version_before_goes_on(case: str, tmp_path: Path) -> None:
    folder = tmp_path / "unfinished"
    jobs, others = jobs_of(case, tmp_path / "jobs"), jobs_of(case, tmp_path / "others")
    with pytest.raises(StoppedError):
        train_stack(jobs, replace(TWO, folder=folder), progress=Stop(epochs=13))
    (path,) = folder.iterdir()
    save_checkpoint(path, older(load_checkpoint(path)))
    rest = Stop()
    train_stack(jobs, replace(TWO, folder=folder), progress=rest)
    train_stack(others, TWO)
    assert_same(jobs, others)
    assert sorted(rest.n_trained, reverse=True)[:2] == [6 * 2, 6 * 1]


@pytest.mark.slow
def test_a_lost_model_of_the_version_before_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, case = tmp_path / "unfinished", "a model that is lost"
    jobs, others = jobs_of(case, tmp_path / "jobs"), jobs_of(case, tmp_path / "others")
    with monkeypatch.context() as before:
        before.setattr(StackedModule, "_let_go", lambda *_: None)
        with pytest.raises(StoppedError):
            train_stack(jobs, replace(TWO, folder=folder), progress=Stop(epochs=13))
    (path,) = folder.iterdir()
    save_checkpoint(path, older(load_checkpoint(path)))
    train_stack(jobs, replace(TWO, folder=folder))
    train_stack(others, TWO)
    for job, other in zip(jobs, others, strict=True):
        status = result_of(job.run_dir)["status"]
        assert status == result_of(other.run_dir)["status"]
        if status == "completed":
            assert_near(rows_of(job.run_dir), rows_of(other.run_dir), atol=1e-5)


def left_by(jobs: Sequence[Job], folder: Path) -> Path:
    """The checkpoint of a chunk that was ended in the middle."""
    with pytest.raises(StoppedError):
        train_stack(jobs, replace(TWO, folder=folder), progress=Stop(epochs=13))
    (path,) = folder.iterdir()
    return path


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def full_folder(path: Path) -> None:
    for each in (path, path.with_name(f"{path.name}.set_aside")):
        each.unlink(missing_ok=True)
        each.mkdir()
        (each / "file").touch()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "a flipped bit": flipped,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "empty": lambda path: path.write_bytes(b""),
    "no chunk": lambda path: save_checkpoint(path, {**load_checkpoint(path), "chunk": {}}),
    "no tiles": lambda path: save_checkpoint(path, {k: v for k, v in load_checkpoint(path).items() if k != "tiles"}),
    "weights alone": lambda path: save_checkpoint(path, {"state_dict": {}}),
    "a directory, as before": full_folder,
    "a pipe": pipe,
    "a dangling link": dangling_link,
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_named_and_set_aside(
    damage: Callable[[Path], Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, case = tmp_path / "unfinished", "sgd, cosine"
    jobs, others = jobs_of(case, tmp_path / "jobs"), jobs_of(case, tmp_path / "others")
    path = left_by(jobs, folder)
    damage(path)
    rest = Stop()
    train_stack(jobs, replace(TWO, folder=folder), progress=rest)
    train_stack(others, TWO)
    assert_same(jobs, others)
    assert f"{path} is " in caplog.text
    assert f"it is kept as {path.name}.set_aside, and its models are trained anew" in caplog.text
    assert [each.name for each in folder.iterdir()] == [f"{path.name}.set_aside"]


def test_a_checkpoint_of_jobs_that_have_changed_is_named_and_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "unfinished"
    jobs = jobs_of("sgd, cosine", tmp_path / "jobs")
    path = left_by(jobs, folder)
    (folder / f".{path.name}.ab12_x9z.part").touch()
    tidy(folder, [jobs])
    assert listing(folder) == [path.name]
    assert not [each for each in caplog.records if each.levelno > logging.INFO]
    tidy(folder, [jobs[:2], jobs[2:]])
    assert f"{path} is of jobs that have changed, or that this sweep does not train together" in caplog.text
    assert listing(folder) == [f"{path.name}.set_aside"]


def test_a_checkpoint_whose_models_are_all_recorded_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "unfinished"
    jobs = jobs_of("sgd, cosine", tmp_path / "jobs")
    path = left_by(jobs, folder)
    content = path.read_bytes()
    train_stack(jobs, replace(TWO, folder=folder))
    # killed before it was removed
    path.write_bytes(content)
    tidy(folder, [jobs])
    assert listing(folder) == []


def test_a_key_that_an_earlier_version_did_not_know_makes_no_other_model(tmp_path: Path) -> None:
    job = jobs_of("sgd, cosine", tmp_path)[0]

    def fingerprint_with(**data: Any) -> str:
        other = job.cfg.copy()
        with open_dict(other):
            del other.data["drop_last"]
            other.data.update(data)
        return fingerprint(Job.of(0, job.overrides, other, job.hydra_cfg))

    assert fingerprint(job) == fingerprint_with()
    assert fingerprint(job) != fingerprint_with(drop_last=True)
