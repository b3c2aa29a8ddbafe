"""What a training configuration may hold: its root, and for every `_target_` the parameters of the code it names.

Parameters are read from source files by `ast`, so that a typo is found without importing torch.
"""

import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, Literal, NewType, get_type_hints

from omegaconf import DictConfig, OmegaConf

from src.config.errors import ConfigError, suggest
from src.config.keys import INSTEAD, RENAMED
from src.config.origins import Origins
from src.config.signature import parameters

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
class Sweep:
    """Keys of `sweep`."""

    dry_run: bool


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
    sweep: Sweep


_VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "seed": (lambda value: type(value) is int and 0 <= value < 2**32, "a whole number from 0 to 4294967295"),
    "compile": (lambda value: isinstance(value, bool), "true or false"),
    "sweep.dry_run": (lambda value: isinstance(value, bool), "true or false"),
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
    if key in RENAMED:
        return f"it is called {RENAMED[key]} now"
    node: Any = OmegaConf.to_container(cfg) if OmegaConf.is_config(cfg) else cfg
    above = ""
    for part in key.replace("[", ".").replace("]", "").split("."):
        if isinstance(node, list) or (isinstance(node, str) and "${" in node):
            return None
        if not isinstance(node, dict):
            return f"{above.rstrip('.')} is a single value"
        if part not in node:
            if key in INSTEAD:
                return INSTEAD[key]
            more = (parameters(node["_target_"]) or ()) if "_target_" in node else groups
            if part in more and above:
                if can_add:
                    return None
                return f"a parameter that the YAML leaves out; add it with +{key}=..."
            return suggest(part, [*map(str, node), *(name for name in more if name not in node)], prefix=above)
        node, above, groups = node[part], f"{above}{part}.", ()
    return None
