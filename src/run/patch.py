"""``code.patch``: how the code that a run is computed by differs from its commit. No torch.

``git apply code.patch`` puts it into a checkout of the commit that it names; the lines before the first ``diff`` are
for people.
"""

import contextlib
import logging
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from src.run.files import write_atomically
from src.run.reading import UnreadableError, read_bytes

log = logging.getLogger(__name__)

OFF = "NO_CODE_PATCH"
"""Environment variable that leaves it out, whatever its value."""

NAME = "code.patch"

# What decides what a run computes.
CODE = ("src", "conf", "hydra_plugins", "pyproject.toml", "constraints.txt")

_ROOT = Path(__file__).resolve().parents[2]

# Most bytes of changes.
_LARGEST = 1_000_000


def keep_patch(folder: Path) -> None:
    """Write how this code differs from its commit, or say that it is no longer the one of an earlier command there.

    Args:
        folder: The directory of a run or a sweep.
    """
    found, path = uncommitted(), folder / NAME
    if path.is_file():
        if (found or b"") != _read(path):
            log.warning("%s is of an earlier command: the code has changed since", path)
        return
    if found is not None:
        write_atomically(path, found)
        n_files = len(re.findall(rb"^diff --git |^# (?:untracked|left out): ", found, re.MULTILINE))
        log.info(
            "the code has uncommitted changes, of %d file%s: kept in %s", n_files, "s" if n_files > 1 else "", path
        )


def patch_of(run_dir: Path) -> bytes | None:
    """The patch of a run, or that of the sweep that it is a job of; None if there is none."""
    for folder in (run_dir, *run_dir.parents):
        if (folder / NAME).is_file():
            return _read(folder / NAME)
        if (folder / "multirun.yaml").is_file():
            break
    return None


def is_whole(patch: bytes) -> bool:
    """Whether a patch holds all that differed: no file is left out, and none is there that git does not know."""
    return re.search(rb"^# (?:untracked|left out): ", patch, re.MULTILINE) is None


def uncommitted() -> bytes | None:
    """Changes of this code since its commit; None if there are none, outside a checkout, and where `OFF` is set."""
    if OFF in os.environ:
        return None
    try:
        changed = _git("status", "--porcelain", "--untracked-files=all", "--", *CODE).decode("utf-8", "replace")
        if not changed:
            return None
        commit = _git("rev-parse", "HEAD").decode().strip()
        # as plain git writes it, whatever its user's own settings are
        diff = _git("diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):
        return None
    head = [f"# changes since commit {commit}"]
    head += [f"# untracked: {line[3:]}" for line in changed.splitlines() if line.startswith("??")]
    kept, left_out = _bounded(diff)
    if left_out:
        head.append(f"# more than {_LARGEST} bytes of changes, of which these files are not here:")
        head += [f"# left out: {name}" for name in left_out]
    return "\n".join(head).encode() + b"\n" + kept


def _bounded(diff: bytes) -> tuple[bytes, list[str]]:
    """As many files as there is room for, and the names of the others."""
    kept, left_out = bytearray(), list[str]()
    for part in re.split(rb"^(?=diff --git )", diff, flags=re.MULTILINE):
        if len(kept) + len(part) <= _LARGEST:
            kept += part
        else:
            left_out.append(part.split(b"\n", 1)[0].removeprefix(b"diff --git ").decode("utf-8", "replace"))
    return bytes(kept), left_out


def _read(path: Path) -> bytes | None:
    with contextlib.suppress(UnreadableError, OSError):
        return read_bytes(path, instead="remove it", largest=2 * _LARGEST)
    return None


def _git(*arguments: str) -> bytes:
    command: Sequence[str] = ["git", "-C", str(_ROOT), *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout
