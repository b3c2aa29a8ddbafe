"""Whether what is unpacked is what was shared, and can be read: checksums in the zip, and the form of each file."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.run.metrics import read_metrics
from src.run.reading import PARSE_ERRORS, UnreadableError, parse_yaml, read_bytes, read_json, read_yaml, short

SUMS = "SHA256SUMS"
"""Names the checksum of each file that was shared, as ``sha256sum --check`` reads it."""

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_INSTEAD = "ask for it again"
_PIECE = 1 << 20


def sums_text(sums: Mapping[str, str]) -> str:
    """Checksums by the path of a file, as a file of them."""
    return "".join(f"{value}  {name}\n" for name, value in sums.items())


def read_sums(data: bytes) -> dict[str, str]:
    """Checksums by the path of a file.

    Raises:
        ValueError: If it is no file of them.
    """
    found = [_LINE.fullmatch(line) for line in data.decode().splitlines()]
    if not all(found):
        raise ValueError(f"line {found.index(None) + 1} holds no checksum and file")
    return {match[2]: match[1] for match in found if match}


def refuse_changed(folder: Path, names: Sequence[str], sums: Mapping[str, str]) -> None:
    """Refuse files that are not those that were shared.

    Args:
        folder: Where they lie.
        names: Their paths inside of it.
        sums: Checksums of what was shared.

    Raises:
        ConfigError: If one is another one, is missing, or was not there.
    """
    own = f"{SUMS} in the zip says; if that was meant, leave {SUMS} out of it"
    for name in names:
        if name not in sums:
            raise ConfigError(f"{name} was not shared with the others, as {own}")
        if _sum_of(folder / name) != sums[name]:
            raise ConfigError(f"{name} is not what was shared, as {own}")
    if missing := sums.keys() - set(names):
        raise ConfigError(f"{min(missing)} is missing, which was shared, as {own}")


def _sum_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def refuse_broken(folder: Path, runs: Sequence[Path], *, load: Callable[[Path], object] | None) -> None:
    """Refuse a run of which a file that commands rely on cannot be read.

    Args:
        folder: Below which the runs lie.
        runs: Their directories.
        load: Reads a checkpoint, and raises a `ConfigError` where it is none.

    Raises:
        ConfigError: Names the file by its path inside of the folder.
    """
    for path in runs:
        run = RunDir(path)
        readers: dict[Path, Callable[[Path], object]] = {
            run.config_file: _read_yaml,
            run.config_file.with_name("overrides.yaml"): _read_list,
            run.result_file: _read_result,
            run.data_file: _read_json,
            run.calibration_file: _read_json,
            run.metrics_file: read_metrics,
            **({run.checkpoint(name): load for name in ("best", "last")} if load is not None else {}),
        }
        for file, read in readers.items():
            if file.is_file():
                _refuse_broken(folder, file, read)


def _refuse_broken(folder: Path, file: Path, read: Callable[[Path], object]) -> None:
    try:
        read(file)
    except ConfigError as error:
        why = getattr(error, "why", None)
        said = f"{file.relative_to(folder).as_posix()} cannot be read: {why}" if why else str(error)
        raise ConfigError(said.replace(f"{folder}/", "")) from error


def _read_yaml(file: Path) -> object:
    return read_yaml(file, instead=_INSTEAD)


def _read_json(file: Path) -> object:
    return read_json(file, instead=_INSTEAD)


def _read_result(file: Path) -> object:
    return RunDir(file.parent).result()


def _read_list(file: Path) -> None:
    try:
        found = parse_yaml(read_bytes(file, instead=_INSTEAD).decode())
    except PARSE_ERRORS as error:
        raise UnreadableError(file, error, _INSTEAD) from error
    if not isinstance(found, list):
        raise UnreadableError(file, f"it holds no list but {short(repr(found), 60)}", _INSTEAD)
