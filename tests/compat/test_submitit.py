"""How submitit starts a job on this machine."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.compat.parts import part_of
from tests.waiting import is_running, wait_for


def facts() -> dict[str, Any]:
    return {"group": os.getpgrp(), "session": os.getsid(0), "mark": os.environ.get("MARK"), "path": os.environ["PATH"]}


def stay(file: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    Path(file).with_suffix(".new").write_text(f"{os.getpid()} {child.pid}")
    Path(file).with_suffix(".new").rename(file)
    child.wait()


def test_a_job_has_an_environment_and_a_process_group_of_its_own(tmp_path: Path) -> None:
    with part_of("submitit", "submitit"):
        from src.compat.submitit import LocalGroupExecutor

        executor = LocalGroupExecutor(str(tmp_path / "%j"), {"MARK": "mine"}, timeout_min=5)
        found = executor.submit(facts).result()
    assert found["mark"] == "mine"
    assert found["path"] == os.environ["PATH"]
    assert found["session"] == found["group"] != os.getpgrp()


def test_a_killed_job_takes_all_that_it_has_started_with_it(tmp_path: Path) -> None:
    started = tmp_path / "started"
    with part_of("submitit", "submitit"):
        from src.compat.submitit import LocalGroupExecutor, LocalJob

        executor = LocalGroupExecutor(str(tmp_path / "%j"), {}, timeout_min=5)
        job = executor.submit(stay, str(started))
        assert isinstance(job, LocalJob)
        wait_for(started.is_file, "the start of the job")
        assert not job.done()
        job.kill()
        assert job.done()
    for pid in map(int, started.read_text().split()):
        wait_for(lambda pid=pid: not is_running(pid), "the end of its processes")  # type: ignore[misc]


@pytest.mark.slow
def test_killing_a_job_that_has_ended_is_no_trouble(tmp_path: Path) -> None:
    with part_of("submitit", "submitit"):
        from src.compat.submitit import LocalGroupExecutor, LocalJob

        job = LocalGroupExecutor(str(tmp_path / "%j"), {}, timeout_min=5).submit(os.getpid)
        assert isinstance(job, LocalJob)
        assert job.result() > 0
        job.kill()
    with pytest.raises(ProcessLookupError):
        os.killpg(int(job.job_id), signal.SIGKILL)
