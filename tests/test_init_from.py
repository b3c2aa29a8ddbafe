"""A run begins with the weights of another one."""

import logging
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.tasks.training.network import OneNetwork
from src.train import train
from src.vmap.planning.plan import plan
from src.vmap.train import StackOptions, train_stack
from tests.tasks.runs import small
from tests.tasks.test_resuming import identical, states
from tests.test_go_on import SHORT, SMALL, lines, refusal
from tests.vmap.stacked_jobs import assert_near, checkpoint_of, make_jobs, train_alone


def begun(run_dir: Path, source: Path, *given: str) -> DictConfig:
    cfg = small(*SMALL, *given, "trainer.max_epochs=2", run_dir=run_dir)
    cfg.init_from = str(source)
    return cfg


def test_a_run_begins_with_the_best_weights_of_another(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train(small(*SMALL, *SHORT, run_dir=tmp_path / "first"))
    with caplog.at_level(logging.INFO):
        train(begun(tmp_path / "second", tmp_path / "first", "optimizer.lr=1e-30", "seed=7"))
    best = states(tmp_path / "first")[1]
    assert identical(states(tmp_path / "second")[0]["state_dict"], best["state_dict"])
    assert f"begins with the weights of {tmp_path / 'first'} (best, epoch {best['epoch']})" in lines(caplog)
    assert RunDir(tmp_path / "second").config().init_from == str(tmp_path / "first")
    # as any other key
    assert "init_from: stored" in refusal(
        begun(tmp_path / "second", tmp_path / "third", "optimizer.lr=1e-30", "seed=7")
    )


def test_a_run_that_goes_on_does_not_begin_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(small(*SMALL, *SHORT, run_dir=tmp_path / "first"))
    given = ("callbacks.checkpoint.every_s=0",)
    train(begun(tmp_path / "whole", tmp_path / "first", *given))
    start_epoch = OneNetwork.start_epoch

    def interrupt(self: OneNetwork, epoch: int) -> None:
        if epoch == 1:
            raise KeyboardInterrupt
        start_epoch(self, epoch)

    monkeypatch.setattr(OneNetwork, "start_epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(begun(tmp_path / "twice", tmp_path / "first", *given))
    monkeypatch.setattr(OneNetwork, "start_epoch", start_epoch)
    train(begun(tmp_path / "twice", tmp_path / "first", *given))
    assert identical(states(tmp_path / "twice")[0]["state_dict"], states(tmp_path / "whole")[0]["state_dict"])


def test_weights_of_another_network_are_refused_with_both_shapes(tmp_path: Path) -> None:
    train(small(*SMALL, *SHORT, run_dir=tmp_path / "first"))
    for given, said in (
        (("model.net.hidden=[16,10]",), "layers.0.weight is 10 x 2 there, 16 x 2 here"),
        (
            ("model.net.hidden=[10]", "model.net.activation=relu"),
            "only there layers.1.bias (10), layers.1.weight (10 x 10), layers.3.bias (1) and 1 more; only here "
            "layers.2.bias (1), layers.2.weight (1 x 10)",
        ),
    ):
        with pytest.raises(ConfigError, match="holds the weights of another network") as error:
            train(begun(tmp_path / "second", tmp_path / "first", *given))
        assert said in str(error.value), str(error.value)
        assert not (tmp_path / "second").exists()


def test_a_directory_that_is_none_of_a_completed_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"init_from=.*empty is not a run directory: .* Give the directory"):
        train(begun(tmp_path / "second", tmp_path / "empty"))


def test_weights_that_would_run_something_are_not_loaded(tmp_path: Path) -> None:
    source = tmp_path / "first"
    train(small(*SMALL, *SHORT, run_dir=source))
    torch.save({"state_dict": {"net": Path("/")}}, source / "checkpoints" / "best.ckpt")
    with pytest.raises(ConfigError, match="which is not loaded"):
        train(begun(tmp_path / "second", source))


def test_stacked_jobs_begin_with_the_weights_of_other_runs_as_single_ones_do(tmp_path: Path) -> None:
    for name in ("0", "1"):
        train(small(*SMALL, *SHORT, f"seed={name}", run_dir=tmp_path / "first" / name))
    common = (*SMALL, "trainer.max_epochs=6")
    jobs = make_jobs(common, [("seed=5",), ("seed=6",), ("seed=7",)], tmp_path / "stacked")
    for job, source in zip(jobs, ("0", "1", None), strict=True):
        job.cfg.init_from = source and str(tmp_path / "first" / source)
    train_alone(jobs, tmp_path / "single")
    found = plan(jobs)
    assert [len(stack.jobs) for stack in found.stacks] == [3], found.single
    train_stack(found.stacks[0].jobs, StackOptions())
    for job in jobs:
        alone = tmp_path / "single" / str(job.number)
        assert_near(
            checkpoint_of(job.run_dir, "last")["state_dict"], checkpoint_of(alone, "last")["state_dict"], atol=1e-6
        )
    assert not identical(*(checkpoint_of(job.run_dir, "last")["state_dict"] for job in jobs[:2]))


def test_a_stacked_job_that_cannot_begin_so_runs_by_itself_with_the_reason(tmp_path: Path) -> None:
    jobs = make_jobs(SMALL, [("seed=5",), ("seed=6",), ("seed=7",)], tmp_path / "stacked")
    jobs[0].cfg.init_from = str(tmp_path / "nowhere")
    found = plan(jobs)
    assert [len(stack.jobs) for stack in found.stacks] == [2]
    assert [(job.number, "nowhere is not there" in reason) for job, reason in found.single] == [(0, True)]
