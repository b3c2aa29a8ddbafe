"""Files that are whole or not there, and configurations as text."""

import contextlib
import errno
import functools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from src.compat.omegaconf import yaml_dumper

# Ends the name of a file that is not yet whole.
_PART = ".part"
# What writes that were killed leave, those of checkpoints also as earlier versions named them.
_LEFT = re.compile(rf"\..*{re.escape(_PART)}|\..*\.ckpt\..{{8}}", re.DOTALL)

# With more files, one flush of all that the system holds back takes less time than one for each.
_FEW = 16


@dataclass
class _Waiting:
    """Files that are written together: where each lies, and where it goes."""

    files: list[tuple[Path, Path]] = field(default_factory=list)


_together: ContextVar[_Waiting | None] = ContextVar("together", default=None)


def write_atomically(path: Path, data: bytes, *, keep: Path | None = None) -> None:
    """Write a file in one step: readers see the old content or the new one, also after a kill or a loss of power.

    Written aside in the same directory, flushed to the disk, and renamed.

    Args:
        path: The file.
        data: Its content.
        keep: Where the file goes that stands in its place; None for nowhere.
    """
    try:
        handle, name = _aside(path)
    except (FileNotFoundError, NotADirectoryError):
        # most folders are there already, and to ask each time takes a while
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = _aside(path)
    waiting = _together.get()
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            # mkstemp makes files that only their owner can read
            Path(name).chmod(0o644)
            if waiting is None:
                file.flush()
                os.fsync(file.fileno())
        if waiting is not None:
            if path.is_dir():
                # now, and not when the others are put into place
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            waiting.files.append((Path(name), path))
            return
        if keep is not None and path.exists():
            path.replace(keep)
        Path(name).replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno is not None and error.filename in (None, name, Path(name)):
            # a disk that is full does not say which file it has no room for, and a rename that fails names both
            error.filename = str(path)
            if error.filename2 is not None:
                # None would be printed
                del error.filename2
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _flush_folder(path.parent)


def _aside(path: Path) -> tuple[int, str]:
    """A new file beside a path: its handle and name."""
    try:
        return tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
    except OSError as error:
        # in the name that is known
        error.filename = str(path)
        raise


def is_full_disk(error: BaseException) -> bool:
    """Whether a file system says that it, or a user's quota of it, has no room left."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Name a path in an error of the file system that names none, as one of a full disk does not."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


@contextlib.contextmanager
def written_together() -> Iterator[None]:
    """Put the files that are written inside into their places at its end, after one flush instead of one for each.

    What is written cannot be read before that. An exception puts into place what is whole by then.
    """
    if _together.get() is not None:
        yield
        return
    waiting = _Waiting()
    token = _together.set(waiting)
    try:
        yield
    finally:
        _together.reset(token)
        _flush([temporary for temporary, _ in waiting.files])
        for temporary, path in waiting.files:
            temporary.replace(path)
        folders = list(dict.fromkeys(path.parent for _, path in waiting.files))
        if len(folders) > _FEW and hasattr(os, "sync"):
            os.sync()
        else:
            for folder in folders:
                _flush_folder(folder)


def _flush(files: Sequence[Path]) -> None:
    if len(files) > _FEW and hasattr(os, "sync"):
        os.sync()
        return
    for file in files:
        with file.open("rb+") as opened:
            os.fsync(opened.fileno())


def _flush_folder(folder: Path) -> None:
    """Let a rename outlive a loss of power, where the system can flush a directory."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_parts(folder: Path) -> None:
    """Remove what writes into a directory that were killed have left there; nobody else may write there."""
    with contextlib.suppress(OSError):
        names = os.listdir(folder)  # noqa: PTH208 the names alone, of very many folders
        for name in filter(_LEFT.fullmatch, names):
            with contextlib.suppress(OSError):
                os.unlink(folder / name)  # noqa: PTH108


def remove(path: Path) -> None:
    """Remove whatever is there, a file, a folder with all that it holds, a link, a pipe; or nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Give a file that cannot be used another name, under which nobody looks for it, and tell that."""
    aside = path.with_name(f"{path.name}.set_aside")
    if path.is_dir() or aside.is_dir():
        # neither takes the other's place
        remove(aside)
    # another process may have done so
    with contextlib.suppress(FileNotFoundError):
        path.replace(aside)
    return aside


def to_yaml(cfg: Any) -> str:
    """What `OmegaConf.to_yaml` writes, of a configuration or plain containers, in a fourth of the time."""
    text: str = yaml.dump(
        OmegaConf.to_container(cfg, resolve=False, enum_to_str=True) if OmegaConf.is_config(cfg) else cfg,
        Dumper=_dumper(),
        default_flow_style=False,
        allow_unicode=True,
        sort_keys=False,
    )
    return text


@functools.cache
def _dumper() -> type[Any]:
    """Libyaml's dumper, where PyYAML has it, with OmegaConf's quotes around strings that look like numbers."""
    slow = yaml_dumper()
    if not yaml.__with_libyaml__ or issubclass(slow, yaml.CDumper):
        return slow

    class Dumper(yaml.CDumper):
        pass

    Dumper.add_representer(str, slow.str_representer)
    return Dumper
