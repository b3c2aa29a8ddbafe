"""What happens once a job of a sweep is over: nothing of it stays in memory."""

from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig


class AfterJob(Callback):
    """Lets go of a job's configuration, of which Hydra would keep two copies for every job until the sweep ends.

    They are thousands of objects, and most of what a worker process sends back. Whoever asks what a job was finds its
    configuration in its directory. Hydra makes this from conf/hydra/default.yaml.
    """

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Forget them, and keep how the job has ended."""
        if config.hydra.mode == RunMode.MULTIRUN:
            job_return.cfg = job_return.hydra_cfg = None
