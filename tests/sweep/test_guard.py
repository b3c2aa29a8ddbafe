"""What happens before the first job of a sweep and after its last one."""

import contextlib
import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from src.config.errors import ConfigError
from src.launch.job import JobDiedError
from src.run.directory import UNFINISHED
from src.run.lock import LockedError
from src.sweep.guard import guarded
from tests.analysis.jobs import make_job
from tests.sweep.configs import complete, composed

pytestmark = pytest.mark.usefixtures("hydra")


def run(config: DictConfig, *steps: Callable[[], object], error: BaseException | None = None) -> None:
    """A sweep whose jobs are these steps, and that an error ends."""
    with guarded(config):
        for step in steps:
            step()
        if error is not None:
            raise error


def test_a_dry_run_tells_what_is_left_and_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = f"hydra.sweep.dir={tmp_path}"
    complete(composed("optimizer.lr=0.1,0.2,-1", place), 0)
    with pytest.raises(SystemExit) as end, guarded(composed("optimizer.lr=0.1,0.2,-1", place, "sweep.dry_run=true")):
        pytest.fail("it ran")
    assert end.value.code == 1
    said = capsys.readouterr().out
    assert "job 2: optimizer.lr (command line: optimizer.lr=-1): got -1; allowed: a number greater than 0" in said
    assert "3 jobs: 1 completed, 1 to run, 1 with errors; nothing was trained" in said
    assert {path.name for path in tmp_path.iterdir()} == {"0"}


@pytest.mark.slow
def test_a_dry_run_of_a_search_checks_all_choices_whatever_its_directory_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = f"hydra.sweep.dir={tmp_path}/sweep"
    complete(composed("seed=9", place), 0)
    search = ("hydra/sweeper=optuna", "model=circle_v1", "model.net.activation=relu,tanh,rulu", place)
    seen: list[float] = []

    def check(cfg: DictConfig) -> None:
        seen.append(cfg.optimizer.lr)
        if cfg.optimizer.lr == 0.5:
            raise ConfigError("half is refused")

    config = composed(*search, "optimizer.lr=interval(0.1,0.5)", "sweep.dry_run=true")
    with pytest.raises(SystemExit) as end, guarded(config, check=check):
        pass
    said = capsys.readouterr().out
    assert end.value.code == 1
    assert "model.net.activation=rulu): got 'rulu'" in said
    assert "job 1: half is refused" in said
    assert "13 sampled jobs: " in said
    assert "stored" not in said
    assert len(set(seen)) > 3


def test_a_dry_run_of_many_jobs_shows_the_first_and_counts_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.sweep.dry_run._SHOWN", 3)
    config = composed("seed=range(0,8)", f"hydra.sweep.dir={tmp_path}/sweep", "sweep.dry_run=true")
    with pytest.raises(SystemExit) as end, guarded(config):
        pytest.fail("it ran")
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert "5 more" in said
    assert "8 jobs: 8 to run; nothing was trained" in said
    assert not list(tmp_path.iterdir())


def test_an_interval_without_a_search_ends_before_anything(tmp_path: Path) -> None:
    config = composed("optimizer.lr=interval(0,1)", f"hydra.sweep.dir={tmp_path}/new/sweep")
    with pytest.raises(ConfigError, match="add hydra/sweeper=optuna to search it"), guarded(config):
        pytest.fail("it ran")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_other_settings_are_refused_and_more_jobs_are_welcome(tmp_path: Path) -> None:
    place = f"hydra.sweep.dir={tmp_path}"
    complete(composed("seed=0,1", place), 0, 1)
    other = composed("seed=0,1,2", "trainer.max_epochs=7", place)
    with pytest.raises(ConfigError) as refused, guarded(other):
        pytest.fail("it ran")
    assert "trainer.max_epochs: stored 1000, given 7" in str(refused.value)
    assert f"... and 1 more jobs of {tmp_path}" in str(refused.value)
    config = composed("seed=0,1,2", place)
    with guarded(config):
        complete(config, 2)


def test_jobs_that_all_complete_end_a_sweep_with_its_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = composed("seed=0,1", f"hydra.sweep.dir={tmp_path}")
    with guarded(config):
        complete(config, 0, 1)
    assert "2 jobs: 2 completed" in capsys.readouterr().out
    assert (tmp_path / "summary.csv").is_file()


def test_a_job_without_a_good_end_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = composed("seed=0,1", f"hydra.sweep.dir={tmp_path}")
    with pytest.raises(SystemExit) as end:
        run(config, lambda: complete(config, 0, 1), (tmp_path / "1" / "result.json").unlink)
    assert end.value.code == 1
    assert "2 jobs: 1 completed, 1 unfinished" in capsys.readouterr().out


def test_an_interrupted_sweep_counts_the_jobs_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = composed("seed=0,1,2", f"hydra.sweep.dir={tmp_path}")
    unfinish = (tmp_path / "0" / "result.json").unlink
    with pytest.raises(KeyboardInterrupt):
        run(config, lambda: complete(config, 0), unfinish, error=KeyboardInterrupt())
    said = capsys.readouterr().out
    assert "3 jobs: 0 completed, 1 interrupted, 2 not begun" in said
    assert "failed" not in said


def test_a_job_that_has_lost_its_process_stands_among_the_failures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = composed("seed=0,1", f"hydra.sweep.dir={tmp_path}")
    lose, error = (tmp_path / "1" / "result.json").unlink, JobDiedError("job 1: its process was killed")
    with pytest.raises(JobDiedError):
        run(config, lambda: complete(config, 0, 1), lose, error=error)
    said = capsys.readouterr().out
    assert "its process ended without a result" in said
    assert "2 jobs: 1 completed, 1 unfinished" in said


def test_a_full_disk_has_interrupted_jobs_and_lost_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = composed("seed=0,1", f"hydra.sweep.dir={tmp_path}")
    cut_short, error = (tmp_path / "0" / "result.json").unlink, OSError(errno.ENOSPC, "No space left on device", "x")
    with pytest.raises(OSError, match="No space left"):
        run(config, lambda: complete(config, 0), cut_short, error=error)
    said = capsys.readouterr().out
    assert "its process" not in said
    assert "2 jobs: 0 completed, 1 interrupted, 1 not begun" in said
    # what has no room is said once
    assert "cannot be written" not in said
    assert not list(tmp_path.glob("*.*"))


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(path)])
def test_what_is_no_file_in_the_place_of_the_command_is_refused_before_the_first_job(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / "multirun.yaml")
    config = composed("seed=0,1", f"hydra.sweep.dir={tmp_path}")
    with pytest.raises(ConfigError, match=r"multirun\.yaml cannot be written"), guarded(config):
        pytest.fail("it ran")


def test_a_job_whose_files_cannot_be_read_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = composed("seed=0,1,2", f"hydra.sweep.dir={tmp_path}")

    def damage() -> None:
        complete(config, 0, 1, 2)
        (tmp_path / "1" / ".hydra" / "config.yaml").write_text("[")
        (tmp_path / "2" / "result.json").write_text("{")

    with pytest.raises(SystemExit) as end:
        run(config, damage)
    assert end.value.code == 1
    said = capsys.readouterr().out
    assert said.count("unreadable") == 2
    assert "its process" not in said
    assert f"{tmp_path / '1' / '.hydra' / 'config.yaml'} cannot be read" in said


@pytest.mark.parametrize(
    ("own", "error", "counted"),
    [
        ((), None, "2 jobs: 2 completed\n"),
        ((), KeyboardInterrupt(), "5 jobs: 2 completed, 3 not begun\n"),
        (("hydra.sweeper.storage=shared.db", "hydra.sweeper.study_name=both"), None, "2 jobs: 2 completed\n"),
        (("hydra.sweeper.storage=a.db", "hydra.sweeper.study_name=b"), KeyboardInterrupt(), "2 jobs: 2 completed\n"),
    ],
)
def test_a_search_counts_as_not_begun_what_it_was_kept_from(
    own: tuple[str, ...],
    error: BaseException | None,
    counted: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    search = ("hydra/sweeper=optuna", "optimizer.lr=interval(0.1,1)", "hydra.sweeper.n_trials=5", *own)
    config = composed(*search, f"hydra.sweep.dir={tmp_path}")
    with contextlib.nullcontext() if error is None else pytest.raises(KeyboardInterrupt):
        run(config, lambda: [make_job(tmp_path / name, metrics={"val/loss": 0.5}) for name in "02"], error=error)
    assert counted in capsys.readouterr().out


def test_what_a_stack_has_left_goes_once_all_is_recorded_and_not_before(tmp_path: Path) -> None:
    config = composed("seed=0,1", f"hydra.sweep.dir={tmp_path}")
    stack = tmp_path / UNFINISHED / "x.ckpt"
    stack.parent.mkdir()
    stack.touch()
    with pytest.raises(KeyboardInterrupt):
        run(config, lambda: complete(config, 0), error=KeyboardInterrupt())
    assert stack.exists()
    run(config, lambda: complete(config, 1))
    assert not stack.parent.exists()


def test_a_range_without_a_value_is_refused(tmp_path: Path) -> None:
    config = composed("seed=range(3,3)", f"hydra.sweep.dir={tmp_path}/sweep")
    with pytest.raises(ConfigError, match=r"seed=range\(3,3\): no value at all"), guarded(config):
        pytest.fail("it ran")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt(), JobDiedError("job 1: its machine died"), RuntimeError("a bug")])
def test_what_ends_a_sweep_early_goes_on_after_the_answer(
    error: BaseException, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = composed("seed=0,1", f"hydra.sweep.dir={tmp_path}/sweep")
    with pytest.raises(type(error)):
        run(config, lambda: complete(config, 0), error=error)
    assert "2 jobs: 1 completed, 1 not begun" in capsys.readouterr().out
    assert (tmp_path / "sweep" / "0" / "result.json").is_file()


def test_a_sweep_without_a_job_has_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with guarded(composed("seed=0,1", f"hydra.sweep.dir={tmp_path}")):
        pass
    assert capsys.readouterr().out == ""


def test_a_sweep_is_refused_where_another_one_runs(tmp_path: Path) -> None:
    config = composed("seed=0,1", f"hydra.sweep.dir={tmp_path}")
    with guarded(config):
        with pytest.raises(LockedError, match=f"hydra.sweep.dir={tmp_path}: another command"), guarded(config):
            pytest.fail("both run")
        complete(config, 0, 1)
    with guarded(config):
        pass


# A start that is refused


def test_a_sweep_that_is_refused_before_its_first_job_leaves_nothing(tmp_path: Path) -> None:
    sweep = tmp_path / "new" / "sweep"
    config, refused = composed("seed=0,1", f"hydra.sweep.dir={sweep}"), ConfigError("hydra.launcher.n_jobs: got 0")
    with pytest.raises(ConfigError, match="n_jobs: got 0"):
        run(config, (sweep / "multirun.yaml").touch, error=refused)
    assert not list(tmp_path.iterdir())


def test_what_was_there_before_stays(tmp_path: Path) -> None:
    sweep = tmp_path / "mine" / "sweep"
    sweep.parent.mkdir()
    config = composed("seed=0,1", f"hydra.sweep.dir={sweep}")
    with pytest.raises(ConfigError, match="no"):
        run(config, error=ConfigError("no"))
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]
    sweep.mkdir()
    (sweep / "notes.txt").touch()
    with pytest.raises(ConfigError, match="no"):
        run(config, error=ConfigError("no"))
    assert (sweep / "notes.txt").is_file()


def test_what_a_worker_has_left_stays(tmp_path: Path) -> None:
    """Its log tells why it has died."""
    config, lost = composed("seed=0,1", f"hydra.sweep.dir={tmp_path}/sweep"), JobDiedError("job 0: it was killed")
    with pytest.raises(JobDiedError):
        run(config, (tmp_path / "sweep" / ".submitit").mkdir, error=lost)
    assert (tmp_path / "sweep" / ".submitit").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.noise=nan", "seed=0,1"], r"data\.noise .*: got nan; .*\nnone of the 2 jobs can run; this is job 0"),
        (["optimizer.lr=-1,-2"], r"optimizer\.lr \(command line: optimizer\.lr=-1\): got -1"),
        (["seed=[0,1,2]"], r"seed .*: got \[0, 1, 2\]; .* -m seed=0,1,2"),
        (["seed=0,1", "run_dir=''"], "run_dir"),
        # what the parts say to each other
        (["seed=0,1", "model=blob"], "model=blob does not fit data=circles"),
        (["hydra/sweeper=optuna", "data.noise=nan", "seed=0,1"], r"data\.noise .*: got nan"),
    ],
)
def test_a_value_that_is_wrong_for_every_job_ends_the_sweep_before_its_first(
    overrides: list[str], said: str, tmp_path: Path
) -> None:
    config = composed(*overrides, f"hydra.sweep.dir={tmp_path}/sweep")
    with pytest.raises(ConfigError, match=said), guarded(config):
        pytest.fail("it ran")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [["data.noise=nan,0.1"], ["hydra/sweeper=optuna", "data.noise=interval(-1,1)"], ["model=blob,circle_v1"]],
)
def test_a_sweep_with_a_job_that_can_run_goes_on(overrides: list[str], tmp_path: Path) -> None:
    begun = []
    with guarded(composed(*overrides, f"hydra.sweep.dir={tmp_path}/sweep")):
        begun.append(1)
    assert begun


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["optimized_metric=test/accuracy"], "optimized_metric: test/accuracy is measured on the test part"),
        (["optimized_metric=val/accuracy"], None),
        (
            ["hydra/sweeper=optuna", "hydra.sweeper.objectives={test/f1: maximize, n_parameters: minimize}"],
            "hydra.sweeper.objectives: test/f1 is measured on the test part",
        ),
        (["hydra/sweeper=optuna", "hydra.sweeper.objectives=test/loss"], "hydra.sweeper.objectives: test/loss is"),
        # what a search does not look at
        (["hydra/sweeper=optuna", "hydra.sweeper.objectives=[val/f1]", "optimized_metric=test/loss"], None),
    ],
)
def test_who_chooses_by_the_test_part_is_warned_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, given: list[str], said: str | None
) -> None:
    with caplog.at_level(logging.WARNING, logger="src.sweep.guard"):
        run(composed("seed=0,1", *given, f"hydra.sweep.dir={tmp_path}/sweep"))
    warned = [record.getMessage() for record in caplog.records if "test part" in record.getMessage()]
    assert len(warned) == (said is not None)
    assert all(line.startswith(str(said)) for line in warned)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["hydra/sweeper=optuna", "seed=choice(0,1)"], "seed: a search keeps the value whose draw was lucky"),
        (["hydra/sweeper=optuna", "data.seed=range(0,9)", "optimizer.lr=interval(0.1,1)"], "data.seed: a search keeps"),
        (
            ["hydra/sweeper=optuna", "data=iris", "model=mlp", "data.folds=5", "data.fold=range(0,5)"],
            "data.fold: a search",
        ),
        (
            ["hydra/sweeper=optuna", "hydra.sweeper.n_seeds=3", "data.seed=0,1"],
            "data.seed: a search keeps the value whose draw was lucky, and is told nothing of the others. Give one, or",
        ),
        (["hydra/sweeper=optuna", "optimizer.lr=interval(0.1,1)"], None),
        (["seed=0,1"], None),
    ],
)
def test_a_search_among_draws_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, given: list[str], said: str | None
) -> None:
    with caplog.at_level(logging.WARNING, logger="src.sweep.guard"):
        run(composed(*given, f"hydra.sweep.dir={tmp_path}/sweep"))
    warned = [record.getMessage() for record in caplog.records if "lucky" in record.getMessage()]
    assert len(warned) == (said is not None)
    assert all(line.startswith(str(said)) for line in warned)
