"""What a run computes: build, fit, measure. Loads torch; `src.train` claims the directory before, and records after."""

import logging

from omegaconf import DictConfig

from src.build import build
from src.callbacks.final import tell_loggers
from src.callbacks.hints import found_by
from src.checks.device import describe_device
from src.compat.lightning import interruptible
from src.console.results import print_config
from src.measure import measure
from src.record import Fitted
from src.run.directory import RunDir
from src.tasks.checkpoint import load_checkpoint

log = logging.getLogger(__name__)


def fit(cfg: DictConfig, run: RunDir, *, resume: bool, show: bool) -> Fitted:
    """Train a network and measure it.

    Args:
        cfg: A composed configuration of conf/train.yaml.
        run: Where the run leaves its files.
        resume: Whether it goes on from its last checkpoint.
        show: Whether the configuration is printed once it is known to fit together.
    """
    built = build(cfg)
    if show:
        print_config(cfg)
    trainer, task = built.trainer, built.task
    if trainer.is_global_zero:
        log.info(describe_device(cfg.trainer.accelerator, trainer))
    last = run.checkpoint("last") if resume else None
    if last is not None:
        # a clear error, should it be broken, before Lightning meets it
        load_checkpoint(last)
    with interruptible():
        built.fit(checkpoint=last)
        # the last weights are those that it has
        measured = measure(built, checkpoint=run.checkpoint("best") if run.tested(cfg) == "best" else None)
    metrics = {**task.fitted, **measured.metrics}
    if trainer.is_global_zero:
        tell_loggers(cfg, built.loggers, metrics, step=trainer.current_epoch)
    # of several processes all come this far, or none: this raises where one of them has ended
    trainer.strategy.barrier()
    return Fitted(
        metrics=metrics,
        per_class=measured.per_class,
        hints=found_by(trainer),
        device=str(trainer.strategy.root_device),
        n_parameters=sum(p.numel() for p in task.net.parameters()),
        weights=measured.weights,
    )
