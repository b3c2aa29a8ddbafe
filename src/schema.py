"""What a training configuration may hold: its root, and for every `_target_` the parameters of the code it names.

Parameters are read from source files by `ast`, so that a typo is found without importing torch.
"""

import ast
import builtins
import difflib
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, NewType, get_type_hints

import yaml
from omegaconf import DictConfig, OmegaConf

VERSION_BASE = "1.3"


class ConfigError(Exception):
    """Something in the configuration that its author can mend; shown as one message without a traceback."""


Node = NewType("Node", dict[str, Any])
"""A mapping with a `_target_`; its other keys are parameters of the target."""


@dataclass(frozen=True)
class Model:
    """Keys of `model`."""

    name: str
    task: str | None
    net: Node


@dataclass(frozen=True)
class Suggested:
    """Keys of `suggested`: what suits a data set, for others to refer to."""

    lr: float
    max_epochs: int


@dataclass(frozen=True)
class Root:
    """Keys of the root of `conf/train.yaml`."""

    task: Node
    loss: Node
    data: Node
    suggested: Suggested
    model: Model
    optimizer: Node
    scheduler: Node | None
    trainer: Node
    callbacks: dict[str, Node | None]
    logger: dict[str, Node | None]
    seed: int
    compile: bool
    evaluate: Literal["best", "last"]
    optimized_metric: str
    run_dir: str


_VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "seed": (lambda value: type(value) is int and 0 <= value < 2**32, "a whole number from 0 to 4294967295"),
    "compile": (lambda value: isinstance(value, bool), "true or false"),
    "evaluate": (lambda value: value in ("best", "last"), "best or last"),
    "optimized_metric": (
        lambda value: isinstance(value, str) and re.fullmatch(r"(train|val|test)/[\w.-]+", value) is not None,
        "split/name with split train, val or test, such as val/loss",
    ),
}

_HYDRA_KEYS = frozenset({"_target_", "_partial_", "_convert_", "_recursive_", "_args_"})

_EXTRAS = {
    "lightning.pytorch.loggers.wandb.WandbLogger": "wandb",
    "lightning.pytorch.loggers.mlflow.MLFlowLogger": "mlflow",
}


def suggest(word: str, valid: Sequence[str], *, prefix: str = "") -> str:
    """Name the nearest of the valid words, or all of them when none is near.

    Args:
        word: What was given.
        valid: What is allowed.
        prefix: Written before each word, e.g. ``data.``.
    """
    near = difflib.get_close_matches(word, valid, n=1)
    if near:
        return f"did you mean {prefix}{near[0]}?"
    return f"allowed: {', '.join(sorted(prefix + name for name in valid)) or 'none'}"


def check(
    cfg: DictConfig,
    *,
    choices: Mapping[str, Any],
    overrides: Sequence[str],
    conf_dir: Path,
    config_name: str = "train",
) -> None:
    """Look for unknown keys, targets that do not exist and root values out of range.

    Args:
        cfg: Composed configuration without the `hydra` node.
        choices: Chosen option per group, as in `hydra.runtime.choices`.
        overrides: Overrides from the command line, to tell where a key comes from.
        conf_dir: Folder of the YAML files, to tell where a key comes from.
        config_name: Root file in ``conf_dir``.

    Raises:
        ConfigError: If anything is wrong; lists everything that is.
    """
    tree = OmegaConf.to_container(cfg)
    problems: dict[str, str] = {}
    for key, text in (*_walk(tree, Root, "", choices, conf_dir), *_references(tree, tree), *_values(cfg)):
        problems.setdefault(key, text)
    if problems:
        where = Origins(overrides, conf_dir, config_name)
        raise ConfigError("\n".join(f"{key}{where.find(key)}: {text}" for key, text in problems.items()))


def _values(cfg: DictConfig) -> Iterator[tuple[str, str]]:
    for key, (is_valid, allowed) in _VALUES.items():
        value = OmegaConf.select(cfg, key, throw_on_resolution_failure=False)
        if not is_valid(value):
            yield key, f"got {value!r}; allowed: {allowed}"


def _references(tree: Any, value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the ${...} that lead nowhere; resolvers are not called."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _references(tree, child, f"{key}.{name}" if key else str(name))
    for path in re.findall(r"(?<!\\)\$\{(\w[\w.]*)\}", value if isinstance(value, str) else ""):
        if hint := unknown(tree, path):
            yield key, f"${{{path}}} leads nowhere; {hint}"


def _walk(value: Any, hint: Any, key: str, choices: Mapping[str, Any], conf_dir: Path) -> Iterator[tuple[str, str]]:
    """Yield (key, what is wrong with it) for a value that ``hint`` describes."""
    if value == "???":
        yield key, f"no value; give {key}=..."
    elif is_dataclass(hint) and isinstance(value, dict):
        hints = get_type_hints(hint)
        prefix = f"{key}." if key else ""
        required = {name: None for name, of in hints.items() if of is Node}
        for name, child in {**required, **value}.items():
            if name in hints:
                yield from _walk(child, hints[name], prefix + name, choices, conf_dir)
            elif not key and (conf_dir / str(name)).is_dir():
                yield name, "not a key but a group; its file should begin with `# @package _global_`"
            else:
                yield f"{prefix}{name}", f"unknown key; {suggest(str(name), list(hints), prefix=prefix)}"
    elif hint == dict[str, Node | None] and isinstance(value, dict):
        for name, child in value.items():
            if isinstance(child, dict) and "_target_" not in child:
                valid = [other for other, node in value.items() if isinstance(node, dict) and "_target_" in node]
                yield f"{key}.{name}", f"no _target_; {suggest(name, valid, prefix=f'{key}.')}"
            else:
                yield from _walk(child, Node | None, f"{key}.{name}", choices, conf_dir)
    elif hint in (Node, Node | None):
        yield from _walk_node(value, key, choices, conf_dir, optional=hint is not Node)


def _walk_node(
    value: Any, key: str, choices: Mapping[str, Any], conf_dir: Path, *, optional: bool
) -> Iterator[tuple[str, str]]:
    is_chosen = isinstance(value, dict) and "_target_" in value
    if not is_chosen and (value or not optional) and not isinstance(value, str):
        given = f"{key}={choices[key]}" if key in choices else key
        options = sorted(file.stem for file in (conf_dir / key).glob("*.yaml"))
        yield key, f"{given} has no _target_" + (f"; options of {key}: {', '.join(options)}" if options else "")
    for path, node in _nodes(value, key):
        yield from _check_node(node, path, choices)


def _nodes(value: Any, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the mappings with a `_target_`, at any depth."""
    if isinstance(value, dict):
        if "_target_" in value:
            yield key, value
        for name, child in value.items():
            yield from _nodes(child, f"{key}.{name}")
    elif isinstance(value, list):
        for i, child in enumerate(value):
            yield from _nodes(child, f"{key}[{i}]")


def _check_node(node: dict[str, Any], key: str, choices: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    target = str(node["_target_"])
    if "${" in target:
        return
    package = _EXTRAS.get(target, target.split(".")[0])
    if package in _EXTRAS.values() and importlib.util.find_spec(package) is None:
        group = key.split(".")[0]
        yield key, f"{group}={choices.get(group, package)} needs the package {package}: pip install -e .[{package}]"
        return
    try:
        valid = parameters(target)
    except ConfigError as error:
        yield f"{key}._target_", str(error)
        return
    if valid is not None:
        for name in node:
            if name not in _HYDRA_KEYS and name not in valid:
                text = f"unknown key, not a parameter of {target.rsplit('.', 1)[-1]}"
                yield f"{key}.{name}", f"{text}; {suggest(str(name), valid, prefix=f'{key}.')}"
            elif node[name] == "???":
                yield f"{key}.{name}", f"no value; give {key}.{name}=..."


def unknown(
    cfg: DictConfig | dict[str, Any], key: str, *, groups: Sequence[str] = (), can_add: bool = False
) -> str | None:
    """Give the nearest keys to one that the configuration does not have; None if it has it, or if it can be added."""
    node: Any = OmegaConf.to_container(cfg) if OmegaConf.is_config(cfg) else cfg
    above = ""
    for part in key.replace("[", ".").replace("]", "").split("."):
        if isinstance(node, list) or (isinstance(node, str) and "${" in node):
            return None
        if not isinstance(node, dict):
            return f"{above.rstrip('.')} is a single value"
        if part not in node:
            more = (parameters(node["_target_"]) or ()) if "_target_" in node else groups
            if part in more and above:
                if can_add:
                    return None
                return f"a parameter that the YAML leaves out; add it with +{key}=..."
            return suggest(part, [*map(str, node), *(name for name in more if name not in node)], prefix=above)
        node, above, groups = node[part], f"{above}{part}.", ()
    return None


@contextmanager
def hydra_at(conf_dir: Path) -> Iterator[None]:
    """Initialise Hydra for a folder of YAML files, and put back what was initialised before."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.utils import JobRuntime

    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    name = JobRuntime.instance().get("name")
    try:
        with initialize_config_dir(str(conf_dir), job_name=name, version_base=VERSION_BASE):
            yield
    finally:
        GlobalHydra.instance().hydra = before


class Origins:
    """Tells where in the command line or the YAML files a key stands; reads them on first use only.

    Args:
        overrides: Overrides from the command line.
        conf_dir: Folder of the YAML files.
        config_name: Root file in ``conf_dir``.
    """

    def __init__(self, overrides: Sequence[str], conf_dir: Path, config_name: str) -> None:
        self._overrides = overrides
        self._conf_dir = conf_dir
        self._config_name = config_name

    def find(self, key: str) -> str:
        """Give the place in brackets, or nothing if it is unknown."""
        places = [f"command line: {line}" for line in self._overrides if self._sets(line, key)]
        if not places:
            places = [place for file, package in self._files if (place := self._place(file, package, key))]
        # the last one wins where several set the same key
        return f" ({places[-1]})" if places else ""

    def _sets(self, line: str, key: str) -> bool:
        """Tell whether an override gives `key` a value, itself, by a mapping around it, or by a key below it."""
        name, _, value = line.lstrip("+~").partition("=")
        if (self._conf_dir / name).is_dir() and not value.startswith("{"):
            return False
        around = key.startswith(f"{name}.") and key.removeprefix(f"{name}.").split(".")[0] in value
        return key == name or around or name.startswith(f"{key}.")

    @cached_property
    def _files(self) -> list[tuple[Path, str]]:
        """YAML files that make up the configuration, each with the key under which its content stands."""
        from hydra.core.global_hydra import GlobalHydra
        from hydra.errors import HydraException
        from hydra.types import RunMode

        try:
            with hydra_at(self._conf_dir):
                loader = GlobalHydra.instance().config_loader()
                found = loader.compute_defaults_list(self._config_name, list(self._overrides), RunMode.RUN).defaults
        except HydraException:
            return []
        files = [(self._conf_dir / f"{default.config_path}.yaml", default.package or "") for default in found]
        return [(file, package) for file, package in files if file.is_file()]

    def _place(self, file: Path, package: str, key: str) -> str | None:
        if package == key:
            return str(file.relative_to(self._conf_dir.parent))
        if package and not key.startswith(f"{package}."):
            return None
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        line = 0
        for part in key.removeprefix(f"{package}.").split("."):
            pairs = node.value if isinstance(node, yaml.MappingNode) else []
            match = next((pair for pair in pairs if pair[0].value == part), None)
            if match is None:
                return None
            line, node = match[0].start_mark.line + 1, match[1]
        return f"{file.relative_to(self._conf_dir.parent)}, line {line}"


class _UnreadableError(Exception):
    """The source does not tell: compiled, created at run time, or not installed."""


_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class _Module:
    """Top-level names of a source file."""

    name: str
    definitions: dict[str, _Definition]
    # local name -> absolute dotted name
    imports: dict[str, str]
    # modules of `from x import *`
    stars: list[str]
    # names bound in another way
    others: set[str]


@cache
def parameters(target: str) -> tuple[str, ...] | None:
    """Names that a class or function takes as keyword arguments.

    Args:
        target: Full dotted path, e.g. ``torch.optim.sgd.SGD``.

    Returns:
        The names, or None if anything is accepted (``**kwargs``) or the source does not tell.

    Raises:
        ConfigError: If the top-level package is installed and the path leads to nothing in it.
    """
    try:
        module, definition = _resolve(target)
        is_class = isinstance(definition, ast.ClassDef)
        arguments = _init(module, definition) if isinstance(definition, ast.ClassDef) else definition.args
    except _UnreadableError:
        return None
    if arguments is None:
        return ()
    if arguments.kwarg is not None:
        return None
    positional = [*arguments.posonlyargs, *arguments.args][1 if is_class else 0 :]
    return tuple(argument.arg for argument in [*positional, *arguments.kwonlyargs])


def _resolve(target: str, hops: int = 12) -> tuple[_Module, _Definition]:
    """Find the definition that a dotted path leads to, through re-exports."""
    module, attributes, siblings = _locate(target)
    if not attributes:
        raise ConfigError(f"{target} is a module; name a class or function in it")
    name, *rest = attributes
    if hops == 0 or (rest and name in module.definitions):
        raise _UnreadableError(target)
    if name in module.definitions:
        return module, module.definitions[name]
    if name in module.imports:
        return _resolve(".".join([module.imports[name], *rest]), hops - 1)
    if name in module.others:
        raise _UnreadableError(target)
    # more names after this one: it would be a module, and those have files
    for star in [] if rest else module.stars:
        try:
            return _resolve(".".join([star, name]), hops - 1)
        except ConfigError:  # noqa: PERF203 the next one may have it
            continue
    if not rest and "__getattr__" in module.definitions:
        raise _UnreadableError(target)
    valid = [*module.definitions, *module.imports, *siblings]
    raise ConfigError(f"{target} does not exist, {module.name} has no {name}; {suggest(name, valid)}")


def _locate(target: str) -> tuple[_Module, list[str], list[str]]:
    """Split a dotted path into its module, the names inside it, and the modules beside the first of these names."""
    name, *rest = target.split(".")
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:
        spec = None
    if spec is None:
        raise _UnreadableError(target)
    if spec.submodule_search_locations is None:
        return _read(Path(spec.origin or ""), name), rest, []
    folders = [Path(folder) for folder in spec.submodule_search_locations]
    while rest:
        files = [folder / f"{rest[0]}.py" for folder in folders if (folder / f"{rest[0]}.py").is_file()]
        inner = [folder / rest[0] for folder in folders if (folder / rest[0]).is_dir()]
        if not files and not inner:
            break
        name, rest = f"{name}.{rest[0]}", rest[1:]
        if not inner:
            return _read(files[0], name), rest, []
        folders = inner
    if rest and any(any(folder.glob(f"{rest[0]}.*")) for folder in folders):
        raise _UnreadableError(target)
    siblings = [entry.stem for folder in folders for entry in folder.iterdir() if not entry.name.startswith("_")]
    return _read(folders[0] / "__init__.py", name), rest, siblings


@cache
def _read(file: Path, name: str) -> _Module:
    module = _Module(name, {}, {}, [], set())
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    if file.suffix != ".py":
        raise _UnreadableError(name)
    source = file.read_text(encoding="utf-8") if file.is_file() else ""
    for statement in _statements(ast.parse(source)):
        if isinstance(statement, _Definition):
            module.definitions[statement.name] = statement
        elif isinstance(statement, ast.ImportFrom):
            _add_import_from(module, statement, package)
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                local = alias.asname or alias.name.split(".")[0]
                module.imports[local] = alias.name if alias.asname else local
        else:
            module.others.update(node.id for node in ast.walk(statement) if isinstance(node, ast.Name))
    return module


def _add_import_from(module: _Module, statement: ast.ImportFrom, package: str) -> None:
    parts = package.split(".")
    # each dot beyond the first climbs one package
    base = parts[: len(parts) - statement.level + 1] if statement.level else []
    source = ".".join([*base, *([statement.module] if statement.module else [])])
    for alias in statement.names:
        if alias.name == "*":
            module.stars.append(source)
        else:
            module.imports[alias.asname or alias.name] = f"{source}.{alias.name}"


def _statements(parent: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements that run on import, those inside `if` and `try` too."""
    for child in ast.iter_child_nodes(parent):
        if isinstance(child, (ast.If, ast.Try, ast.With, ast.ExceptHandler)):
            yield from _statements(child)
        elif isinstance(child, ast.stmt):
            yield child


def _init(module: _Module, definition: ast.ClassDef) -> ast.arguments | None:
    """Find the arguments of a class's own or inherited `__init__`; None if no class on the way defines one."""
    methods = {node.name: node.args for node in definition.body if isinstance(node, ast.FunctionDef)}
    if "__init__" in methods:
        return methods["__init__"]
    if "__new__" in methods or definition.decorator_list:
        raise _UnreadableError(definition.name)
    inherited = [found for base in definition.bases if (found := _inherited(module, base)) is not None]
    # which of several comes first depends on the method resolution order
    if len(inherited) > 1:
        raise _UnreadableError(definition.name)
    return inherited[0] if inherited else None


def _inherited(module: _Module, base: ast.expr) -> ast.arguments | None:
    name = ast.unparse(base.value if isinstance(base, ast.Subscript) else base)
    head, *rest = name.split(".")
    if [head, *rest][-1] in ("object", "ABC", "Generic", "Protocol"):
        return None
    if hasattr(builtins, head) and head not in module.definitions:
        raise _UnreadableError(name)
    absolute = ".".join([module.imports.get(head, f"{module.name}.{head}"), *rest])
    try:
        parent, definition = _resolve(absolute)
    except ConfigError as error:
        raise _UnreadableError(name) from error
    if not isinstance(definition, ast.ClassDef):
        raise _UnreadableError(name)
    return _init(parent, definition)
