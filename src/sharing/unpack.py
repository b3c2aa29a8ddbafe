"""Open a zip that somebody else may have made: only files that runs write, each below the target, within limits.

What a zip says of itself may be wrong, so that bytes are counted as they come out. Nothing is run, and what is unpacked
is read by the rules of `src.run.reading` like any directory of a stranger.
"""

import os
import re
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from src.analysis.records import find_runs, is_run
from src.config.errors import ConfigError
from src.run.reading import short
from src.sharing.contents import README, is_of_run, is_of_sweep
from src.sharing.whole import SUMS, read_sums, refuse_broken, refuse_changed

_MOST_FILES = 200_000
_MOST_BYTES = 20_000_000_000
_MOST_TIMES = 200  # as large as the zip, from _SMALL on
_SMALL = 100_000_000
_DEEPEST = 12
_LONGEST = 255
_DRIVE = re.compile(r":" if os.name == "nt" else r"^[A-Za-z]:")  # elsewhere a name may hold one
_PIECE = 1 << 20


def unpack(path: Path, into: Path, *, load: Callable[[Path], object] | None = None) -> tuple[list[Path], list[str]]:
    """Unpack a shared run or sweep into a directory that is not there yet.

    Args:
        path: The zip.
        into: The run's or sweep's directory to be.
        load: Reads a checkpoint, and raises a `ConfigError` where it is none; None looks into no checkpoint.

    Returns:
        The run directories, and names of files that no run writes and that were left in the zip.

    Raises:
        ConfigError: If it is no zip, holds what no shared run does, or a file that is damaged; nothing is left then.
    """
    if into.exists() or into.is_symlink():
        raise ConfigError(f"into={into}: it is there already; give a directory that is not")
    try:
        with zipfile.ZipFile(path) as archive:
            members, sums, skipped = _checked(archive, path)
            into.parent.mkdir(parents=True, exist_ok=True)
            aside = Path(tempfile.mkdtemp(dir=into.parent, prefix=f".{into.name}.", suffix=".part"))
            try:
                # that of others; mkdtemp's is its owner's alone
                aside.chmod(0o755)
                _extract(archive, members, aside, path)
                runs = [aside] if is_run(aside) else find_runs(aside)
                if not runs:
                    raise ConfigError(f"open={path}: it holds no run: no .hydra/config.yaml or result.json")
                _refuse_damaged(path, aside, list(members), sums, runs, load=load)
                aside.rename(into)
            finally:
                with suppress(FileNotFoundError):
                    shutil.rmtree(aside)
    # what zipfile raises of damage, of a compression that it does not know (NotImplementedError), and of a password
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise ConfigError(f"open={path}: it is no zip that can be read: {short(str(error))}") from error
    return [into] if is_run(into) else find_runs(into), skipped


def _refuse_damaged(
    path: Path,
    aside: Path,
    names: Sequence[str],
    sums: Mapping[str, str] | None,
    runs: Sequence[Path],
    *,
    load: Callable[[Path], object] | None,
) -> None:
    try:
        if sums is not None:
            refuse_changed(aside, names, sums)
        refuse_broken(aside, runs, load=load)
    except ConfigError as error:
        raise ConfigError(f"open={path}: {error}; nothing is unpacked") from error


def _checked(
    archive: zipfile.ZipFile, path: Path
) -> tuple[dict[str, zipfile.ZipInfo], dict[str, str] | None, list[str]]:
    """Members by their path inside of the run or sweep, their checksums, and names of those that belong to none."""
    members = archive.infolist()
    if len(members) > _MOST_FILES:
        raise ConfigError(f"open={path}: it holds {len(members)} files; allowed: {_MOST_FILES}")
    total, packed = sum(each.file_size for each in members), path.stat().st_size
    if total > _MOST_BYTES or total > max(_SMALL, _MOST_TIMES * packed):
        raise ConfigError(
            f"open={path}: unpacked it would be {total} bytes, of {packed}; allowed: {_MOST_BYTES}, and {_MOST_TIMES} "
            "times its size"
        )
    files = {}
    seen = set[str]()
    for each in members:
        _refuse_name(each, path)
        if each.filename.lower() in seen:
            raise ConfigError(f"open={path}: it holds {_shown(each)} twice")
        seen.add(each.filename.lower())
        if not each.is_dir():
            files[each.filename] = each
    top = _top(list(files))
    inner = {name[len(top) :]: each for name, each in files.items()}
    homes = _homes(inner)
    sums = None
    if (member := inner.pop(SUMS, None)) is not None:
        try:
            sums = read_sums(archive.read(member))
        except ValueError as error:
            raise ConfigError(f"open={path}: {SUMS} cannot be read: {error}; nothing is unpacked") from error
    elif not top:
        _refuse_beside(path, homes, inner)
    _refuse_inside(path, homes)
    kept = {name: each for name, each in inner.items() if name == README or _belongs(name, homes)}
    return kept, sums, [name for name in inner if name not in kept]


def _refuse_beside(path: Path, homes: set[str], names: Iterable[str]) -> None:
    """Refuse several runs at the top, which are no sweep."""
    tops = sorted({home.partition("/")[0] for home in homes})
    if "" not in homes and len(tops) > 1 and "multirun.yaml" not in names:
        raise ConfigError(
            f"open={path}: it holds several folders, {' and '.join(tops[:2])}, and was not made by src.share, which "
            "puts a run or a sweep into one; nothing is unpacked"
        )


def _refuse_inside(path: Path, homes: set[str]) -> None:
    """Refuse a run inside of another one."""
    for home in sorted(homes):
        above = [f"{parent.as_posix()}/" for parent in PurePosixPath(home).parents if parent.as_posix() != "."]
        if home and (outer := next((each for each in ("", *above) if each in homes), None)) is not None:
            raise ConfigError(
                f"open={path}: {home} is a run inside of the run {outer or '.'}, which no run has; nothing is unpacked"
            )


def _refuse_name(member: zipfile.ZipInfo, path: Path) -> None:
    """Refuse a member that is no plain file at a plain place below the target."""
    name = member.filename
    parts = name.rstrip("/").split("/")
    mode = member.external_attr >> 16
    why = None
    # as it stands in the zip: zipfile cuts names at a zero, and turns other separators
    if name != getattr(member, "orig_filename", name) or not name.isprintable() or "\\" in name or _DRIVE.search(name):
        why = "its name holds a character that no file of a run has"
    elif name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        why = "it would lie elsewhere than in the target"
    elif len(parts) > _DEEPEST or any(len(part.encode()) > _LONGEST for part in parts):
        why = "its name is too long"
    elif member.flag_bits & 0x1:
        why = "it is encrypted"
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR) or (stat.S_ISDIR(mode) and not member.is_dir()):
        why = "it is a link or a device"
    if why is not None:
        raise ConfigError(f"open={path}: {_shown(member)} is refused: {why}; nothing is unpacked")


def _shown(member: zipfile.ZipInfo) -> str:
    return short(repr(member.filename), 100)


def _top(names: Sequence[str]) -> str:
    """The folder that all files are in, with ``/``; empty where there is none, or it is one of the run's own."""
    tops = {name.partition("/")[0] for name in names}
    if len(tops) != 1 or any("/" not in name for name in names):
        return ""
    (top,) = tops
    return "" if top == ".hydra" else f"{top}/"


def _homes(files: Mapping[str, zipfile.ZipInfo]) -> set[str]:
    """Directories of runs, with ``/``, by the files that mark one; not those below a hidden folder."""
    marks = (".hydra/config.yaml", "result.json")
    found = {name.removesuffix(mark) for name in files for mark in marks if name == mark or name.endswith(f"/{mark}")}
    return {home for home in found if not any(part.startswith(".") for part in home.split("/"))}


def _belongs(name: str, homes: set[str]) -> bool:
    if "" not in homes and is_of_sweep(name):
        return True
    above = [f"{parent.as_posix()}/" for parent in PurePosixPath(name).parents if parent.as_posix() != "."]
    home = next((each for each in ("", *reversed(above)) if each in homes), None)
    return home is not None and is_of_run(name[len(home) :])


def _extract(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], target: Path, path: Path) -> None:
    for name, member in members.items():
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        left = member.file_size
        with archive.open(member) as source, file.open("xb") as opened:
            while piece := source.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise ConfigError(f"open={path}: {_shown(member)} is larger than it says; nothing is unpacked")
                opened.write(piece)
        with suppress(ValueError, OverflowError, OSError):
            # when a run began is the time of its configuration
            when = time.mktime((*member.date_time, 0, 0, -1))
            os.utime(file, (when, when))
