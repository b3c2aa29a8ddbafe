"""Jobs in processes of this machine, as submitit starts them on a cluster: a fresh process and a log file for each."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from submitit.local.local import LocalExecutor, LocalJob

from src.launch.job import Job, Sweep
from src.launch.lifeline import lifeline
from src.launch.resources import places
from src.launch.submission import Submission, has_result, outcome
from src.launch.turns import Running, take_turns

_POLL_S = 0.2

Handle = LocalJob[JobReturn]


def run_locally(sweep: Sweep, jobs: Sequence[Job], *, n_jobs: int, folder: str, timeout_min: int) -> list[JobReturn]:
    """Run the jobs, and tell how each ended, in their order.

    Args:
        sweep: What they share.
        jobs: The jobs.
        n_jobs: Jobs at once; -1 for one per GPU where there are several, else one per core.
        folder: Where submitit puts its files; ``%j`` stands for its name of a job.
        timeout_min: After this many minutes a job is stopped.
    """
    environments = places(n_jobs, n_waiting=len(jobs))

    def start(job: Job, place: int) -> Handle:
        executor = _Executor(folder, environments[place], timeout_min=timeout_min)
        handle = executor.submit(Submission(sweep, job, lifeline()))
        assert isinstance(handle, LocalJob)
        return handle

    return take_turns(jobs, len(environments), start=start, ended=_ended, outcome=_outcome, stop=_kill)


def _ended(running: Running[Handle]) -> list[Handle]:
    time.sleep(_POLL_S)
    return [handle for handle in running if handle.done()]


def _outcome(handle: Handle, job: Job, _: int) -> JobReturn:
    if has_result(handle):
        return outcome(handle, job)
    said = Path(handle.paths.stdout)
    return job.lost(f"its process was killed (out of memory?); its output is in {said}; repeat the command to go on")


def _kill(running: Running[Handle]) -> None:
    for handle in running:
        process = handle._process
        assert process is not None
        # it leads the group of all that it has started
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class _Executor(LocalExecutor):
    """Submitit's, with an environment and a process group per job; Ctrl-C in the terminal leaves the latter alone."""

    def __init__(self, folder: str, environment: Mapping[str, str], *, timeout_min: int) -> None:
        super().__init__(folder, max_num_timeout=0)
        self.environment = environment
        self.update_parameters(timeout_min=timeout_min)

    def _submit_command(self, command: str) -> LocalJob[Any]:
        settings = {
            "SUBMITIT_EXECUTOR": "local",
            "SUBMITIT_LOCAL_COMMAND": command,
            "SUBMITIT_LOCAL_JOB_NUM_NODES": "1",
            "SUBMITIT_LOCAL_NODEID": "0",
            "SUBMITIT_LOCAL_NTASKS": "1",
            "SUBMITIT_LOCAL_SIGNAL_DELAY_S": "30",
            "SUBMITIT_LOCAL_TIMEOUT_S": str(60 * self.parameters["timeout_min"]),
            "SUBMITIT_LOCAL_WITH_SHELL": "",
            "SUBMITIT_STDERR_TO_STDOUT": "1",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "submitit.local._local", str(self.folder)],
            env={**os.environ, **self.environment, **settings},
            start_new_session=True,
        )
        return LocalJob(folder=self.folder, job_id=str(process.pid), process=process)
