"""Train, evaluate and record one run: ``python -m src.train model=circle_v2 data=circles``."""

from __future__ import annotations

import logging
import math
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from src.compat.torchmetrics import without_scipy_signal
from src.config.compose import entry
from src.run.lock import HeldError, held

if TYPE_CHECKING:
    from src.run.directory import RunDir

log = logging.getLogger(__name__)


def train(cfg: DictConfig, *, overrides: Sequence[str] = (), hydra_cfg: DictConfig | None = None) -> float | None:
    """Train in ``cfg.run_dir``, or take up what an earlier call with the same configuration has left there.

    Args:
        cfg: A composed configuration of conf/train.yaml.
        overrides: What it was composed from, for the records.
        hydra_cfg: Hydra's own configuration, for the records.

    Returns:
        The value of ``cfg.optimized_metric``.

    Raises:
        ConfigError: If the configuration holds an error, or the directory belongs to another one, or to a command that
            is still running.
    """
    from src.run.directory import PrunedError, RunDir, is_first_process

    run = RunDir(Path(cfg.run_dir))
    if not is_first_process():
        # one of several that train one model: the first keeps the records
        try:
            return _value(_run(cfg, run, resume=(run.checkpoints / "last.ckpt").is_file())["optimized_metric"])
        except PrunedError as pruned:
            return pruned.metrics.get(cfg.optimized_metric)
    with held(run.path, key="run_dir"):
        return _train(cfg, run, overrides=overrides, hydra_cfg=hydra_cfg)


def _train(cfg: DictConfig, run: RunDir, *, overrides: Sequence[str], hydra_cfg: DictConfig | None) -> float | None:
    from src.console.results import print_hints, print_results
    from src.hints.rules import as_record, of_error
    from src.run.directory import PrunedError

    claim = run.claim(cfg, overrides=overrides, hydra_cfg=hydra_cfg)
    if claim == "completed":
        result = run.result()
        assert result is not None
        log.info("already %s: %s", result["status"], run.path)
        return _value(result["optimized_metric"])
    started = time.monotonic()
    about = {"seed": cfg.seed, "overrides": list(overrides)}
    # what a hint's command begins with: a job of a sweep is tried again by itself
    alone = [*overrides, "hydra.mode=RUN"] if _is_job(hydra_cfg) else overrides
    try:
        result = _run(cfg, run, resume=claim == "resume", show=not _is_job(hydra_cfg))
    except PrunedError as pruned:
        value = pruned.metrics.get(cfg.optimized_metric)
        metric = {"name": cfg.optimized_metric, "value": value}
        run.prune(pruned, **about, optimized_metric=metric, duration_s=time.monotonic() - started)
        log.info("%s: %s", pruned, run.path)
        return value
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit):
            _explain_interrupt(run, hydra_cfg)
        hints = [as_record(hint, alone) for hint in of_error(error, cfg)]
        run.fail(error, **about, hints=hints, duration_s=time.monotonic() - started)
        if not _is_job(hydra_cfg):
            print_hints(hints)
        raise
    result["hints"] = [as_record(hint, alone) for hint in result["hints"]]
    run.finish(**about, **result, duration_s=time.monotonic() - started)
    if _is_job(hydra_cfg):
        log.info("%s=%.4f in %s", *result["optimized_metric"].values(), run.path)
    else:
        print_results(result, run_dir=run.path)
    return _value(result["optimized_metric"])


def _value(metric: dict[str, Any]) -> float | None:
    value: float | None = metric["value"]
    return value


def _explain_interrupt(run: RunDir, hydra_cfg: DictConfig | None) -> None:
    # Lightning turns Ctrl-C into SystemExit and leaves SIGINT ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not _is_job(hydra_cfg):
        log.warning("interrupted; the same command with hydra.run.dir=%s goes on from the last checkpoint", run.path)
    raise KeyboardInterrupt


def _is_job(hydra_cfg: DictConfig | None) -> bool:
    """Whether this is one of the many runs of a sweep, whose end shows them in tables."""
    return hydra_cfg is not None and hydra_cfg.mode.name == "MULTIRUN"


def _run(cfg: DictConfig, run: RunDir, *, resume: bool, show: bool = False) -> dict[str, Any]:
    with without_scipy_signal():
        from src.build import build
        from src.callbacks.final import tell_loggers
        from src.callbacks.hints import found_by
        from src.checks.device import describe_device
        from src.measure import measure
        from src.tasks.checkpoint import load_checkpoint

    from src.console.results import print_config

    built = build(cfg)
    if show:
        print_config(cfg)
    log.info(describe_device(cfg.trainer.accelerator, built.trainer))
    last = run.checkpoints / "last.ckpt" if resume else None
    if last is not None:
        # a clear error, should it be broken, before Lightning meets it
        load_checkpoint(last)
    built.fit(checkpoint=last)
    best = run.checkpoints / "best.ckpt"
    measured = measure(built, checkpoint=best if cfg.evaluate == "best" and best.is_file() else None)
    metrics = {**built.task.fitted, **measured.metrics}
    tell_loggers(cfg, built.loggers, metrics, step=built.trainer.current_epoch)
    return {
        "optimized_metric": {"name": cfg.optimized_metric, "value": metrics[cfg.optimized_metric]},
        "metrics": metrics,
        "per_class": measured.per_class,
        "hints": found_by(built.trainer),
        "device": str(built.trainer.strategy.root_device),
        "n_parameters": sum(p.numel() for p in built.task.net.parameters()),
    }


def _keep_failure(cfg: DictConfig, error: Exception, message: str) -> float:
    """Record a failed job of a sweep where it ran, so that the other jobs go on."""
    from src.run.directory import OtherRunError, RunDir, is_first_process

    if isinstance(error, (OtherRunError, HeldError)) or not is_first_process():
        # the record that is there belongs to somebody else
        raise error
    run = RunDir(Path(cfg.run_dir))
    if run.result() is None:
        # it failed before it began
        hydra_cfg, overrides = _hydra()
        run.claim(cfg, overrides=overrides, hydra_cfg=hydra_cfg)
        run.fail(error, seed=OmegaConf.select(cfg, "seed"), overrides=overrides, duration_s=0.0)
    log.error("failed: %s", message)
    return math.nan


def _hydra() -> tuple[Any, list[str]]:
    """Hydra's own configuration, and the overrides as they were typed: one may hold an interpolation."""
    from hydra.core.hydra_config import HydraConfig

    hydra_cfg: Any = HydraConfig.get()
    typed = OmegaConf.to_container(hydra_cfg.overrides.task, resolve=False)
    return hydra_cfg, [str(override) for override in typed or ()]


def _end_of_sweep(error: BaseException | None) -> int:
    # loaded by Hydra's callback, if at all
    watch = sys.modules.get("src.sweep.guard")
    return watch.end_of_sweep(error) if watch else 0


@entry("train", tolerate=_keep_failure, at_end=_end_of_sweep)
def main(cfg: DictConfig) -> float | None:
    """Command line."""
    from src.launch import ranks

    hydra_cfg, overrides = _hydra()
    ranks.end_with_sweep()
    ranks.check_processes(cfg, hydra_cfg)
    if ranks.is_own_command(cfg, hydra_cfg):
        return ranks.run_as_command("src.train", overrides, Path(cfg.run_dir), cwd=Path(hydra_cfg.runtime.cwd))
    return train(cfg, overrides=overrides, hydra_cfg=hydra_cfg)


if __name__ == "__main__":
    main()
