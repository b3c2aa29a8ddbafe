"""A callback of Hydra that writes down what it hears of jobs."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

log = logging.getLogger(__name__)


class Heard(Callback):
    """Writes a line for every call into a file of the sweep.

    Args:
        file: Where to.
    """

    def __init__(self, file: str) -> None:
        self.file, self.number, self.calls = Path(file), -1, 0

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        self.number = config.hydra.job.num
        log.info("hears the beginning")
        self._say("start", config, function=kwargs["task_function"] is not None, env=os.environ.get("NOISE"))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        self.calls += 1
        value = job_return._return_value
        cfg = {"seed": job_return.cfg.seed, "overrides": job_return.overrides}  # type: ignore[union-attr] # it is there
        hydra = {"num": job_return.hydra_cfg.hydra.job.num, "name": job_return.task_name}  # type: ignore[union-attr]
        self._say("end", config, value=repr(value), status=str(job_return.status), env=os.environ.get("NOISE"))
        self._say("return", config, **cfg, **hydra, cwd=job_return.working_dir)

    def _say(self, what: str, config: DictConfig, **more: Any) -> None:
        own: dict[str, Any] = {
            "number": self.number,
            "num": config.hydra.job.num,
            "calls": self.calls,
            "seed": config.seed,
            "run_dir": Path(config.run_dir).name,
            "asked": HydraConfig.get().job.num,
        }
        with self.file.open("a") as file:
            file.write(json.dumps({"what": what, **own, **more}) + "\n")
