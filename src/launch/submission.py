"""What `slurm` and `local` share: a job as submitit carries it to another process, and what came of it."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn

from src.config.command import interrupts
from src.launch.job import JobSpec, Sweep
from src.launch.parent_death import die_with_parent
from src.launch.resources import cap_threads

if TYPE_CHECKING:
    import submitit


@dataclass(frozen=True)
class Submission:
    """A job that submitit pickles, calls elsewhere, and queues again once its time is up or its machine is wanted.

    Attributes:
        sweep: What all jobs share.
        job: The job.
        lock: `parent_lock` of the process that started the sweep, where that runs on the same machine.
    """

    sweep: Sweep
    job: JobSpec
    lock: Path | None = None

    def __call__(self) -> JobReturn:
        """Run the job."""
        import submitit

        cap_threads(os.environ.get("SLURM_CPUS_PER_TASK"))
        job_id = submitit.JobEnvironment().job_id
        if self.lock is None:
            return self.sweep.run(self.job, job_id=job_id)
        die_with_parent(self.lock)
        # on this machine SIGTERM ends a job; a cluster sends it to one that is to go on elsewhere
        with interrupts.handled(signal.SIGTERM):
            return self.sweep.run(self.job, job_id=job_id)

    def checkpoint(self) -> "submitit.helpers.DelayedSubmission":
        """The job again: its directory tells where to go on."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def has_result(handle: "submitit.Job[JobReturn]") -> bool:
    """Whether all its processes have written how they ended."""
    return all(handle.task(i).paths.result_pickle.exists() for i in range(handle.num_tasks))


def outcome(handle: "submitit.Job[JobReturn]", job: JobSpec) -> JobReturn:
    """How a job ended that has a result; of several processes, the first one."""
    try:
        return handle.results()[0]
    except Exception as error:
        return job.died(str(error))
