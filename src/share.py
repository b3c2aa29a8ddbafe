"""Write a run or sweep into one zip, or open one: ``python -m src.share run=DIR``, ``open=run.zip``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # in the place of the current folder, which may be that of a stranger
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C while modules are imported, and once all is said, wants no traceback of either
        signal.signal(signal.SIGINT, signal.SIG_DFL)

from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from src.analysis.records import is_run
from src.analysis.words.tables import plain
from src.compat.torchmetrics import without_scipy_signal
from src.config.command.entry import entry
from src.config.errors import ConfigError, suggest
from src.console.terminal import open_terminal
from src.sharing.pack import WEIGHTS, share
from src.sharing.readme import as_word, folded
from src.sharing.unpack import unpack


def share_or_open(cfg: DictConfig) -> Path:
    """Write or open a zip, and say what it lacks.

    Args:
        cfg: Holds what conf/share.yaml describes.

    Returns:
        The zip that was written, or the directory that it was unpacked into.

    Raises:
        ConfigError: If a path is wrong, or a zip holds what no shared run does.
    """
    given = {key: cfg.get(key) for key in ("run", "sweep", "open") if cfg.get(key) is not None}
    if len(given) != 1:
        what = " and ".join(f"{key}={value}" for key, value in given.items()) or "nothing"
        raise ConfigError(f"got {what}; give one of run=DIR, sweep=DIR, and open=FILE.zip")
    key, value = next(iter(given.items()))
    if not isinstance(value, str | int) or value == "":
        raise ConfigError(f"{key}={value}: not a path")
    path, console = Path(str(value)).expanduser(), open_terminal()
    return _open(path, cfg, console) if key == "open" else _share(key, path, cfg, console)


def _share(key: str, path: Path, cfg: DictConfig, console: Console) -> Path:
    if not path.is_dir():
        what = "a file" if path.exists() else "no such directory"
        raise ConfigError(f"{key}={path}: {what}; give the directory of a run or sweep")
    if cfg.into is not None:
        raise ConfigError(f"into={cfg.into}: it belongs to open=FILE.zip")
    if cfg.weights not in WEIGHTS:
        hint = suggest(str(cfg.weights), WEIGHTS)
        raise ConfigError(f"weights={cfg.weights}: {hint} Allowed: {', '.join(WEIGHTS)}")
    if not isinstance(cfg.pictures, bool):
        raise ConfigError(f"pictures={cfg.pictures}: allowed: true or false")
    output = Path(f"{path.resolve().name}.zip" if cfg.output is None else str(cfg.output)).expanduser()
    if output.suffix != ".zip":
        raise ConfigError(f"output={cfg.output}: allowed: a file that ends in .zip")
    if output.exists() or output.is_symlink():
        raise ConfigError(f"output={output}: it is there already; remove it, or give another one")
    report = share(path, output, weights=cfg.weights, pictures=cfg.pictures)
    for title, lines in (("missing", report.missing), ("left out", report.left_out)):
        for line in folded(lines):
            _say(console, f"{title}: {line}")
    for name, file in report.data_files.items():
        _say(console, f"not in it: {file}, the data ({name}); whoever opens it needs that file too")
    _say(console, f"shared: {output}, {output.stat().st_size} bytes")
    return output


def _open(path: Path, cfg: DictConfig, console: Console) -> Path:
    if not path.is_file():
        what = "a directory" if path.exists() else "no such file"
        raise ConfigError(f"open={path}: {what}; give a zip that src.share has written")
    into = Path(path.stem if cfg.into is None else str(cfg.into)).expanduser()
    with without_scipy_signal():
        from src.tasks.checkpoint import load_checkpoint  # and with it torch

    runs, skipped = unpack(path, into, load=load_checkpoint)
    for line in folded([f"{name}: no run writes a file of this name, so it stays in the zip" for name in skipped]):
        _say(console, f"left out: {line}")
    if not is_run(into):
        _say(console, f"opened: {into}, a sweep of {len(runs)} jobs; python -m src.report {as_word('sweep', into)}")
    else:
        _say(console, f"opened: {into}; python -m src.eval {as_word('run', into)} measures it again")
    return into


def _say(console: Console, line: str) -> None:
    console.print(Text(plain(line)), soft_wrap=True)


@entry("share")
def main(cfg: DictConfig) -> None:
    """Command line."""
    share_or_open(cfg)


if __name__ == "__main__":
    main()
