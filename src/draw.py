"""Draw the pictures of a run afterwards: ``python -m src.draw run=DIR pictures=[folds,units,gif]``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

if __name__ == "__main__":  # in the place of the current folder, which may be that of a stranger
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C while modules are imported, and once all is said, wants no traceback of either
        signal.signal(signal.SIGINT, signal.SIG_DFL)

from omegaconf import DictConfig

from src.compat.torchmetrics import without_scipy_signal
from src.config.command.entry import entry
from src.config.errors import ConfigError
from src.config.stored import import_from_here, trusted_modules
from src.run.directory import RunDir
from src.run.files import write_atomically

log = logging.getLogger(__name__)

_FORMATS = ("png", "svg", "pdf")


def draw(cfg: DictConfig) -> list[Path]:
    """Rebuild a run from its directory alone, and draw it into its ``plots/``, or another folder.

    Args:
        cfg: Holds ``run``, ``folder``, ``checkpoint``, ``pictures``, ``format`` and ``trusted_modules``, as
            conf/draw.yaml describes them.

    Returns:
        The files that were written.

    Raises:
        ConfigError: If the directory, the checkpoint or a name is wrong, or a picture that was asked for does not fit.
    """
    run = RunDir(Path(cfg.run).expanduser())
    folder = run.plots if cfg.get("folder") is None else Path(cfg.folder).expanduser()
    kind = cfg.get("format", "png")
    if kind not in _FORMATS:
        raise ConfigError(f"format={kind}: allowed: {', '.join(_FORMATS)}")
    trusted = trusted_modules(cfg.get("trusted_modules"))
    run_cfg = run.config(trusted=trusted)
    with without_scipy_signal():
        from src.checks.targets import check_targets
        from src.measure import rebuild
        from src.pictures import catalogue as pictures
        from src.plots.frames import animate, frames_in
        from src.plots.paper import save_vector
        from src.plots.style import save

    every = [*pictures.PICTURES, "gif"]
    names = pictures.check_names("pictures", every if cfg.pictures is None else cfg.pictures, "gif")
    check_targets(run_cfg, trusted=trusted)
    subject = rebuild(run, run_cfg, checkpoint=cfg.checkpoint)
    fitting = [name for name in names if name in pictures.PICTURES and pictures.PICTURES[name].fits(subject)]
    fitting += ["gif"] if "gif" in names and frames_in(run.frames) else []
    if cfg.pictures is not None:
        _refuse(run, {name: pictures.needs(name) for name in names if name not in fitting})
    files = []
    for name in fitting:
        file = folder / ("training.gif" if name == "gif" else f"{name}.{kind}")
        if name == "gif":
            write_atomically(file, animate(run.frames))
        elif kind != "png":
            save_vector(pictures.PICTURES[name].draw(subject), file)
        else:
            save(pictures.PICTURES[name].draw(subject), file)
        log.info("%s", file)
        files.append(file)
    return files


def _refuse(run: RunDir, missing: dict[str, str]) -> None:
    if missing:
        texts = (
            f"pictures={name} cannot be drawn of run={run.path}: it needs {what}" for name, what in missing.items()
        )
        raise ConfigError("\n".join(texts))


@entry("draw")
def main(cfg: DictConfig) -> None:
    """Command line."""
    import_from_here(trusted_modules(cfg.trusted_modules))
    draw(cfg)


if __name__ == "__main__":
    main()
