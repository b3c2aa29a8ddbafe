"""What a finished run says of new rows: ``python -m src.predict run=DIR input=points.csv output=predictions.csv``."""

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
from src.config.errors import ConfigError
from src.config.stored import import_from_here, trusted_modules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from src.use.estimator import Classifier, Regressor
    from src.use.predict import Told

log = logging.getLogger(__name__)


def load(
    run: str | Path,
    *,
    checkpoint: str | None = None,
    group: str | None = None,
    trusted_modules: Sequence[str] | str = (),
) -> Classifier | Regressor:
    """Open a finished run in Python, to call it with points, or to use it as an estimator of scikit-learn.

    Args:
        run: Directory of a run, or of a sweep, of which a group's completed runs are an ensemble.
        checkpoint: ``best``, ``last`` or a path; None for the one that the run has tested.
        group: Group of a sweep, as its report names it; None for the only one.
        trusted_modules: Packages of your own that the run's configuration may name.

    Raises:
        ConfigError: If the directory is not what it should be.
    """
    with without_scipy_signal():
        from src.use.estimator import Regressor, as_it_is

    return as_it_is(Regressor(run, checkpoint, group, trusted_modules))


def predict(cfg: DictConfig) -> Told:
    """Rebuild a run or an ensemble from its directory alone, and write what it says of the rows of a file.

    Args:
        cfg: Holds ``run``, ``input``, ``output``, ``group``, ``checkpoint``, ``bad_rows``, ``separator``, ``decimal``
            and ``trusted_modules``, as conf/predict.yaml describes them.

    Raises:
        ConfigError: If a directory, a file or a row is not what it should be; nothing is written then.
    """
    given, output = Path(cfg.input).expanduser(), Path(cfg.output).expanduser()
    _check_choices(cfg)
    with without_scipy_signal():
        from src.use.ensemble import opened
        from src.use.predict import predict_file
        from src.use.tables import ending_of

    for path, key in ((given, "input"), (output, "output")):
        ending_of(path, key)
    model = opened(
        Path(cfg.run).expanduser(),
        checkpoint=cfg.get("checkpoint"),
        group=None if cfg.get("group") is None else str(cfg.group),
        trusted=trusted_modules(cfg.get("trusted_modules")),
    )
    told = predict_file(
        model,
        given=given,
        output=output,
        bad_rows=cfg.get("bad_rows", "stop"),
        separator=cfg.get("separator"),
        decimal=cfg.get("decimal") or model.decimal,
    )
    log.info("%s: %s", output, "1 row" if told.n_rows == 1 else f"{told.n_rows:,} rows")
    return told


def _check_choices(cfg: DictConfig) -> None:
    if (given := cfg.get("bad_rows", "stop")) not in ("stop", "skip"):
        raise ConfigError(f"bad_rows={given}; allowed: stop, skip")
    if (given := cfg.get("decimal")) not in (None, ".", ","):
        raise ConfigError(f"decimal={given}; allowed: '.' or ',', or null for that of the run's data")
    given = cfg.get("separator")
    if given is not None and (not isinstance(given, str) or len(given) != 1 or given in '"\r\n'):
        raise ConfigError(f"separator={given!r}; allowed: one character, or null for what the file has")


@entry("predict")
def main(cfg: DictConfig) -> None:
    """Command line."""
    import_from_here(trusted_modules(cfg.trusted_modules))
    predict(cfg)


if __name__ == "__main__":
    main()
