"""Jobs as tasks of a Ray cluster: one that runs already, or one that is started on this machine for the sweep."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from hydra.core.utils import JobReturn

from src.config.errors import ConfigError
from src.launch.job import JobSpec, Sweep
from src.launch.parent_death import sigterm_exits

log = logging.getLogger(__name__)


def run_on_ray(
    sweep: Sweep, jobs: Sequence[JobSpec], *, init: Mapping[str, Any], remote: Mapping[str, Any]
) -> list[JobReturn]:
    """Run the jobs, and return how each ended, in their order.

    Args:
        sweep: What they share.
        jobs: The jobs.
        init: Arguments of ``ray.init``.
        remote: Resources of a job, as ``ray.remote`` takes them; without ``num_gpus``, a GPU if there is one.

    Raises:
        ConfigError: If there is no such cluster, or it has no node that can give a job what it asks for.
    """
    # what a job prints is in its own log; Ray would mix all of them on this console
    try:
        ray.init(**{"log_to_driver": False, "logging_level": "warning", **init})
    except ConnectionError as error:
        raise ConfigError(f"hydra.launcher.ray.init.address={init.get('address')}: {_first_line(error)}") from error
    tasks: list[Any] = []
    try:
        with sigterm_exits():
            needs = _needs(remote)
            run = ray.remote(**needs)(_run)
            shared = ray.put(sweep)
            tasks = [run.remote(shared, job) for job in jobs]
            return [_outcome(task, job) for task, job in zip(tasks, jobs, strict=True)]
    except BaseException:
        for task in tasks:
            # what has ended is left alone
            ray.cancel(task, force=True)
        raise
    finally:
        ray.shutdown()


def _run(sweep: Sweep, job: JobSpec) -> JobReturn:
    return sweep.run(job, job_id=ray.get_runtime_context().get_task_id())


def _outcome(task: Any, job: JobSpec) -> JobReturn:
    try:
        result: JobReturn = ray.get(task)
    except ray.exceptions.RayError as error:
        return job.died(f"{type(error).__name__}: {_first_line(error)}; repeat the command to go on")
    return result


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _needs(remote: Mapping[str, Any]) -> dict[str, Any]:
    needs = {key: value for key, value in remote.items() if value is not None}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    needs.setdefault("num_gpus", 1 if any(node.get("GPU") for node in nodes) else 0)
    for key, resource in (("num_cpus", "CPU"), ("num_gpus", "GPU")):
        most = max(node.get(resource, 0) for node in nodes)
        if needs.get(key, 0) > most:
            raise ConfigError(f"hydra.launcher.ray.remote.{key}: got {needs[key]}; the largest node has {most:g}")
    return needs
