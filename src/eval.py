"""Evaluate a finished run again: ``python -m src.eval run=DIR``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # python src/eval.py: `src` stands beside this folder, not in it
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from omegaconf import DictConfig

from src.compat.torchmetrics import without_scipy_signal
from src.config.compose import override
from src.config.entry import entry
from src.console.results import print_results
from src.run.directory import RunDir

if TYPE_CHECKING:
    from src.measure import Evaluation


def evaluate(cfg: DictConfig) -> Evaluation:
    """Rebuild a run from its directory alone, and measure validation and test.

    Args:
        cfg: Holds ``run``, ``checkpoint`` and ``overrides`` of the run's own configuration.

    Raises:
        ConfigError: If the directory, the checkpoint or an override does not fit.
    """
    run = RunDir(Path(cfg.run))
    run_cfg = override(run.config(), cfg.overrides)
    with without_scipy_signal():  # and with these torch
        from src.build import build
        from src.measure import measure

    measured = measure(build(run_cfg, evaluate_only=True), checkpoint=run.checkpoint(cfg.checkpoint))
    print_results(vars(measured), run_dir=run.path)
    return measured


@entry("eval", rest="overrides")
def main(cfg: DictConfig) -> None:
    """Command line."""
    evaluate(cfg)


if __name__ == "__main__":
    main()
