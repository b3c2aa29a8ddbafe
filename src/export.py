"""A finished run as one file for other software: ``python -m src.export run=DIR format=onnx output=model.onnx``."""

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
from src.config.stored import import_from_here, trusted_modules
from src.run.directory import RunDir

if TYPE_CHECKING:
    from src.use.export import Compared

log = logging.getLogger(__name__)


def export(cfg: DictConfig) -> Compared:
    """Rebuild a run from its directory alone, and write its network with its preprocessing as one file.

    Args:
        cfg: Holds ``run``, ``format``, ``output``, ``checkpoint`` and ``trusted_modules``, as conf/export.yaml
            describes them.

    Returns:
        How the file compares with the network.

    Raises:
        ConfigError: If the directory or the checkpoint is not what it should be, packages are missing, or the file says
            something else than the network; it is not there then.
    """
    with without_scipy_signal():
        from src.use.export import check_format, export_member
        from src.use.model import rebuilt

    output = Path(cfg.output).expanduser()
    check_format(output, cfg.format)
    trusted = trusted_modules(cfg.get("trusted_modules"))
    member = rebuilt(RunDir(Path(cfg.run).expanduser()), checkpoint=cfg.get("checkpoint"), trusted=trusted)
    compared = export_member(member, output, cfg.format)
    log.info(
        "%s: as the network of %s (%s) on %s of its own points and %s random ones, to within %.1e",
        *(output, member.run.path, member.weights, compared.n_own, compared.n_random, compared.difference),
    )
    return compared


@entry("export")
def main(cfg: DictConfig) -> None:
    """Command line."""
    import_from_here(trusted_modules(cfg.trusted_modules))
    export(cfg)


if __name__ == "__main__":
    main()
