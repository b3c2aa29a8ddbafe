"""Jobs that would write to one directory, or to that of another run."""

from pathlib import Path

import pytest

from src.config.errors import ConfigError
from src.sweep.conflicts import refuse_other_runs, refuse_shared_directories
from src.sweep.guard import guarded
from tests.sweep.configs import complete, composed

pytestmark = pytest.mark.usefixtures("hydra")


@pytest.mark.parametrize("where", ["hydra.sweep.subdir=same", "hydra.sweep.subdir=${optimizer.lr}"])
@pytest.mark.parametrize("dry_run", ["true", "false"])
def test_jobs_that_would_share_a_directory_are_refused(where: str, dry_run: str, tmp_path: Path) -> None:
    place = (f"hydra.sweep.dir={tmp_path}/sweep", f"sweep.dry_run={dry_run}")
    config = composed("seed=0,1", "optimizer.lr=0.1,0.2", where, *place)
    with pytest.raises(ConfigError, match=r"jobs \d .* and \d .* would both write to"), guarded(config):
        pytest.fail("it ran")
    assert not list(tmp_path.iterdir())


def test_jobs_that_share_none_are_welcome(tmp_path: Path) -> None:
    refuse_shared_directories(composed("seed=0,1", "hydra.sweep.subdir=${seed}", f"hydra.sweep.dir={tmp_path}"))


def test_a_run_dir_for_all_jobs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"would both write to .*; run_dir=.* must tell them apart"):
        refuse_shared_directories(composed("seed=0,1", f"run_dir={tmp_path}/run", f"hydra.sweep.dir={tmp_path}"))


@pytest.mark.parametrize(
    "where",
    [
        "run_dir={path}/x/$\\{{hydra\\:job.num\\}}",
        "hydra.sweep.subdir=../${{hydra.job.num}}",
        "hydra.sweep.subdir=../${{seed}}",
    ],
)
def test_jobs_that_would_leave_the_directory_of_their_sweep_are_refused(where: str, tmp_path: Path) -> None:
    line = where.format(path=tmp_path)
    with pytest.raises(
        ConfigError, match=r"allowed: a directory below hydra\.sweep\.dir=.* give hydra\.sweep\.dir=DIR"
    ):
        refuse_shared_directories(composed("seed=0,1", line, f"hydra.sweep.dir={tmp_path}/sweep"))


def test_a_run_dir_below_that_of_the_sweep_is_welcome(tmp_path: Path) -> None:
    refuse_shared_directories(
        composed("seed=0,1", f"run_dir={tmp_path}/x/$\\{{seed\\}}", f"hydra.sweep.dir={tmp_path}")
    )


@pytest.mark.slow
def test_each_job_is_compared_with_what_its_directory_holds(tmp_path: Path) -> None:
    place = f"hydra.sweep.dir={tmp_path}"
    complete(composed("seed=0,1", place), 0, 1)
    refuse_other_runs(composed("seed=0,1,2", place))
    with pytest.raises(ConfigError, match="seed: stored 0, given 1"):
        refuse_other_runs(composed("seed=1,0", place))
