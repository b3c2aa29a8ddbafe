"""Parameters of a class or function and what they take, read from its source without importing it.

Importing torch to learn that an optimiser has no parameter ``lrr`` would take longer than the answer is worth.
"""

import ast
import builtins
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from src.config import allowed
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
    # what single names are set to
    values: dict[str, ast.expr]


@dataclass(frozen=True)
class Parameter:
    """A keyword argument.

    Attributes:
        is_required: Whether it has no default.
    """

    _module: _Module
    _annotation: ast.expr | None
    is_required: bool

    @cached_property
    def hint(self) -> Any:
        """Its annotation, with `Made` for any class; `typing.Any` where the source does not tell."""
        return _hint(self._module, self._annotation)


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


@cache
def typed_parameters(target: str) -> Mapping[str, Parameter]:
    """What a class or function takes as keyword arguments, also beside ``**kwargs``; empty if the source does not tell.

    Args:
        target: Full dotted path.
    """
    try:
        module, definition = _resolve(target)
        is_class = isinstance(definition, ast.ClassDef)
        if isinstance(definition, ast.ClassDef):
            module, arguments = _init_in(module, definition)
        else:
            arguments = definition.args
    except (_UnreadableError, ConfigError):
        return {}
    if arguments is None:
        return {}
    positional = [*arguments.posonlyargs, *arguments.args]
    without = len(positional) - len(arguments.defaults)
    found = {
        argument.arg: Parameter(
            module,
            argument.annotation if i < without else _with_default(argument.annotation, arguments.defaults[i - without]),
            i < without,
        )
        for i, argument in enumerate(positional)
        if argument not in arguments.posonlyargs and not (is_class and i == 0)
    }
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found[argument.arg] = Parameter(module, _with_default(argument.annotation, default), default is None)
    return found


def _with_default(annotation: ast.expr | None, default: ast.expr | None) -> ast.expr | None:
    """An annotation that allows its default: ``x: nn.Module = None`` takes None, whatever it says."""
    if annotation is None or not (isinstance(default, ast.Constant) and default.value is None):
        return annotation
    return ast.BinOp(annotation, ast.BitOr(), default)


@cache
def full_name(target: str) -> str:
    """Where a class or function is defined, for a path that leads to it through re-exports."""
    try:
        module, definition = _resolve(target)
    except (_UnreadableError, ConfigError):
        return target
    return f"{module.name}.{definition.name}"


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
    module = _Module(name, {}, {}, [], set(), {})
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    if file.suffix != ".py":
        raise _UnreadableError(name)
    source = file.read_text(encoding="utf-8") if file.is_file() else ""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ConfigError(f"{file}, line {error.lineno}: {error.msg}, so that Python cannot read {name}") from error
    for statement in _statements(tree):
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
            _add_value(module, statement)
    return module


def _add_value(module: _Module, statement: ast.stmt) -> None:
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        if isinstance(target, ast.Name):
            module.values[target.id] = statement.value


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
    return _init_in(module, definition)[1]


def _init_in(module: _Module, definition: ast.ClassDef) -> tuple[_Module, ast.arguments | None]:
    """The same, and the module in which they stand."""
    methods = {node.name: node.args for node in definition.body if isinstance(node, ast.FunctionDef)}
    if "__init__" in methods:
        return module, methods["__init__"]
    if "__new__" in methods or definition.decorator_list:
        raise _UnreadableError(definition.name)
    inherited = [found for base in definition.bases if (found := _inherited(module, base))[1] is not None]
    # which of several comes first depends on the method resolution order
    if len(inherited) > 1:
        raise _UnreadableError(definition.name)
    return inherited[0] if inherited else (module, None)


def _inherited(module: _Module, base: ast.expr) -> tuple[_Module, ast.arguments | None]:
    name = ast.unparse(base.value if isinstance(base, ast.Subscript) else base)
    head, *rest = name.split(".")
    if [head, *rest][-1] in ("object", "ABC", "Generic", "Protocol"):
        return module, None
    if hasattr(builtins, head) and head not in module.definitions:
        raise _UnreadableError(name)
    absolute = ".".join([module.imports.get(head, f"{module.name}.{head}"), *rest])
    try:
        parent, definition = _resolve(absolute)
    except ConfigError as error:
        raise _UnreadableError(name) from error
    if not isinstance(definition, ast.ClassDef):
        raise _UnreadableError(name)
    return _init_in(parent, definition)


# Annotations

_LISTS = frozenset({"Collection", "Iterable", "List", "MutableSequence", "Sequence", "list"})
_MAPPINGS = frozenset({"DictConfig", "Dict", "Mapping", "MutableMapping", "dict"})
_PLAIN: Mapping[str, Any] = {"bool": bool, "float": float, "int": int, "str": str, "Path": str, "PathLike": str}
# Bases of classes that a configuration can hold a value for, not only what a `_target_` makes.
_OF_VALUES = frozenset({"Enum", "IntEnum", "NamedTuple", "StrEnum", "TypedDict", "int", "str"})
_DECLARATIONS = {"OneOf": allowed.OneOf, "Range": allowed.Range, "Text": allowed.Text}


def _hint(module: _Module, node: ast.expr | None, hops: int = 20) -> Any:
    """The annotation that an expression means, with `Made` for any class; Any where it cannot be told."""
    if node is None or hops == 0:
        return Any
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            try:
                return _hint(module, ast.parse(node.value, mode="eval").body, hops - 1)
            except SyntaxError:
                return Any
        return None if node.value is None else Any
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(_hint(module, node.left, hops - 1), _hint(module, node.right, hops - 1))
    if isinstance(node, ast.Subscript):
        return _generic(module, node, hops)
    if isinstance(node, ast.Name | ast.Attribute):
        return _named(module, ast.unparse(node), hops)
    return Any


def _generic(module: _Module, node: ast.Subscript, hops: int) -> Any:
    name = ast.unparse(node.value).rpartition(".")[2]
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Literal":
        try:
            return Literal[tuple(ast.literal_eval(part) for part in parts)]
        except ValueError:
            return Any
    hints = [_hint(module, part, hops - 1) for part in parts]
    if name == "Annotated":
        made = [found for part in parts[1:] if (found := _declaration(part)) is not None]
        return Annotated[(hints[0], *made)] if made else hints[0]
    if name == "Union":
        return _union(*hints)
    if name == "Optional":
        return _union(hints[0], None)
    if name in ("tuple", "Tuple"):
        is_any_length = isinstance(parts[-1], ast.Constant) and parts[-1].value is Ellipsis
        return list[hints[0]] if is_any_length else tuple[tuple(hints)]  # type: ignore[misc,valid-type]
    if name in _LISTS:
        return list[hints[0]]  # type: ignore[valid-type]
    if name in _MAPPINGS:
        return dict
    return allowed.Made if name == "Callable" else Any


def _union(*hints: Any) -> Any:
    return Union[tuple(hints)]  # noqa: UP007 there are as many as there are


def _declaration(node: ast.expr) -> Any:
    """What stands in `Annotated` beside a type; None for what is not ours, or is no constant."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in _DECLARATIONS:
        return None
    try:
        arguments = [ast.literal_eval(value) for value in node.args]
        named = {each.arg: ast.literal_eval(each.value) for each in node.keywords if each.arg is not None}
    except ValueError:
        return None
    return _DECLARATIONS[ast.unparse(node.func).rpartition(".")[2]](*arguments, **named)


def _named(module: _Module, name: str, hops: int) -> Any:
    head, *rest = name.split(".")
    if not rest and head in module.values:
        return _hint(module, module.values[head], hops - 1)
    absolute = ".".join([module.imports.get(head, f"{module.name}.{head}"), *rest])
    last = absolute.rpartition(".")[2]
    is_own = head in module.definitions
    if not is_own and last in _PLAIN:
        return _PLAIN[last]
    if not is_own and last in _LISTS:
        return list
    if not is_own and last in ("tuple", "Tuple"):
        return tuple
    if not is_own and last in _MAPPINGS:
        return dict
    if not is_own and last == "Callable":
        return allowed.Made
    if not is_own and last in ("Any", "object"):
        return Any
    return _elsewhere(absolute, hops)


def _elsewhere(absolute: str, hops: int) -> Any:
    """What a name of another module stands for."""
    last = absolute.rpartition(".")[2]
    try:
        other, names, _ = _locate(absolute)
        if len(names) == 1 and last in other.values:
            return _hint(other, other.values[last], hops - 1)
        if len(names) == 1 and last not in other.definitions and last in other.imports:
            return _named(other, last, hops - 1)
        found = _resolve(absolute)[1]
    except (_UnreadableError, ConfigError):
        return Any
    if not isinstance(found, ast.ClassDef) or found.decorator_list:
        return Any
    bases = {ast.unparse(base).rpartition(".")[2] for base in found.bases}
    return Any if bases & _OF_VALUES else allowed.Made
