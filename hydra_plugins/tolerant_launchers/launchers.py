"""What Hydra sees of the launchers. It imports this at every start, so src.launch does the work, imported late."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin

if TYPE_CHECKING:
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from src.launch.job import JobSpec, Sweep
    from src.launch.joblib_workers import JoblibWorkers


_PRESETS = ("joblib", "submitit_local", "submitit_slurm", "ray")


class OwnPresets(SearchPathPlugin):
    """Let conf/hydra/launcher stand alone where Hydra's plugins with the same option names are installed as well.

    Hydra would hold our files to the schema of theirs. This runs once all plugins are known.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:  # noqa: ARG002
        """Forget their options."""
        launchers = ConfigStore.instance().repo["hydra"]["launcher"]
        for name in _PRESETS:
            launchers.pop(f"{name}.yaml", None)


class _Tolerant(Launcher):
    """Numbers and announces the jobs; a subclass runs them."""

    # the package that does it, and the extra that brings it
    needs = ("", "")

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra hands over before the first launch."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run a job for each command line, and return how each ended, in their order."""
        from hydra.core.utils import configure_log, setup_globals

        from src.config.errors import ConfigError
        from src.launch.job import Sweep

        package, extra = self.needs
        if find_spec(package) is None:
            option = self.config.hydra.runtime.choices["hydra/launcher"]
            raise ConfigError(f"hydra/launcher={option} needs the package {package}: pip install -e .[{extra}]")
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        sweep = Sweep(self.hydra_context, self.task_function, self.config)
        return self.run(sweep, sweep.announce(job_overrides, first=initial_job_idx))

    # abstract, so that Hydra, which lists plugins, passes this class over
    @abstractmethod
    def run(self, sweep: Sweep, jobs: Sequence[JobSpec]) -> Sequence[JobReturn]:
        """Run jobs, and return how each ended, in their order."""


class JoblibLauncher(_Tolerant):
    """Processes of this machine, each for many jobs.

    Args:
        n_jobs: Jobs at once.
    """

    needs = ("joblib", "sweeps")

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = n_jobs
        self.workers: JoblibWorkers | None = None

    def run(self, sweep: Sweep, jobs: Sequence[JobSpec]) -> Sequence[JobReturn]:
        """Run jobs, and return how each ended, in their order."""
        from src.launch.joblib_workers import JoblibWorkers

        self.workers = self.workers or JoblibWorkers(self.n_jobs)
        return self.workers.run(sweep, jobs)


class SubmititLocalLauncher(_Tolerant):
    """Processes of this machine, a fresh one for each job.

    Args:
        n_jobs: Jobs at once.
        timeout_min: Minutes after which a job is stopped.
        submitit_folder: Where submitit puts its files.
    """

    needs = ("submitit", "sweeps")

    def __init__(self, n_jobs: int, timeout_min: int, submitit_folder: str) -> None:
        self.n_jobs, self.timeout_min, self.submitit_folder = n_jobs, timeout_min, submitit_folder

    def run(self, sweep: Sweep, jobs: Sequence[JobSpec]) -> Sequence[JobReturn]:
        """Run jobs, and return how each ended, in their order."""
        from src.launch.local import run_locally

        return run_locally(sweep, jobs, n_jobs=self.n_jobs, folder=self.submitit_folder, timeout_min=self.timeout_min)


class SubmititSlurmLauncher(_Tolerant):
    """A Slurm queue.

    Args:
        **parameters: Options of sbatch and submitit, as in conf/hydra/launcher/submitit_slurm.yaml.
    """

    needs = ("submitit", "sweeps")

    def __init__(self, **parameters: Any) -> None:
        self.parameters = parameters

    def run(self, sweep: Sweep, jobs: Sequence[JobSpec]) -> Sequence[JobReturn]:
        """Run jobs, and return how each ended, in their order."""
        from omegaconf import OmegaConf

        from src.launch.slurm import run_on_slurm

        parameters = {k: OmegaConf.to_object(v) if OmegaConf.is_config(v) else v for k, v in self.parameters.items()}
        return run_on_slurm(sweep, jobs, parameters)


class RayLauncher(_Tolerant):
    """A Ray cluster.

    Args:
        ray: ``init`` for ``ray.init`` and ``remote`` for ``ray.remote``.
    """

    needs = ("ray", "ray")

    def __init__(self, ray: DictConfig) -> None:
        self.ray = ray

    def run(self, sweep: Sweep, jobs: Sequence[JobSpec]) -> Sequence[JobReturn]:
        """Run jobs, and return how each ended, in their order."""
        from omegaconf import OmegaConf

        from src.launch.ray_tasks import run_on_ray

        arguments: Any = OmegaConf.to_container(self.ray, resolve=True)
        return run_on_ray(sweep, jobs, init=arguments["init"], remote=arguments["remote"])
