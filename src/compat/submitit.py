"""Private parts of submitit: how it starts a job on this machine.

`submitit.LocalExecutor` hands a job its own environment, hides all GPUs that are not asked for by number, and starts it
in the process group of this program, so that Ctrl-C ends it at once, and killing it leaves its children. Its public
options change none of this: ``setup`` runs shell commands before, in the same group. So one method of it is replaced.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from submitit.local.local import LocalExecutor
from submitit.local.local import LocalJob as SubmititJob

R = TypeVar("R")


class LocalJob(SubmititJob[R]):
    """A job in a process group of its own.

    Args:
        folder: Where submitit puts its files.
        process: What runs it, the leader of its group.
    """

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        super().__init__(folder, job_id=str(process.pid), process=process)
        self._leader = process

    def ask(self) -> None:
        """Ask it to end by SIGTERM, which the leader hands on."""
        self._leader.terminate()

    def kill(self, *, grace_s: float = 0.0) -> None:
        """Give it so many seconds to end, then kill it with all that it has started, and wait for its end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._leader.wait(grace_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._leader.pid, signal.SIGKILL)
        self._leader.wait()


class LocalGroupExecutor(LocalExecutor):
    """Starts jobs on this machine, each in a process group and an environment of its own.

    Args:
        folder: Where submitit puts its files; ``%j`` stands for its name of a job.
        environment: What a job's environment has beside that of this process.
        timeout_min: After this many minutes a job is stopped.
    """

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
        return LocalJob(self.folder, process)
