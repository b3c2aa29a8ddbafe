"""Folders of options beside the repository's own: those of a lab, by ``--config-dir`` or ``hydra.searchpath``.

Hydra forgets a flag once it has composed. An override stays with a run, goes to the processes that take its jobs, and
is there when an error is explained, so the flag becomes one.
"""

import difflib
import importlib.util
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from src.config.command.paths import in_quotes
from src.config.errors import ConfigError

KEY = "hydra.searchpath"

_FLAGS = ("-cd", "--config-d", "--config-di", "--config-dir")

_TARGET = re.compile(r"_target_['\"]?\s*:\s*['\"]?([A-Za-z]\w*)\.")

# Of the configuration that was composed last, as in hydra.searchpath.
_used: list[str] = []


def as_override(argv: Sequence[str], *, conf_dir: Path) -> list[str]:
    """A command line with ``hydra.searchpath=[...]``, absolute paths all, in the place of ``--config-dir``.

    Args:
        argv: Command line without the program's name, or overrides.
        conf_dir: The repository's folder.

    Raises:
        ConfigError: If a folder that either of them names is not there, or holds no group; with the one that may be
            meant.
    """
    rest, found = [], []
    words = iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag not in _FLAGS:
            rest.append(word)
        elif equals or (value := next(words, "")):
            found.append(value)
        else:
            # for the parser to refuse
            rest.append(word)
    for value in found:
        _check_folder(f"--config-dir={value}", Path(value).expanduser(), conf_dir)
    given = entries(rest)
    for entry in given:
        _check_entry(entry, conf_dir)
    if not (found or given):
        return rest
    paths = [f"file://{Path(value).expanduser().absolute()}" for value in found]
    others = [word for word in rest if not word.startswith(f"{KEY}=")]
    return [*others, _override([*paths, *map(_absolute, given)])]


def use(overrides: Sequence[str]) -> None:
    """Look for options in the folders that these overrides name, and in no others beside the repository's."""
    _used[:] = entries(overrides)


def with_search_path(overrides: Sequence[str]) -> list[str]:
    """Overrides that compose with the folders in use."""
    if not _used or any(line.startswith(f"{KEY}=") for line in overrides):
        return list(overrides)
    return [_override(_used), *overrides]


def entries(overrides: Sequence[str]) -> list[str]:
    """What ``hydra.searchpath`` is given; nothing where that is no list of texts, which Hydra refuses."""
    lines = [line for line in overrides if line.startswith(f"{KEY}=")]
    if not lines:
        return []
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        value = OverridesParser.create().parse_override(lines[0]).value()
    except HydraException:
        return []
    return [str(each) for each in value] if isinstance(value, list) else []


def folders(conf_dir: Path) -> list[Path]:
    """The repository's folder, and those in use beside it, in Hydra's order."""
    found = (path for entry in _used if (path := _path(entry)) is not None)
    return [conf_dir, *(path.absolute() for path in found if path.is_dir())]


def is_group(conf_dir: Path, name: str) -> bool:
    """Whether one of them has options of a group."""
    return any((folder / name).is_dir() for folder in folders(conf_dir))


def options(conf_dir: Path, group: str) -> dict[str, Path]:
    """The file of each option of a group, in subfolders too, by its name; Hydra takes the first of several."""
    found: dict[str, Path] = {}
    for folder in folders(conf_dir):
        for file in sorted((folder / group).rglob("*.yaml")):
            found.setdefault(file.relative_to(folder / group).with_suffix("").as_posix(), file)
    return dict(sorted(found.items()))


def files(conf_dir: Path) -> Iterator[Path]:
    """All YAML files."""
    for folder in folders(conf_dir):
        yield from sorted(folder.rglob("*.yaml"))


def find(conf_dir: Path, name: str) -> Path | None:
    """The file that Hydra takes for ``group/option``."""
    return next((file for folder in folders(conf_dir) if (file := folder / f"{name}.yaml").is_file()), None)


def packages(conf_dir: Path) -> set[str]:
    """Those that the files of the other folders in use name: its user's own, as the command line is."""
    own = (file for folder in folders(conf_dir)[1:] for file in folder.rglob("*.yaml"))
    return {name for file in own for name in _TARGET.findall(file.read_text("utf-8", errors="replace"))}


def shown(file: Path, conf_dir: Path) -> str:
    """A file as messages name it: from the repository's root, or from where a lab's package lies."""
    for folder in folders(conf_dir):
        if file.is_relative_to(folder):
            above = folder.parent if folder == conf_dir else folder.parent.parent
            return file.relative_to(above).as_posix()
    return str(file)


def package_hint(target: str, conf_dir: Path) -> str | None:
    """Why a dotted path leads nowhere, where a lab's package is meant."""
    name, labs = target.split(".")[0], {folder.parent.name: folder.parent for folder in folders(conf_dir)[1:]}
    if name in labs:
        above = labs[name].parent
        return f"{name} lies where Python does not look; start in {above}, or give PYTHONPATH={above}"
    near = difflib.get_close_matches(name, labs, n=1)
    return f"did you mean {near[0]}.{target.partition('.')[2]}?" if near else None


def _override(paths: Sequence[str]) -> str:
    return f"{KEY}=[{','.join(in_quotes(path) for path in paths)}]"


def _path(entry: str) -> Path | None:
    """The folder of an entry; None where there is none in the file system."""
    scheme, separator, rest = entry.partition("://")
    if not separator or scheme == "file":
        return Path(rest if separator else entry)
    if scheme != "pkg":
        return None
    try:
        found = importlib.util.find_spec(rest.replace("/", "."))
    except (ImportError, ValueError):
        return None
    places = list(found.submodule_search_locations or ()) if found is not None else []
    return Path(places[0]) if places else None


def _absolute(entry: str) -> str:
    """An entry that means the same anywhere; a folder of a package as one, which need not be a package itself then."""
    path = _path(entry)
    return entry if path is None or not path.is_dir() else f"file://{path.absolute()}"


def _check_entry(entry: str, conf_dir: Path) -> None:
    path = _path(entry)
    if path is not None:
        _check_folder(f"{KEY}=[{entry}]", path, conf_dir)
    elif entry.startswith("pkg://"):
        raise ConfigError(f"{KEY}=[{entry}]: no such package; allowed: one that is installed, or lies on PYTHONPATH")


def _check_folder(given: str, path: Path, conf_dir: Path) -> None:
    if not path.is_dir():
        what = "a file, not a folder" if path.exists() else "no such folder"
        near = _near(path.absolute())
        raise ConfigError(f"{given}: {what}" + (f"; did you mean {_as_given(near, path)}?" if near else ""))
    groups = [each.name for each in conf_dir.iterdir() if each.is_dir()]

    def holds(folder: Path) -> bool:
        return any((folder / group).is_dir() for group in groups)

    below = sorted(each for each in path.iterdir() if each.is_dir() and holds(each))
    if not holds(path) and below:
        near_below = _as_given(below[0].absolute(), path)
        raise ConfigError(f"{given}: it holds no folder of a group; did you mean {near_below}?")


def _near(path: Path) -> Path | None:
    """An existing folder whose path is nearly that."""
    found = Path(path.anchor)
    for part in path.parts[1:]:
        there = [each.name for each in found.iterdir() if each.is_dir()] if os.access(found, os.R_OK) else []
        near = [part] if (found / part).is_dir() else difflib.get_close_matches(part, there, n=1)
        if not near:
            return None
        found = found / near[0]
    return found


def _as_given(path: Path, like: Path) -> str:
    return str(path) if like.is_absolute() else os.path.relpath(path)
