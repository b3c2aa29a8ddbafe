"""Worker processes of this machine, those of joblib and those of submitit."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus

from src.launch.job import JobDiedError, JobSpec
from src.launch.joblib_workers import JoblibWorkers
from src.launch.local import run_locally
from tests.launch.fakes import FakeSweep, jobs
from tests.slow import slow
from tests.waiting import is_running, wait_for

# what a process does not let go of before it ends
_kept: list[JoblibWorkers] = []

Run = Callable[[Sequence[JobSpec]], list[JobReturn]]


@pytest.fixture(params=["joblib", *slow("submitit_local")])
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Two jobs at once, on a machine of two cores and two GPUs."""
    monkeypatch.setattr("src.launch.resources.n_cores", lambda: 2)
    monkeypatch.setattr("src.launch.resources.visible_gpus", lambda: ["3", "5"])
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    sweep: Any = FakeSweep()
    if request.param == "joblib":
        workers = JoblibWorkers(2)
        yield lambda jobs: workers.run(sweep, jobs)
        workers.kill()
        return
    folder = str(tmp_path / "submitit" / "%j")
    yield lambda jobs: run_locally(sweep, jobs, n_jobs=2, folder=folder, timeout_min=5)


@pytest.mark.slow
def test_jobs_share_cores_and_gpus(run: Run) -> None:
    returns = run(jobs("threads", "env", "env"))
    assert [each.status for each in returns] == [JobStatus.COMPLETED] * 3
    assert [each.overrides for each in returns] == [["threads"], ["env"], ["env"]]
    assert returns[0].return_value == 1
    environments = [each.return_value["env"] for each in returns[1:]]
    assert {env["OMP_NUM_THREADS"] for env in environments} == {"1"}
    assert {env["CUDA_VISIBLE_DEVICES"] for env in environments} <= {"3", "5"}
    assert environments[0]["CUDA_VISIBLE_DEVICES"] == "5"
    assert all(each.return_value["pid"] != os.getpid() for each in returns[1:])


@pytest.mark.slow
def test_a_killed_job_and_one_that_raises_stop_no_other(run: Run) -> None:
    returns = run(jobs("die", "env", "raise=it broke", "env"))
    failed = [each.status == JobStatus.FAILED for each in returns]
    assert failed == [True, False, True, False]
    with pytest.raises(JobDiedError, match="job 0: its process was killed"):
        _ = returns[0].return_value
    with pytest.raises(JobDiedError, match="it broke"):
        _ = returns[2].return_value


def test_an_interrupt_stops_what_runs(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "started"

    def interrupt(*_args: object, **_kwargs: object) -> None:
        wait_for(lambda: started.exists() and started.read_text(), "the job that stays")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("src.launch.joblib_workers.wait", interrupt)
        patch.setattr("src.launch.local._wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(jobs(f"stay={started}", "env"))
    pid = int(started.read_text())
    wait_for(lambda: not is_running(pid), "the end of its process")


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
@pytest.mark.slow
def test_a_process_that_multiprocessing_began_ends_with_its_workers(method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    process = context.Process(target=_leave_workers)
    process.start()
    try:
        wait_for(lambda: process.exitcode is not None, "the end of the process")
        assert process.exitcode == 0
    finally:
        process.kill()


def test_workers_of_joblib_stay_for_the_next_batch() -> None:
    sweep: Any = FakeSweep()
    workers = JoblibWorkers(1)
    first, second = (workers.run(sweep, jobs("env"))[0].return_value["pid"] for _ in range(2))
    workers.kill()
    assert first == second
    assert not is_running(first)


def _leave_workers() -> None:
    sweep: Any = FakeSweep()
    _kept.append(JoblibWorkers(2))
    assert [each.status for each in _kept[0].run(sweep, jobs("env", "env"))] == [JobStatus.COMPLETED] * 2
