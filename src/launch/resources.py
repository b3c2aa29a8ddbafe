"""How jobs on one machine share its cores and GPUs. Decided before torch is imported, which reads it only once."""

import os
import subprocess
from collections.abc import Mapping
from typing import Any

THREADS = "OMP_NUM_THREADS"
GPUS = "CUDA_VISIBLE_DEVICES"


def n_cores() -> int:
    """Cores that this process may use, in a container or under a scheduler too."""
    from joblib import cpu_count

    return int(cpu_count())


def visible_gpus(environ: Mapping[str, str] = os.environ) -> list[str]:
    """What CUDA_VISIBLE_DEVICES lists, else all NVIDIA GPUs of this machine by number."""
    if GPUS in environ:
        return [name.strip() for name in environ[GPUS].split(",") if name.strip()]
    try:
        listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    # parts of a GPU are listed below it
    return [str(i) for i in range(sum(line.startswith("GPU ") for line in listed.splitlines()))]


def share(n_jobs: int, *, cores: int, gpus: list[str], environ: Mapping[str, str] = os.environ) -> list[dict[str, str]]:
    """Environment of each of the jobs that run side by side.

    Args:
        n_jobs: How many there are.
        cores: Cores that they share; each gets an equal part as threads, unless OMP_NUM_THREADS is set already.
        gpus: GPUs that they share: with several, each job sees one.
        environ: The environment that they inherit.
    """
    threads = {} if THREADS in environ else {THREADS: str(max(1, cores // n_jobs))}
    pin = n_jobs > 1 and len(gpus) > 1
    return [{**threads, **({GPUS: gpus[i % len(gpus)]} if pin else {})} for i in range(n_jobs)]


def slot_environments(n_at_once: int, *, n_jobs: int) -> list[dict[str, str]]:
    """Environment of each slot in which a job can run on this machine.

    Args:
        n_at_once: Jobs at once, as `jobs_at_once` takes it.
        n_jobs: Jobs that there are; no more slots than that are made.
    """
    cores, gpus = n_cores(), visible_gpus()
    return share(min(jobs_at_once(n_at_once, cores=cores, gpus=gpus), n_jobs), cores=cores, gpus=gpus)


def jobs_at_once(asked: int, *, cores: int, gpus: list[str]) -> int:
    """Turn a negative number of jobs into a count: -1 is one per GPU where there are several, else one per core.

    Args:
        asked: As joblib counts it: -2 is one less than -1.
        cores: Cores of this machine.
        gpus: GPUs of this machine.

    Raises:
        ConfigError: If it is 0.
    """
    from src.config.errors import ConfigError

    if asked == 0:
        raise ConfigError("hydra.launcher.n_jobs: got 0; allowed: a number of jobs, or -1 for one per core")
    most = len(gpus) if len(gpus) > 1 else cores
    return asked if asked > 0 else max(1, most + 1 + asked)


def cap_threads(cores: Any) -> None:
    """Give torch this many threads in this process, unless OMP_NUM_THREADS is set already; None changes nothing."""
    if cores is not None:
        os.environ.setdefault(THREADS, str(cores))
