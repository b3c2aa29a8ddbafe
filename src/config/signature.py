"""Parameters of a class or function, read from its source without importing it.

Importing torch to learn that an optimiser has no parameter ``lrr`` would take longer than the answer is worth.
"""

import ast
import builtins
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from src.config.errors import ConfigError, suggest


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
    entries = [entry for folder in folders for entry in folder.iterdir()]
    # compiled, or what an extension brings
    if rest and any(entry.name.startswith(f"{rest[0]}.") for entry in entries):
        raise _UnreadableError(target)
    siblings = [entry.stem for entry in entries if not entry.name.startswith("_")]
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
