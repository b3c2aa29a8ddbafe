"""The files of a run and of a sweep that are shared, by their path inside of the directory."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

README = "README.txt"
CHECKPOINT = re.compile(r"checkpoints/(best|last)\.ckpt")
PICTURE = re.compile(r"plots/[\w.-]+\.(png|gif|svg|pdf)")

_OF_RUN = re.compile(
    rf"\.hydra/((config|overrides|hydra)\.yaml|begun\.txt)|(result|data|calibration)\.json|(metrics|logged)\.csv|train\.log|"
    rf"{CHECKPOINT.pattern}|{PICTURE.pattern}"
)
_OF_SWEEP = re.compile(
    r"(multirun|optimization_results)\.yaml|study\.(html|json)|summary(\.[\w-]+)?\.csv|report(\.[\w-]+)?\.html|"
    r"table(\.[\w-]+)?\.(tex|md|csv)|methods(\.[\w-]+)?\.(txt|tex)|(curves|groups|ranks)(\.[\w-]+)?\.(pdf|svg)"
)


def is_of_run(name: str) -> bool:
    """Whether a file, by its path inside of a run's directory with ``/``, is one that is shared."""
    return _OF_RUN.fullmatch(name) is not None


def is_of_sweep(name: str) -> bool:
    """The same of a file in a sweep's directory, beside its jobs."""
    return _OF_SWEEP.fullmatch(name) is not None


def files_below(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the path inside of a directory of each file below it, and whether it is a plain one; links not followed.

    A link to a directory is no plain file, and nothing behind it is looked at.
    """
    waiting = [""]
    while waiting:
        name = waiting.pop()
        try:
            entries = sorted(os.scandir(path / name), key=lambda entry: entry.name)
        except OSError:
            yield name, False
            continue
        for entry in entries:
            inner = f"{name}/{entry.name}".lstrip("/")
            if entry.is_dir(follow_symlinks=False):
                waiting.append(inner)
            else:
                yield inner, entry.is_file(follow_symlinks=False)
