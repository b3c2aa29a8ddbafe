"""A sweep whose jobs train together."""

import errno
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from src.config.compose import CONF_DIR
from src.config.origins import hydra_at
from src.console.results import result_lines
from src.run.directory import OtherRunError, RunDir
from src.sweep.jobs import Job, compose_jobs, representatives
from src.sweep.values import expand
from src.vmap import limits, models
from src.vmap import run as run_module
from src.vmap.models import Model, ModelFactory
from src.vmap.run import run_stacked
from src.vmap.train import StackOptions, train_stack
from tests.sweep.commands import run
from tests.tasks.runs import QUIET
from tests.vmap.stacked_jobs import result_of, rows_of

SMALL = (*QUIET, "model=circle_v1", "trainer.max_epochs=3")


@pytest.fixture(autouse=True)
def hydra() -> Iterator[None]:
    with hydra_at(CONF_DIR):
        yield


def composed(*overrides: str, sweep_dir: Path) -> DictConfig:
    typed = [*SMALL, *overrides, f"hydra.sweep.dir={sweep_dir}", "hydra.job.name=train"]
    return GlobalHydra.instance().hydra.compose_config("train", typed, run_mode=RunMode.MULTIRUN)  # type: ignore[union-attr] # initialised


def sweep(*overrides: str, sweep_dir: Path) -> tuple[list[JobReturn], list[int]]:
    """Run a sweep; what became of its jobs, and which of them were single runs."""
    config = composed(*overrides, sweep_dir=sweep_dir)
    jobs = expand(config)
    assert jobs is not None
    single: list[int] = []

    def run_single(jobs: Sequence[Job]) -> dict[int, JobReturn]:
        single.extend(job.number for job in jobs)
        done = JobReturn(status=JobStatus.COMPLETED, _return_value=-1.0)
        return {job.number: done for job in jobs}

    return run_stacked(config, jobs, first=0, options=StackOptions(), run_single=run_single), single


@pytest.mark.slow
def test_each_job_has_a_directory_with_what_it_was_asked(tmp_path: Path) -> None:
    returns, alone = sweep("seed=5,6", "optimizer.lr=0.1,0.2", sweep_dir=tmp_path)
    assert not alone
    for number, (done, (seed, lr)) in enumerate(zip(returns, [(5, 0.1), (5, 0.2), (6, 0.1), (6, 0.2)], strict=True)):
        run_dir = RunDir(tmp_path / str(number))
        cfg = run_dir.config()
        assert (cfg.seed, cfg.optimizer.lr, cfg.data.batch_seed) == (seed, lr, seed)
        assert f"optimizer.lr={lr}" in OmegaConf.load(run_dir.path / ".hydra" / "overrides.yaml")
        assert OmegaConf.load(run_dir.path / ".hydra" / "hydra.yaml").hydra.job.num == number
        assert done.return_value == result_of(run_dir.path)["optimized_metric"]["value"]
        assert done.status == JobStatus.COMPLETED


def test_reasons_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        returns, alone = sweep("compile=false,true", "seed=1,2", sweep_dir=tmp_path)
    assert alone == [2, 3]
    assert [done.return_value for done in returns[2:]] == [-1.0, -1.0]
    assert "2 models circle_v1 are stacked" in caplog.text
    assert "2 run one by one (job 2, 3): compile=true" in caplog.text
    assert "2 models in " in caplog.text


def lines_of(run_dir: Path) -> list[str]:
    """What a job has said, without the time."""
    return [line.split("]", 1)[1] for line in (run_dir / "train.log").read_text().splitlines()]


def test_each_job_has_the_log_of_its_own_run_and_its_configuration(tmp_path: Path) -> None:
    common = ("data=line", "model=line", "loss=mse", "trainer.max_epochs=20")
    sweep(*common, "optimizer.lr=0.01,1e12,0.02", sweep_dir=tmp_path)
    result = RunDir(tmp_path / "0").result()
    assert result is not None
    begun = [
        "[src.fit][INFO] - device: cpu, as trainer.accelerator=cpu asks",
        "[src.vmap.train][INFO] - trains in a stack of 3 models",
    ]
    assert lines_of(tmp_path / "0") == [
        *begun,
        *(f"[src.console.results][INFO] - {line}" for line in result_lines(result)),
        f"[src.console.results][INFO] - val/loss={result.value:.4f} in {tmp_path / '0'}",
    ]
    error = result_of(tmp_path / "1")["error"]
    assert lines_of(tmp_path / "1") == [
        *begun,
        f"[src.record][ERROR] - failed: {error['message']}",
    ]
    assert "run_dir: ${hydra:runtime.output_dir}" in (tmp_path / "0" / ".hydra" / "config.yaml").read_text()


def test_each_log_holds_what_the_data_of_its_job_have_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sweep("data=iris", "model=mlp", "seed=1,2", sweep_dir=tmp_path)
    assert caplog.text.count("150 rows") == 1
    for number in (0, 1):
        first, *_ = lines_of(tmp_path / str(number))
        assert first.startswith("[src.data.table.")
        assert "iris: 150 rows" in first


def test_no_log_is_written_where_none_is_wanted(tmp_path: Path) -> None:
    sweep("seed=1,2", "hydra/job_logging=stdout", sweep_dir=tmp_path)
    assert not (tmp_path / "0" / "train.log").exists()


def test_a_log_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "1" / "train.log").mkdir(parents=True)
    returns, _ = sweep("seed=1,2,3", sweep_dir=tmp_path)
    assert f"no log of a job: [Errno 21] Is a directory: '{tmp_path}/1/train.log'" in caplog.text
    assert all(done.return_value > 0 for done in returns)
    assert result_of(tmp_path / "1")["status"] == "completed"


@pytest.mark.slow
def test_what_has_completed_is_not_said_to_train(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    before, _ = sweep("model=circle_v0,circle_v2", "seed=1,2", sweep_dir=tmp_path)
    assert caplog.text.count("are stacked") == 2
    caplog.clear()
    again, alone = sweep("model=circle_v0,circle_v2", "seed=1,2", sweep_dir=tmp_path)
    assert [done.return_value for done in again] == [done.return_value for done in before]
    assert not alone
    assert "4 jobs: all completed before" in caplog.text
    assert "stack" not in caplog.text
    assert "models in" not in caplog.text
    assert lines_of(tmp_path / "3")[-1] == f"[src.record][INFO] - already completed: {tmp_path / '3'}"


@pytest.mark.slow
def test_of_two_stacks_the_one_that_is_left_trains(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    models = "model=circle_v0,circle_v2"
    before, _ = sweep(models, "seed=1,2", "compile=false,true", sweep_dir=tmp_path)
    (tmp_path / "4" / "result.json").unlink()
    (tmp_path / "4" / "checkpoints" / "last.ckpt").unlink()
    caplog.set_level(logging.INFO)
    caplog.clear()
    again, alone = sweep(models, "seed=1,2", "compile=false,true", sweep_dir=tmp_path)
    assert [done.return_value for done in again] == [done.return_value for done in before]
    # single runs are not made here, and so have not completed
    assert alone == [1, 3, 5, 7]
    assert "8 jobs: 3 completed before" in caplog.text
    assert caplog.text.count("are stacked") == 1
    assert "2 models circle_v2 are stacked" in caplog.text


def test_pictures_that_there_are_not_are_found_before_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    drawing = ("callbacks=default", "callbacks.pictures.draw=[boundary],[confusing]")
    _, alone = sweep(*drawing, "seed=1,2", sweep_dir=tmp_path)
    # as single runs they fail with the same words
    assert alone == [2, 3]
    assert "callbacks.pictures.draw holds 'confusing', which is no picture; did you mean confusion?" in caplog.text


@pytest.mark.slow
def test_a_lost_model_makes_room_for_the_corrected_job_and_a_completed_one_for_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    common = ("data=line", "model=line", "loss=mse", "trainer.max_epochs=20")
    returns, _ = sweep(*common, "optimizer.lr=0.01,1e12", sweep_dir=tmp_path)
    assert returns[0].return_value > 0
    assert math.isnan(returns[1].return_value)
    assert "job 1 failed: train/loss is" in caplog.text
    again, _ = sweep(*common, "optimizer.lr=0.01,0.02", sweep_dir=tmp_path)
    assert again[0].return_value == returns[0].return_value
    assert again[1].return_value > 0
    other, _ = sweep(*common, "optimizer.lr=0.03,0.02", sweep_dir=tmp_path)
    assert other[0].status == JobStatus.FAILED
    with pytest.raises(OtherRunError, match=r"optimizer.lr: stored 0.01, given 0.03"):
        _ = other[0].return_value


@pytest.mark.parametrize(
    ("error", "said"), [(MemoryError("no memory left"), "no memory left"), (MemoryError(), "MemoryError")]
)
def test_a_stack_that_fails_runs_one_by_one(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("src.vmap.run.train_stack", full)
    with caplog.at_level(logging.INFO):
        returns, alone = sweep("seed=1,2", sweep_dir=tmp_path)
    assert alone == [0, 1]
    assert len(returns) == 2
    assert f"training as a stack failed: {said}" in caplog.text


def test_a_full_disk_ends_a_sweep_whose_stack_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / ".unfinished" / "x.ckpt"))

    monkeypatch.setattr("src.vmap.run.train_stack", full)
    with pytest.raises(OSError, match="No space left"):
        sweep("seed=1,2", sweep_dir=tmp_path)


@pytest.mark.slow
def test_the_command_trains_together_and_by_itself_and_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = (
        *("-m", "hydra/launcher=vmap", *SMALL, "logger=default", "seed=1,2", "compile=false"),
        *("optimizer=sgd,adam", "optimizer.lr=0.1", f"hydra.sweep.dir={tmp_path / 'sweep'}"),
    )
    assert run(*command, output=log) == 0
    text = log.read_text()
    assert text.count("are stacked") == 2
    assert "4 jobs: 4 completed" in text
    for number in range(4):
        assert len(rows_of(tmp_path / "sweep" / str(number))) == 3
        assert list((tmp_path / "sweep" / str(number) / "tensorboard").glob("events.*"))
    (tmp_path / "sweep" / "3" / "result.json").unlink()
    # what one has begun, its own run ends
    assert run(*command, output=log) == 0
    assert "1 runs by itself (job 3)" in log.read_text()
    assert log.read_text().count("4 jobs: 4 completed") == 2


def test_no_model_of_another_chunk_is_held_while_one_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits._CHUNK, "cpu", 3)
    held: list[int] = []

    class Factory(ModelFactory):
        def model(self, job: Job) -> Model:
            found = super().model(job)
            held.append(len(self._made["weights"]))
            return found

    config = composed("seed=range(9)", sweep_dir=tmp_path)
    jobs = list(compose_jobs(config, expand(config) or []))
    outcomes = train_stack(jobs, StackOptions(), factory=Factory())
    assert [outcome.status for outcome in outcomes] == ["completed"] * 9
    assert held[-9:] == [1, 2, 3] * 3


def test_the_last_data_alone_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_MOST_DATA", 3)
    config = composed("data.seed=range(9)", sweep_dir=tmp_path)
    factory = ModelFactory()
    jobs = list(compose_jobs(config, expand(config) or []))
    made = [factory.datamodule(job) for job in jobs]
    assert [len(factory._made[kind]) for kind in ("data", "parts")] == [3, 3]
    assert all(factory.datamodule(job) is each for job, each in zip(jobs[-3:], made[-3:], strict=True))


def test_one_job_of_each_kind_is_checked_and_none_is_held_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = composed("model=circle_v1,circle_v2", "optimizer.lr=0.1,0.2", "seed=range(5)", sweep_dir=tmp_path)
    overrides = expand(config)
    assert overrides is not None
    # Hydra has one of each choice composed before, under a number of its own
    assert len(list(compose_jobs(config, representatives(overrides)))) == 2
    jobs = list(compose_jobs(config, overrides))
    checked: list[int] = []
    mistake_of = run_module._mistake

    def mistake(job: Job) -> str | None:
        checked.append(job.number)
        return mistake_of(job)

    monkeypatch.setattr(run_module, "_mistake", mistake)
    assert list(run_module._mistakes(jobs)) == []
    assert checked == [0, 10]
    assert not any("whole" in vars(job) for job in jobs)
    wrong = composed("model=circle_v1,circle_v2", "optimizer.lr=0.1,-0.2", "seed=range(2)", sweep_dir=tmp_path)
    jobs = list(compose_jobs(wrong, expand(wrong) or []))
    assert [job.number for job, _ in run_module._mistakes(jobs)] == [2, 3, 6, 7]
