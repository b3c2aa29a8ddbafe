"""Evaluate a finished run again: ``python -m src.eval run=DIR``."""

from __future__ import annotations

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
from src.config.stored import import_from_here, trusted_modules
from src.console.results import print_results
from src.run.directory import RunDir

if TYPE_CHECKING:
    from src.measure import Evaluation


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
        from src.measure import measure

    check_targets(stored, trusted=trusted)
    measured = measure(build(run_cfg, evaluate_only=True), checkpoint=run.checkpoint(cfg.checkpoint))
    print_results(vars(measured), run_dir=run.path)
    return measured


@entry("eval", rest="overrides")
def main(cfg: DictConfig) -> None:
    """Command line."""
    import_from_here(trusted_modules(cfg.trusted_modules))
    evaluate(cfg)


if __name__ == "__main__":
    main()
