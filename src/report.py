"""Say what a sweep has found: ``python -m src.report sweep=DIR``, or ``sweep=[DIR1,DIR2]``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # in the place of the current folder, which may be that of a stranger
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C while modules are imported, and once all is said, wants no traceback of either
        signal.signal(signal.SIGINT, signal.SIG_DFL)

from omegaconf import DictConfig, ListConfig

from src.analysis.finish import publish
from src.analysis.records import find_runs, is_run, read_jobs
from src.analysis.summary import Summary
from src.config.command.entry import entry
from src.config.errors import ConfigError


def report(cfg: DictConfig) -> Summary:
    """Read run directories, print the answer, write a summary.csv into each directory and report.html into the first.

    Args:
        cfg: Holds ``sweep``, a directory or a list of them, and ``metric``.

    Raises:
        ConfigError: If a directory is missing or holds no jobs, or no job has the metric.
    """
    given = list(cfg.sweep) if isinstance(cfg.sweep, ListConfig) else [cfg.sweep]
    sweep_dirs = list({path.resolve(): path for path in map(_checked, given)}.values())
    if not sweep_dirs:
        raise ConfigError("sweep=[] names no directory; give one, such as sweep=outputs/sweeps/<start>_<id>")
    jobs = read_jobs(sweep_dirs)
    above = {parent for job in jobs for parent in job.path.resolve().parents}
    for sweep_dir in sweep_dirs:
        if sweep_dir.resolve() not in above:
            raise ConfigError(_no_jobs(sweep_dir))
    return publish(sweep_dirs, jobs, metric=cfg.metric)


def _checked(given: object) -> Path:
    if not isinstance(given, str | int) or given == "":
        raise ConfigError(f"sweep={given}: not a directory; give one, or a list of them as sweep=[DIR1,DIR2]")
    path = Path(str(given)).expanduser()
    if not path.is_dir():
        what = "a file" if path.exists() else "no such directory"
        raise ConfigError(f"sweep={given}: {what}; give the directory of a sweep, such as outputs/sweeps/<start>_<id>")
    return path


def _no_jobs(path: Path) -> str:
    if not is_run(path):
        return f"sweep={path} holds no jobs: there is no run directory below it, with .hydra/config.yaml or result.json"
    above = path.resolve().parent
    beside = f"; its sweep is sweep={above}" if len(find_runs(above)) > 1 else ""
    return f"sweep={path} is the directory of a single run: python -m src.eval run={path} measures it again{beside}"


@entry("report")
def main(cfg: DictConfig) -> None:
    """Command line; ends with status 0 whatever the jobs' own."""
    report(cfg)


if __name__ == "__main__":
    main()
