"""How a run has ended, written into its directory: for a single run, a job of a sweep and a stacked model alike."""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from src.config.command.flags import of_one_run
from src.config.compose import given_overrides
from src.config.errors import ConfigError
from src.console.terminal import shown
from src.hints.rules import Hint, as_record, of_error
from src.launch.ranks import is_first_process
from src.run.directory import OtherRunError, RunDir
from src.run.lock import LockedError
from src.run.result import Failure, Metric, Result, Status
from src.run.trial import PrunedError

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What is known of a network once it is trained and measured; as in `src.run.result.Result`."""

    metrics: Mapping[str, float]
    per_class: Sequence[Mapping[str, Any]]
    hints: Sequence[Hint]
    device: str
    n_parameters: int
    weights: str
    threads: int | None = None


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """Writes the result of a run: the one place that does so, however the run ends.

    Attributes:
        run: Its directory.
        cfg: Its configuration, of OmegaConf or as plain containers without references.
        overrides: What that was composed from.
        is_job: Whether it is a job of a sweep.
        is_first: Whether this process keeps the records, of several that train the run; a failure is recorded by each.
        started: When it began, on the clock of `time.monotonic`.
    """

    run: RunDir
    cfg: Mapping[str, Any]
    overrides: Sequence[str]
    is_job: bool
    is_first: bool = True
    started: float = field(default_factory=time.monotonic)

    def stored(self) -> Result:
        """The result of a run that has ended well before."""
        result = self.run.result()
        assert result is not None
        log.info("already %s: %s", result.status, shown(self.run.path))
        return result

    def completed(self, fitted: Fitted) -> Result:
        """Record a run that has come to its end."""
        hints = self._records(fitted.hints)
        return self._write("completed", **{**vars(fitted), "hints": hints})

    def pruned(self, pruned: PrunedError) -> Result:
        """Record a run that its search has ended: what was measured so far."""
        return self._write("pruned", metrics=pruned.metrics, epoch=pruned.epoch)

    def failed(self, error: BaseException) -> Result:
        """Record a run that has raised; of several processes the first one that fails says why."""
        found = self.run.result()
        if found is not None:
            return found
        cfg = self.cfg if isinstance(self.cfg, DictConfig) else OmegaConf.create(dict(self.cfg))
        hints = self._records(of_error(error, cfg))
        return self._write("failed", error=Failure.of(error), hints=hints)

    def _records(self, hints: Sequence[Hint]) -> list[dict[str, str]]:
        # a job of a sweep is tried again by itself
        command = of_one_run(self.overrides) if self.is_job else self.overrides
        return [as_record(hint, command) for hint in hints]

    def _write(self, status: Status, **fields: Any) -> Result:
        # a configuration that is refused may hold neither
        name, seed = self.cfg.get("optimized_metric"), self.cfg.get("seed")
        result = Result(
            status=status,
            seed=seed if type(seed) is int else None,
            overrides=list(self.overrides),
            optimized_metric=Metric(str(name), fields["metrics"].get(name)) if "metrics" in fields else None,
            duration_s=time.monotonic() - self.started,
            **fields,
        )
        if self.is_first or status == "failed":
            self.run.write_result(result)
        return result


def record_failed_job(cfg: DictConfig, error: Exception, message: str) -> float:
    """Record a job of a sweep that has failed, wherever it did, so that the other jobs go on.

    Args:
        cfg: Its configuration.
        error: What it has raised.
        message: What its log says.

    Returns:
        What a sweeper is told of it: NaN.

    Raises:
        Exception: The error itself, where the record in the directory belongs to somebody else.
    """
    if isinstance(error, (OtherRunError, LockedError)) or not is_first_process():
        raise error
    hydra_cfg: Any = HydraConfig.get()
    run = RunDir(Path(cfg.run_dir))
    try:
        if run.result() is None:
            # it failed before it began
            overrides = given_overrides(hydra_cfg)
            run.claim(cfg, overrides=overrides, hydra_cfg=hydra_cfg)
            Recorder(run=run, cfg=cfg, overrides=overrides, is_job=True).failed(error)
    except OtherRunError:
        raise
    except ConfigError:
        # what is there cannot be read, and is left to whoever mends it
        pass
    log.error("failed: %s", message)
    return math.nan
