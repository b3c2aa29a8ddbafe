"""Jobs in a Slurm queue, through submitit, as one job array.

Whether a job is still there is asked of ``squeue``, which always answers; submitit asks ``sacct``, which needs Slurm's
accounting, and waits for ever for a killed job where there is none.
"""

import logging
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn

from src.config.errors import ConfigError
from src.launch.job import JobSpec, Sweep
from src.launch.parent_death import sigterm_exits
from src.launch.submission import Submission, has_result, outcome

if TYPE_CHECKING:
    from submitit import AutoExecutor
    from submitit import Job as Handle

log = logging.getLogger(__name__)

_OF_SUBMITIT = ("submitit_folder", "max_num_timeout")

# Slurm's default MaxArraySize is 1001.
_ARRAY_SIZE = 1000

# A finished job's result may take this long to show on a network file system.
_GRACE_S = 10.0

# Results are looked for this often, and Slurm is asked this often at first.
_POLL_S, _ASK_S = 1.0, 2.0

# all others are ends
_ALIVE = {
    "CONFIGURING",
    "COMPLETING",
    "PENDING",
    "RESIZING",
    "RUNNING",
    "SIGNALING",
    "STAGE_OUT",
    "STOPPED",
    "SUSPENDED",
}
_ALIVE |= {"REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}


def run_on_slurm(sweep: Sweep, jobs: Sequence[JobSpec], parameters: Mapping[str, Any]) -> list[JobReturn]:
    """Queue the jobs, wait for all, and return how each ended, in their order.

    Args:
        sweep: What they share.
        jobs: The jobs.
        parameters: What submitit takes for Slurm, and ``submitit_folder``, where it puts its files.

    Raises:
        ConfigError: If there is no Slurm here, or it does not take such jobs.
    """
    import submitit

    if shutil.which("sbatch") is None or shutil.which("srun") is None:
        raise ConfigError("hydra/launcher=submitit_slurm: sbatch and srun are not here; start it where they are")

    folder = str(parameters["submitit_folder"])
    _cancel_earlier(folder)
    rest = {f"slurm_{key}": value for key, value in parameters.items() if key not in _OF_SUBMITIT}
    executor = submitit.AutoExecutor(folder, cluster="slurm", slurm_max_num_timeout=parameters["max_num_timeout"])
    executor.update_parameters(**rest)
    handles: list[Handle[JobReturn]] = []
    try:
        with sigterm_exits():
            for start in range(0, len(jobs), _ARRAY_SIZE):
                handles += _submit(executor, [Submission(sweep, job) for job in jobs[start : start + _ARRAY_SIZE]])
            log.info("queued as %s", ", ".join(sorted(_arrays(handle.job_id for handle in handles))))
            return _gather(dict(zip(jobs, handles, strict=True)))
    except BaseException:
        cancel(handle.job_id for handle in handles if not has_result(handle))
        raise


def _submit(executor: "AutoExecutor", submissions: "Sequence[Submission]") -> "list[Handle[JobReturn]]":
    from submitit.core.utils import FailedJobError

    try:
        return executor.submit_array(submissions)
    except FailedJobError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ConfigError(f"hydra/launcher=submitit_slurm: Slurm refuses such jobs: {reason}") from error


def cancel(job_ids: Iterable[str], *, timeout_s: float = 60) -> None:
    """Take jobs out of the queue, and wait until they are gone, so that nobody trains in their directories."""
    ids = list(job_ids)
    if not ids:
        return
    log.warning("cancelling %d jobs in the queue", len(ids))
    subprocess.run(["scancel", *_compact(ids)], check=False)
    deadline = time.monotonic() + timeout_s
    while _ALIVE.intersection((states(ids) or {}).values()):
        if time.monotonic() > deadline:
            log.warning("Slurm has not stopped all of them after %d s", timeout_s)
            return
        time.sleep(_POLL_S)


def states(job_ids: Iterable[str]) -> dict[str, str] | None:
    """Slurm's word for the state of each job that it still knows, by id; None if Slurm does not answer."""
    wanted = set(job_ids)
    command = [
        "squeue",
        "--noheader",
        "--array",
        "--states=all",
        "--format=%i %T",
        f"--jobs={','.join(_arrays(wanted))}",
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0 and "Invalid job id" not in answer.stderr:
        return None
    pairs = (line.split() for line in answer.stdout.splitlines())
    return {name: state for name, state in pairs if name in wanted}


def _gather(handles: "Mapping[JobSpec, Handle[JobReturn]]") -> list[JobReturn]:
    returns: dict[JobSpec, JobReturn] = {}
    gone_since: dict[JobSpec, float] = {}
    pause, asked = _ASK_S, 0.0
    while len(returns) < len(handles):
        time.sleep(_POLL_S)
        waiting = {job: handle for job, handle in handles.items() if job not in returns}
        finished = [job for job, handle in waiting.items() if has_result(handle)]
        returns.update({job: outcome(handles[job], job) for job in finished})
        if time.monotonic() < asked + pause:
            continue
        # a long queue is asked less and less often
        asked, pause = time.monotonic(), _ASK_S if finished or gone_since else min(1.5 * pause, 30.0)
        found = states(handle.job_id for handle in waiting.values())
        if found is None:
            continue
        for job, handle in waiting.items():
            state = found.get(handle.job_id, "no longer known")
            if state in _ALIVE or job in returns:
                gone_since.pop(job, None)
            elif asked > gone_since.setdefault(job, asked) + _GRACE_S:
                returns[job] = _died(handle, job, state)
    return [returns[job] for job in handles]


def _died(handle: "Handle[JobReturn]", job: JobSpec, state: str) -> JobReturn:
    return job.died(
        f"Slurm says {state} of {handle.job_id}; its output is in {handle.paths.stdout}; repeat the command to go on"
    )


def _cancel_earlier(folder: str) -> None:
    """Cancel what a killed sweep has left in the queue: it would train in the directories of this one."""
    from submitit.core.utils import JobPaths

    submitted = JobPaths.get_first_id_independent_folder(folder).rglob("*_submitted.pkl")
    ids = {path.name.removesuffix("_submitted.pkl") for path in submitted}
    found = states(ids) if ids else None
    cancel(name for name, state in (found or {}).items() if state in _ALIVE)


def _arrays(job_ids: Iterable[str]) -> set[str]:
    return {name.split("_")[0] for name in job_ids}


def _compact(job_ids: Sequence[str]) -> list[str]:
    """As few words as scancel needs: elements of an array in brackets."""
    elements: dict[str, list[str]] = {}
    for name in job_ids:
        array, _, index = name.partition("_")
        elements.setdefault(array, []).append(index)
    return [f"{array}_[{','.join(indices)}]" if indices[0] else array for array, indices in elements.items()]
