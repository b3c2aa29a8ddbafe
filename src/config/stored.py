"""Stored configurations, which may come from a stranger: they name harmless classes, and nothing else runs.

`hydra.utils.instantiate` calls whatever a `_target_` names, and a list of what is forbidden is never complete. So this
decides by what is allowed, before anything is imported: a `_target_` stands where a class belongs, in a package that is
known or trusted, and references lead to other keys of the same configuration. `src.checks.targets` then looks at the
classes themselves. A command line is its user's own, and not limited.
"""

import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from src.config.allowed import Seed, fits, say
from src.config.errors import ConfigError
from src.config.seeds import Vary

PACKAGES = ("src", "torch", "lightning", "torchmetrics")
"""Packages whose classes any stored configuration may name."""

TRUSTED = "TRUSTED_MODULES"
"""Environment variable with further ones, separated by commas."""

# Lightning's examples fetch data sets.
_EXAMPLES = "lightning.pytorch.demos"

_NAME = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*")
_REFERENCE = re.compile(r"\$\{(\.*)([A-Za-z_][\w-]*(?:\.[\w-]+)*)\}")
_CALL = re.compile(r"\$\{([A-Za-z_][\w.]*):")

# Values that references may lead to in all, containers in each other, and characters of a text with references.
_MOST, _DEEPEST, _LONGEST, _MOST_TEXT = 100_000, 50, 1_000, 50_000

_GROUPS = ("task", "loss", "data", "model.net", "optimizer", "scheduler", "trainer", "module")
_OPTIONAL = ("scheduler", "module")
# What a module stands for.
_OF_MODULE = ("task", "loss", "model.net", "optimizer", "scheduler")
_MANY = ("callbacks", "logger")


@dataclass(frozen=True)
class Target:
    """A `_target_` of a configuration.

    Attributes:
        key: Where it stands.
        name: What it names.
        group: What belongs there: ``data``, ``model.net``, ``callbacks`` and so on.
        is_part: Whether it is a part of what belongs there, such as a network's layer.
    """

    key: str
    name: str
    group: str
    is_part: bool


def trusted_modules(given: object) -> tuple[str, ...]:
    """Packages that the user trusts, on the command line or in the environment.

    Args:
        given: ``trusted_modules`` of a command.

    Raises:
        ConfigError: If one is no dotted name.
    """
    listed = [given] if isinstance(given, str) else given or ()
    if not isinstance(listed, Iterable):
        raise ConfigError(f"trusted_modules={given}: allowed: a list of packages, such as trusted_modules=[my_package]")
    names = [*listed, *(name.strip() for name in os.environ.get(TRUSTED, "").split(",") if name.strip())]
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigError(f"trusted_modules: got {name!r}; allowed: names of packages, such as my_package")
    return tuple(names)


def import_from_here(trusted: Sequence[str]) -> None:
    """Let trusted packages lie in the current folder as well; commands that read directories import nothing from it."""
    if trusted and (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)


def check_stored(tree: Mapping[str, Any], *, trusted: Sequence[str], run_dir: Path) -> list[str]:
    """What a configuration holds that it may not, a line each; nothing of it is resolved, imported or called.

    Args:
        tree: Plain containers; nested only as deep as `src.run.reading` lets them be.
        trusted: Names of packages and resolvers of the user's own.
        run_dir: The directory that it was found in, from which nothing is imported.
    """
    try:
        resolved = _Resolver(tree, frozenset(trusted)).tree()
    except ConfigError as error:
        return [str(error)]
    return [f"{target.key}: {why}" for target in targets(resolved) if (why := _refused(target, trusted, run_dir))]


def resolved_tree(tree: Mapping[str, Any], *, trusted: Sequence[str]) -> dict[str, Any]:
    """Plain containers with what references lead to in their place.

    Raises:
        ConfigError: If a reference is none to another key, or leads to too much.
    """
    return _Resolver(tree, frozenset(trusted)).tree()


def targets(tree: Mapping[str, Any]) -> Iterator[Target]:
    """All that a configuration without references names to be made."""
    yield from _targets(tree, ())


def _targets(value: Any, path: tuple[str, ...]) -> Iterator[Target]:
    if isinstance(value, dict):
        if "_target_" in value:
            group, length = _group(path)
            yield Target(".".join([*path, "_target_"]), str(value["_target_"]), group, len(path) > length)
        for name, child in value.items():
            yield from _targets(child, (*path, str(name)))
    elif isinstance(value, list):
        for i, child in enumerate(value):
            yield from _targets(child, (*path, str(i)))


def _group(path: Sequence[str]) -> tuple[str, int]:
    """The group that a key belongs to, and the number of names in the key of an object of this group."""
    for n in (1, 2):
        if ".".join(path[:n]) in _GROUPS:
            return ".".join(path[:n]), n
    return (path[0], 2) if len(path) > 1 and path[0] in _MANY else ("", 0)


def _refused(target: Target, trusted: Sequence[str], run_dir: Path) -> str | None:
    """Why a name is not even looked up."""
    name, shown = target.name, repr(target.name[:100])
    if not target.group:
        return f"{shown} stands where no class belongs"
    if not _NAME.fullmatch(name) or "." not in name:
        return f"{shown} is not the full name of a class"
    own = any(name.startswith(f"{each}.") for each in trusted)
    if not own and name.split(".")[0] not in PACKAGES:
        return (
            f"{shown} is in none of the packages {', '.join(PACKAGES)}; if you trust its package, give "
            f"trusted_modules=[{name.split('.')[0]}], or set {TRUSTED}={name.split('.')[0]}"
        )
    if not own and name.startswith(f"{_EXAMPLES}."):
        return f"{shown} is one of Lightning's examples, which fetch data"
    if _lies_in(name, run_dir):
        return f"{shown} lies in the run directory itself, from which nothing is imported"
    return None


def _lies_in(name: str, folder: Path) -> bool:
    """Whether a module would be taken from a folder; tells without importing anything."""
    package, *rest = name.split(".")[:-1]
    folder = folder.resolve()
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = spec.submodule_search_locations
    found = [Path(place).resolve() for place in ([spec.origin or ""] if places is None else places)]
    if package not in PACKAGES and any(place.is_relative_to(folder) for place in found):
        return True
    # a folder of this project's package may hold a run
    inner = [place.joinpath(*rest).resolve() for place in found if not place.is_relative_to(folder)]
    return any(place.is_relative_to(folder) for place in inner)


def missing(tree: Mapping[str, Any]) -> Iterator[str]:
    """What every configuration has, and this one has not, or as something else; a line each."""
    for key in _GROUPS:
        node: Any = tree
        for name in key.split("."):
            node = node.get(name) if isinstance(node, dict) else None
        if not node and key in (_OPTIONAL if tree.get("module") is None else _OF_MODULE):
            continue
        if not isinstance(node, dict) or "_target_" not in node:
            yield f"{key}: it names no class by _target_"
    for key in _MANY:
        nodes = tree.get(key)
        if not isinstance(nodes, dict | None) or not all(
            isinstance(each, dict | None) for each in (nodes or {}).values()
        ):
            yield f"{key}: it is no mapping of objects by name"
    seed = tree.get("seed")
    if type(seed) is not int or not 0 <= seed < 2**32:
        yield f"seed: got {str(seed)[:100]!r}; allowed: a whole number from 0 to 4294967295"
    if (vary := tree.get("vary")) is not None and not fits(vary, Vary):
        yield f"vary: got {str(vary)[:100]!r}; allowed: {say(Vary)}"
    if not fits(tree.get("base_seed", 0), Seed):
        yield f"base_seed: got {str(tree['base_seed'])[:100]!r}; allowed: {say(Seed)}"
    kinds: tuple[tuple[str, type, str], ...] = (
        ("compile", bool, "true or false"),
        ("evaluate", str, "best or last"),
        ("optimized_metric", str, "the name of a metric"),
    )
    for key, kind, allowed in kinds:
        if type(tree.get(key)) is not kind:
            yield f"{key}: got {str(tree.get(key))[:100]!r}; allowed: {allowed}"
    if isinstance(model := tree.get("model"), dict) and not isinstance(model.get("name"), str):
        yield "model.name: it is missing, or no text"


@dataclass
class _Resolver:
    """Follows references as OmegaConf does, within limits: a few lines that refer to each other can mean gigabytes."""

    root: Mapping[str, Any]
    trusted: frozenset[str]
    n_values: int = field(default=0, init=False)
    n_text: int = field(default=0, init=False)

    def tree(self) -> dict[str, Any]:
        return {str(name): self._value(value, (str(name),), 0) for name, value in self.root.items()}

    def _value(self, value: Any, path: tuple[str, ...], depth: int) -> Any:
        self.n_values += 1
        if self.n_values > _MOST or depth > _DEEPEST:
            raise ConfigError(f"{_key(path)}: it refers to itself, or to more than any configuration holds")
        if isinstance(value, dict):
            return {name: self._value(child, (*path, str(name)), depth + 1) for name, child in value.items()}
        if isinstance(value, list):
            return [self._value(child, (*path, str(i)), depth + 1) for i, child in enumerate(value)]
        return self._text(value, path, depth) if isinstance(value, str) and "${" in value else value

    def _text(self, text: str, path: tuple[str, ...], depth: int) -> Any:
        self.n_text += len(text)
        if len(text) > _LONGEST or self.n_text > _MOST_TEXT:
            raise ConfigError(f"{_key(path)}: it refers to more than any configuration holds")
        calls = _CALL.findall(text)
        if any(name not in self.trusted for name in calls):
            called = next(name for name in calls if name not in self.trusted)
            raise ConfigError(
                f"{_key(path)}: {text[:100]!r} calls the resolver {called}; if you trust it, give "
                f"trusted_modules=[{called}], or set {TRUSTED}={called}"
            )
        # an escaped one too: it becomes a reference where it is resolved twice
        if text.count("${") != len(calls) + len(_REFERENCE.findall(text)) or "\\" in text:
            raise ConfigError(f"{_key(path)}: {text[:100]!r} is no reference to another key")
        if found := _REFERENCE.fullmatch(text):
            return self._value(*self._target(found, path, depth), depth + 1)
        made = _REFERENCE.sub(lambda each: self._word(each, path, depth), text)
        if made.count("${") != len(calls):
            raise ConfigError(f"{_key(path)}: {text[:100]!r} makes another reference")
        # what a trusted resolver gives is not known
        return None if calls else made

    def _word(self, reference: re.Match[str], path: tuple[str, ...], depth: int) -> str:
        """What a reference inside a text gives."""
        value = self._value(*self._target(reference, path, depth), depth + 1)
        if isinstance(value, dict | list) or len(str(value)) > _LONGEST:
            raise ConfigError(f"{_key(path)}: {reference[0][:100]} is no word in a text")
        return str(value)

    def _target(self, reference: re.Match[str], path: tuple[str, ...], depth: int) -> tuple[Any, tuple[str, ...]]:
        """What a reference leads to, and where that stands; all the way there may lead through other references."""
        dots, names = len(reference[1]), reference[2].split(".")
        full = [*(path[: len(path) - dots] if dots else ()), *names]
        # more dots than there are keys to go up lead nowhere
        node: Any = self.root if dots <= len(path) else None
        for n, name in enumerate(full):
            if isinstance(node, str):
                node = self._value(node, tuple(full[:n]), depth + 1)
            here = node.get(name, _NOTHING) if isinstance(node, dict) else _NOTHING
            if isinstance(node, list) and name.isdecimal() and int(name) < len(node):
                here = node[int(name)]
            if here is _NOTHING:
                raise ConfigError(f"{_key(path)}: {reference[0][:100]} leads nowhere")
            node = here
        return node, tuple(full)


_NOTHING: Any = object()


def _key(path: Sequence[str]) -> str:
    return ".".join(path)[:200]
