"""What happens before the first job of a sweep and after its last one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

from src.config.compose import CONF_DIR
from src.config.origins import hydra_at
from src.run.directory import RunDir
from src.sweep import guard
from src.sweep.guard import SweepWatch, end_of_sweep
from src.sweep.jobs import compose_jobs, expand
from tests.tasks.runs import QUIET


@pytest.fixture(autouse=True)
def hydra(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(guard, "_running", [])
    with hydra_at(CONF_DIR):
        yield


def composed(*overrides: str, mode: RunMode = RunMode.MULTIRUN) -> DictConfig:
    return GlobalHydra.instance().hydra.compose_config("train", [*QUIET, *overrides], run_mode=mode)  # type: ignore[union-attr] # initialised


def finish(config: DictConfig, *numbers: int) -> None:
    """Leave the records of jobs that have completed."""
    for job in compose_jobs(config, expand(config) or []):
        if job.number in numbers:
            run = RunDir(job.run_dir)
            run.claim(job.cfg, overrides=job.overrides)
            run.finish(metrics={"val/loss": 1.0}, optimized_metric={"name": "val/loss", "value": 1.0}, duration_s=1.0)


def test_a_dry_run_tells_what_is_left_and_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = f"hydra.sweep.dir={tmp_path}"
    finish(composed("optimizer.lr=0.1,0.2,-1", place), 0)
    with pytest.raises(SystemExit) as end:
        SweepWatch().on_multirun_start(composed("optimizer.lr=0.1,0.2,-1", place, "sweep.dry_run=true"))
    assert end.value.code == 1
    said = capsys.readouterr().out
    assert "job 2: optimizer: Invalid learning rate: -1" in said
    assert "3 jobs: 1 completed, 1 to run, 1 with errors; nothing was trained" in said
    assert {path.name for path in tmp_path.iterdir()} == {"0"}


def test_a_dry_run_of_many_jobs_shows_the_first_and_counts_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.sweep.dry_run._SHOWN", 3)
    with pytest.raises(SystemExit) as end:
        SweepWatch().on_multirun_start(composed("seed=range(0,8)", f"hydra.sweep.dir={tmp_path}", "sweep.dry_run=true"))
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert "5 more" in said
    assert "8 jobs: 8 to run; nothing was trained" in said


def test_a_dry_run_of_a_single_run_checks_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = composed("model=blob", f"hydra.run.dir={tmp_path}/run", "sweep.dry_run=true", mode=RunMode.RUN)
    with pytest.raises(SystemExit) as end:
        SweepWatch().on_run_start(config)
    assert end.value.code == 1
    assert "model=blob does not fit data=circles" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


def test_an_interval_without_a_search_ends_before_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        SweepWatch().on_multirun_start(composed("optimizer.lr=interval(0,1)", f"hydra.sweep.dir={tmp_path}"))
    assert end.value.code == 1
    assert "add hydra/sweeper=optuna to search it" in capsys.readouterr().err


def test_other_settings_are_refused_and_more_jobs_are_welcome(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = f"hydra.sweep.dir={tmp_path}"
    finish(composed("seed=0,1", place), 0, 1)
    with pytest.raises(SystemExit) as end:
        SweepWatch().on_multirun_start(composed("seed=0,1,2", "trainer.max_epochs=7", place))
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert "trainer.max_epochs: ${suggested.max_epochs} there, 7 now" in said
    assert f"... and 1 more jobs of {tmp_path}" in said
    SweepWatch().on_multirun_start(composed("seed=0,1,2", place))


def test_the_end_of_a_sweep_tells_its_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert end_of_sweep(None) == 0, "there was no sweep"
    config = composed("seed=0,1", f"hydra.sweep.dir={tmp_path}")
    SweepWatch().on_multirun_start(config)
    assert end_of_sweep(None) == 0, "it ended before its first job"
    finish(config, 0, 1)
    SweepWatch().on_multirun_start(config)
    assert end_of_sweep(None) == 0
    assert "2 jobs: 2 completed" in capsys.readouterr().out
    SweepWatch().on_multirun_start(config)
    assert end_of_sweep(KeyboardInterrupt()) == 1
    (tmp_path / "1" / "result.json").unlink()
    SweepWatch().on_multirun_start(config)
    assert end_of_sweep(None) == 1


def test_a_sweep_is_refused_where_another_one_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = composed("seed=0,1", f"hydra.sweep.dir={tmp_path}")
    SweepWatch().on_multirun_start(config)
    with pytest.raises(SystemExit) as end:
        SweepWatch().on_multirun_start(config)
    assert end.value.code == 1
    assert f"hydra.sweep.dir={tmp_path}: another command is writing there" in capsys.readouterr().err
    assert end_of_sweep(None) == 0
    SweepWatch().on_multirun_start(config)


@pytest.mark.parametrize("where", ["hydra.sweep.subdir=same", "hydra.sweep.subdir=${optimizer.lr}"])
def test_jobs_that_would_share_a_directory_are_refused(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = composed("seed=0,1", "optimizer.lr=0.1,0.2", where, f"hydra.sweep.dir={tmp_path}/sweep")
    for dry_run in (False, True):
        config.sweep.dry_run = dry_run
        with pytest.raises(SystemExit) as end:
            SweepWatch().on_multirun_start(config)
        assert end.value.code == 1
        assert "would both write to" in capsys.readouterr().err
    assert not (tmp_path / "sweep").exists()
    apart = composed("seed=0,1", "hydra.sweep.subdir=${seed}", f"hydra.sweep.dir={tmp_path}/sweep")
    SweepWatch().on_multirun_start(apart)
