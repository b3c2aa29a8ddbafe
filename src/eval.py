"""Evaluate a finished run again: ``python -m src.eval run=DIR``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":  # in the place of the current folder, which may be that of a stranger
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C while modules are imported, and once all is said, wants no traceback of either
        signal.signal(signal.SIGINT, signal.SIG_DFL)

from omegaconf import DictConfig

from src.compat.torchmetrics import without_scipy_signal
from src.config.command.entry import entry
from src.config.compose import override
from src.config.errors import ConfigError
from src.config.stored import import_from_here, trusted_modules
from src.console.results import print_results, print_temperature
from src.run.directory import RunDir

if TYPE_CHECKING:
    from src.measure import Evaluation

log = logging.getLogger(__name__)


def evaluate(cfg: DictConfig) -> Evaluation:
    """Rebuild a run from its directory alone, and measure validation and test.

    Args:
        cfg: Holds ``run``, ``checkpoint``, ``overrides`` of the run's own configuration and ``trusted_modules``.

    Raises:
        ConfigError: If the directory, the checkpoint or an override does not fit.
    """
    run = RunDir(Path(cfg.run).expanduser())
    trusted = trusted_modules(cfg.get("trusted_modules"))
    stored = run.config(trusted=trusted)
    run_cfg = override(stored, cfg.overrides)
    with without_scipy_signal():  # and with these torch
        from src.build import build
        from src.checks.targets import check_targets
        from src.data.base import InMemoryDataModule
        from src.measure import measure

    check_targets(stored, trusted=trusted)
    fits = _fits_temperature(cfg)
    built = build(run_cfg, evaluate_only=True)
    if fits:
        from src.tasks.temperature import refuse_no_classes

        refuse_no_classes(built.task)
    # a path that is given is another table by choice
    given = {line.lstrip("+").partition("=")[0] for line in cfg.overrides}
    is_in_memory = isinstance(built.datamodule, InMemoryDataModule) and "data.path" not in given
    if is_in_memory and (changed := built.datamodule.changed):
        if fits:
            raise ConfigError(f"temperature=fit: {changed}. Put the file back, or train again")
        log.warning(changed)
    measured = measure(built, checkpoint=run.checkpoint(cfg.checkpoint))
    print_results(vars(measured), run_dir=run.path)
    if fits:
        from src.tasks.temperature import calibrate, keep

        calibration = calibrate(built.task, built.datamodule)
        if calibration.is_at_bound:
            log.warning(
                "no temperature fits a part that is answered without a mistake, or with nothing else: none is stored"
            )
        else:
            keep(run, calibration, weights=measured.weights)
            print_temperature(calibration.temperature, calibration.before, calibration.after, path=run.calibration_file)
    return measured


def _fits_temperature(cfg: DictConfig) -> bool:
    """Whether a temperature is asked for.

    Raises:
        ConfigError: If that is anything but ``fit``, or the run is not to be as it was.
    """
    asked = cfg.get("temperature")
    if asked not in (None, "fit"):
        raise ConfigError(f"temperature={asked}: allowed: fit, or null for none")
    if asked and cfg.overrides:
        raise ConfigError(f"temperature=fit is for the run as it is stored; leave out {' '.join(cfg.overrides)}")
    return asked is not None


@entry("eval", rest="overrides")
def main(cfg: DictConfig) -> None:
    """Command line."""
    import_from_here(trusted_modules(cfg.trusted_modules))
    evaluate(cfg)


if __name__ == "__main__":
    main()
