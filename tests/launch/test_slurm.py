"""Waiting for a queue: what a launcher makes of the answers of Slurm, here of scripts in its place."""

from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobStatus

from src.config.errors import ConfigError
from src.launch import slurm
from src.launch.job import JobDiedError
from tests.launch.fakes import FakeSweep, fake_slurm, jobs
from tests.waiting import ROOT, wait_for


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", fake_slurm(tmp_path, ROOT))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for name in ("_GRACE_S", "_POLL_S", "_ASK_S"):
        monkeypatch.setattr(slurm, name, 0)
    return tmp_path


def parameters(folder: Path, **changes: Any) -> dict[str, Any]:
    given = {"submitit_folder": f"{folder}/submitit/%j", "max_num_timeout": 0, "cpus_per_task": 3, "gres": None}
    return {**given, "stderr_to_stdout": True, "setup": None, **changes}


def run(folder: Path, *deeds: str, **changes: Any) -> list[Any]:
    sweep: Any = FakeSweep()
    return slurm.run_on_slurm(sweep, jobs(*deeds), parameters(folder, **changes))


@pytest.mark.slow
def test_an_array_of_jobs_comes_back_in_order(folder: Path) -> None:
    returns = run(folder, "env", "raise=it broke", "env")
    assert [each.status for each in returns] == [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.COMPLETED]
    assert [returns[i].return_value["job_id"] for i in (0, 2)] == ["7_0", "7_2"]
    assert returns[0].return_value["env"]["OMP_NUM_THREADS"] == "3"
    with pytest.raises(JobDiedError, match="it broke"):
        _ = returns[1].return_value


@pytest.mark.slow
def test_a_killed_job_has_died_once_slurm_says_that_it_has_ended(folder: Path) -> None:
    returns = run(folder, "die", "env")
    assert returns[1].status == JobStatus.COMPLETED
    with pytest.raises(JobDiedError, match=r"job 0: Slurm says FAILED of 7_0; its output is in .*7_0_0_log\.out"):
        _ = returns[0].return_value


def test_a_job_that_slurm_has_forgotten_has_died(folder: Path) -> None:
    (folder / "forgetful").touch()
    with pytest.raises(JobDiedError, match="Slurm says no longer known"):
        _ = run(folder, "die")[0].return_value


@pytest.mark.slow
def test_while_slurm_is_silent_no_job_has_died(folder: Path) -> None:
    (folder / "silent").touch()
    (returned,) = run(folder, "die")
    # though the job was dead at each of these questions
    assert (folder / "silent").read_text().count("asked") > 5
    assert returned.status == JobStatus.FAILED


def test_an_interrupt_takes_jobs_out_of_the_queue(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = folder / "started"

    def interrupt(*_: object) -> None:
        wait_for(started.exists, "the first job")
        raise KeyboardInterrupt

    monkeypatch.setattr(slurm, "_gather", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(folder, f"stay={started}", f"stay={started}")
    assert (folder / "cancelled").read_text() == "7_[0,1]\n"
    assert set((slurm.states(["7_0", "7_1"]) or {}).values()) == {"FAILED"}


def test_what_an_earlier_start_left_in_the_queue_is_cancelled_first(folder: Path) -> None:
    left = folder / "submitit" / "3_1"
    left.mkdir(parents=True)
    (left / "3_1_submitted.pkl").touch()
    (folder / "state_3_1").write_text("RUNNING")
    (folder / "bin" / "scancel").write_text(
        f"#!/bin/bash\necho $@ > {folder}/cancelled; echo CANCELLED > {folder}/state_3_1"
    )
    assert run(folder, "env")[0].status == JobStatus.COMPLETED
    assert (folder / "cancelled").read_text() == "3_[1]\n"


def test_what_slurm_refuses_is_told(folder: Path) -> None:
    (folder / "bin" / "sbatch").write_text("#!/bin/bash\necho sbatch: error: invalid partition >&2; exit 1")
    with pytest.raises(ConfigError, match=r"Slurm refuses such jobs: .*invalid partition"):
        run(folder, "env")


def test_where_there_is_no_slurm_it_is_missed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ConfigError, match="sbatch and srun are not here"):
        run(folder, "env")


def test_jobs_that_do_not_stop_are_waited_for_so_long(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "state_3").write_text("COMPLETING")
    (folder / "bin" / "scancel").write_text("#!/bin/bash\n")
    slurm.cancel(["3"], timeout_s=0)
    assert "Slurm has not stopped all of them" in caplog.text
