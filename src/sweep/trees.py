"""What the jobs of a sweep share, and what each has of its own, as plain containers. No torch here.

Hydra composes a job in a tenth of a second, and OmegaConf copies and resolves what is composed in ten milliseconds.
Most jobs differ from others in a few plain values only: these are put beside what is shared, references are followed as
text, and nothing is copied but the branches that change. What that does not cover, such as resolvers of one's own,
relative references, or keys that are added, is left to OmegaConf (`NotPlainError`).
"""

import pickle
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

from src.compat.hydra import override_dirname
from src.compat.omegaconf import takes_anything
from src.config.compose import absolute_run_dir
from src.config.keys import NOT_STORED
from src.run.files import to_yaml

Keys = tuple[str, ...]
Plain = dict[str, Any]

# `${a.b}` and `${hydra:a.b}`, which is `${hydra.a.b}` as Hydra's own resolver has it.
_REFERENCE = re.compile(r"\$\{(hydra:)?([A-Za-z_][\w.]*)\}")
# Resolvers whose values are drawn once for a sweep.
_OF_SWEEP = re.compile(r"\$\{(now|unique):[^${}]*\}")
# More than this are a circle.
_DEEPEST = 20


class NotPlainError(Exception):
    """A job that only OmegaConf can compose."""


class LogFile(NamedTuple):
    """What `logging` needs to know of a file."""

    path: str
    level: str | int
    format: str | None
    datefmt: str | None


class Parts(NamedTuple):
    """A job as plain containers, which it shares with others and which nobody may change.

    Attributes:
        asked: Its configuration with its references, as its own run stores it.
        hydra: The `hydra` node with its references.
        resolved: Its configuration with what the references lead to; ``run_dir`` is an absolute path.
        changed: Values of ``resolved`` by key in which it differs from the first job of its kind.
        log_files: Those that ``hydra.job_logging`` names.
        environment: Variables that it sets.
        kind: Jobs that give values to the same keys of one tree.
    """

    asked: Plain
    hydra: Plain
    resolved: Plain
    changed: Mapping[str, Any]
    log_files: list[LogFile]
    environment: dict[str, str]
    kind: "Kind"

    def texts(self) -> tuple[str, str]:
        """YAML of ``asked``, without what is not stored, and of ``hydra``; what jobs share is written once."""
        asked = {name: node for name, node in self.asked.items() if name not in NOT_STORED}
        tree = self.kind.tree
        config = "".join(tree.text(("config", key), value) for key, value in asked.items())
        return config, tree.text(("hydra",), self.hydra)


@dataclass(frozen=True, eq=False)
class Kind:
    """Jobs that give values to the same keys of one tree.

    Attributes:
        tree: The tree.
        values: What the first of them has there, by path, and where references lead to these.
        resolved: The configuration of the first, resolved.
    """

    tree: "Tree"
    values: Mapping[Keys, Any]
    resolved: Plain


class Tree:
    """The configuration of jobs that choose the same options, before any value is put into it.

    Args:
        tree: With the `hydra` node.
        config: What the command line of the sweep composes to, with the `hydra` node.
    """

    def __init__(self, tree: DictConfig, config: DictConfig) -> None:
        # a copy by pickle takes a fifth of the time of one by copy.deepcopy
        self.pickled = pickle.dumps(tree)
        plain: Any = OmegaConf.to_container(tree, resolve=False, enum_to_str=True)
        mode = config.hydra.mode
        self.hydra: Plain = {**plain.pop("hydra"), "mode": None if mode is None else mode.name}
        self.config: Plain = plain
        self._tree = tree
        self._references = dict(_references(self.config))
        self._is_free: dict[str, bool] = {}
        self._texts: dict[Keys, tuple[Any, str]] = {}
        raw = str(self.hydra["sweep"]["dir"])
        # what is drawn once a sweep is drawn by now
        drawn = raw == str(OmegaConf.to_container(config.hydra.sweep, resolve=False)["dir"])  # type: ignore[index, call-overload]
        self._sweep_dir = str(config.hydra.sweep.dir) if drawn and "${" not in _OF_SWEEP.sub("", raw) else raw
        self._kinds: dict[tuple[Keys, ...], Kind] = {}

    def parts(self, number: int, overrides: Sequence[str], parsed: Sequence[Override], values: list[Override]) -> Parts:
        """A job of this tree.

        Args:
            number: Place in the sweep.
            overrides: What it is composed from.
            parsed: The same.
            values: Those of them that set values.

        Raises:
            NotPlainError: If only OmegaConf can compose it.
        """
        own = {tuple(each.key_or_group.split(".")): self._value(each) for each in values}
        config = _with(self.config, own)
        hydra = self._hydra_of(number, overrides, parsed)
        look = _Look(config, hydra)
        folder = Path(look.text(self._sweep_dir)) / str(look.value(str(hydra["sweep"]["subdir"])))
        hydra["runtime"] = {**hydra["runtime"], "output_dir": str(folder.absolute())}
        given = config.get("run_dir")
        run_dir = absolute_run_dir(look.value(given), folder.absolute())
        asked = config if given is not None else _with(config, {("run_dir",): run_dir})
        look.config = _with(config, {("run_dir",): run_dir})
        at = {path: text for path, text in self._references.items() if not any(path[: len(k)] == k for k in own)}
        at |= {path: value for path, value in own.items() if isinstance(value, str)}
        found = {path: look.value(text) for path, text in at.items() if path != ("run_dir",)}
        held = {**own, **found, ("run_dir",): run_dir}
        if tuple(own) not in self._kinds:
            self._kinds[tuple(own)] = Kind(self, held, _with(self.config, held))
        kind = self._kinds[tuple(own)]
        changed = {path: value for path, value in held.items() if not _same(value, kind.values[path])}
        return Parts(
            asked=asked,
            hydra=hydra,
            resolved=_with(kind.resolved, changed),
            changed={".".join(path): value for path, value in changed.items()},
            log_files=list(log_files(hydra.get("job_logging") or {}, look)),
            environment={str(k): str(look.value(v)) for k, v in (hydra["job"].get("env_set") or {}).items()},
            kind=kind,
        )

    def text(self, path: Keys, value: Any, *, depth: int = 0) -> str:
        """A value as YAML below its key, the last part of a path; the texts of what is shared are kept.

        Args:
            path: Where it stands, behind ``config`` or ``hydra``.
            value: The value.
            depth: Nodes above it.
        """
        known = self._texts.get(path)
        if known is not None and known[0] is value:
            return known[1]
        shared = _at(self.hydra if path[0] == "hydra" else self.config, path[1:])
        if value is not shared and isinstance(value, dict) and value and isinstance(shared, dict) and depth < 2:
            below = "".join(self.text((*path, str(key)), each, depth=depth + 1) for key, each in value.items())
            return f"{path[-1]}:\n{textwrap.indent(below, '  ')}"
        text = to_yaml({path[-1]: value})
        if value is shared:
            self._texts[path] = value, text
        return text

    def _value(self, override: Override) -> Any:
        """What an override sets, if it is a plain value in the place of one."""
        value, key = override.value(), override.key_or_group
        if override.type is not OverrideType.CHANGE or override.package or override.is_hydra_override():
            raise NotPlainError
        if key not in self._is_free:
            self._is_free[key] = takes_anything(self._tree, key.split("."))
        flat = value if isinstance(value, list) else [value]
        if not self._is_free[key] or not all(each is None or type(each) in (bool, int, float, str) for each in flat):
            raise NotPlainError
        if isinstance(value, list) and "${" in str(value):
            raise NotPlainError
        return value

    def _hydra_of(self, number: int, overrides: Sequence[str], parsed: Sequence[Override]) -> Plain:
        own = [each for each in parsed if not each.is_hydra_override()]
        job = {**self.hydra["job"], "id": str(number), "num": number}
        job |= override_dirname(job, own)
        task = [line for line, each in zip(overrides, parsed, strict=True) if not each.is_hydra_override()]
        return {**self.hydra, "job": job, "overrides": {**self.hydra["overrides"], "task": task}}


class _Look:
    """Follows references of a job as text.

    Attributes:
        config: Its configuration.
        hydra: The `hydra` node.
    """

    def __init__(self, config: Plain, hydra: Plain) -> None:
        self.config, self.hydra, self._depth = config, hydra, 0

    def value(self, given: Any) -> Any:
        """What a value leads to."""
        if not isinstance(given, str) or "${" not in given:
            return given
        whole = _REFERENCE.fullmatch(given)
        return self.text(given) if whole is None else self._follow(whole)

    def text(self, given: str) -> str:
        """The same of a text with references in it."""
        # what is left is more than a name, or a sign that says that it is no reference
        if "$" in (rest := _REFERENCE.sub("", given)) or ("\\" in rest and rest != given):
            raise NotPlainError
        return _REFERENCE.sub(lambda found: self._in_text(self._follow(found)), given)

    def _in_text(self, value: Any) -> str:
        if isinstance(value, list):
            raise NotPlainError
        return str(value)

    def _follow(self, found: re.Match[str]) -> Any:
        path = tuple(found[2].split("."))
        is_hydra = found[1] is not None or path[0] == "hydra"
        below = path if found[1] is not None or not is_hydra else path[1:]
        value = _at(self.hydra if is_hydra else self.config, below)
        if isinstance(value, dict) or value is _NOTHING or value == "???" or self._depth > _DEEPEST:
            raise NotPlainError
        if isinstance(value, list) and "${" in str(value):
            raise NotPlainError
        self._depth += 1
        try:
            return self.value(value)
        finally:
            self._depth -= 1


def log_files(node: Mapping[str, Any], look: _Look | None = None) -> Iterator[LogFile]:
    """Files that a ``job_logging`` names.

    Args:
        node: As plain containers.
        look: Follows references in it; None where there are none.
    """
    value = _plain if look is None else look.value
    root = node.get("root") or {}
    for name in root.get("handlers") or ():
        handler = node["handlers"][value(name)]
        if "filename" in handler:
            form = (node.get("formatters") or {}).get(value(handler.get("formatter"))) or {}
            level = value(handler.get("level")) or value(root.get("level")) or 0
            yield LogFile(str(value(handler["filename"])), level, value(form.get("format")), value(form.get("datefmt")))


def _plain(value: Any) -> Any:
    return value


_NOTHING = object()


def _same(value: Any, other: Any) -> bool:
    """Whether two values are one for whoever reads them: 1, 1.0 and true are three."""
    return type(value) is type(other) and (repr(value) == repr(other))


def _at(tree: Any, path: Sequence[str]) -> Any:
    for part in path:
        if not isinstance(tree, dict) or part not in tree:
            return _NOTHING
        tree = tree[part]
    return tree


def _with(tree: Plain, values: Mapping[Keys, Any]) -> Plain:
    """A tree with other values in it; it shares the branches that none of them changes."""
    found = dict(tree)
    below: dict[str, dict[Keys, Any]] = {}
    for path, value in values.items():
        if len(path) == 1:
            found[path[0]] = value
        else:
            below.setdefault(path[0], {})[path[1:]] = value
    for key, own in below.items():
        found[key] = _with(found[key], own)
    return found


def _references(node: Any, above: Keys = ()) -> Iterator[tuple[Keys, str]]:
    """Every text with a reference, by its path."""
    for key, value in node.items():
        path = (*above, str(key))
        if isinstance(value, dict):
            yield from _references(value, path)
        elif "${" in str(value):
            yield path, value if isinstance(value, str) else _IN_A_LIST


# No text that could be followed.
_IN_A_LIST = "${:}"
