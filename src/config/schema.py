"""What a training configuration may hold: its root, and for every `_target_` the parameters of the code it names.

Parameters are read from source files by `ast`, so that a typo is found without importing torch; `src.config.values`
knows what each of them takes.
"""

import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, get_type_hints

from omegaconf import DictConfig, OmegaConf

from src.config import folders
from src.config.allowed import NotEmpty, NotNegative, Range, Seed, Text, refusal
from src.config.errors import ConfigError, suggest
from src.config.keys import INSTEAD, RENAMED
from src.config.origins import Origins
from src.config.seeds import BASE_SEED, USUAL, Vary
from src.config.signature import full_name, parameters, typed_parameters
from src.config.values import OF_HYDRA, Epochs, Rate, as_it_stands, leaves_of, required, wrong

Node = NewType("Node", dict[str, Any])
"""A mapping with a `_target_`; its other keys are parameters of the target."""


MetricName = Annotated[
    str, Text(r"(train|val|test)/[\w.-]+", "split/name with split train, val or test, such as val/loss")
]
# the current folder is where the code lies, and those above it hold what is of others
Directory = Annotated[str, Text(r"(?s)(?![\s./]*$).*", "a directory of its own, such as outputs/runs/mine")]


@dataclass(frozen=True)
class Model:
    """Keys of `model`."""

    name: NotEmpty
    task: NotEmpty | None
    net: Node


@dataclass(frozen=True)
class Suggested:
    """Keys of `suggested`: what suits a data set, for others to refer to."""

    lr: Rate
    max_epochs: Epochs


@dataclass(frozen=True)
class Sweep:
    """Keys of `sweep`."""

    dry_run: bool
    until: Literal["clear"] | None = None
    max_seeds: Annotated[int, Range(low=2, high=100_000)] = 64
    margin: NotNegative | None = None


@dataclass(frozen=True, kw_only=True)
class _AnyRoot:
    """Keys of the root of `conf/train.yaml` that every run has."""

    data: Node
    suggested: Suggested
    trainer: Node
    callbacks: dict[str, Node | None]
    logger: dict[str, Node | None]
    seed: Seed
    compile: bool
    evaluate: Literal["best", "last"]
    run_dir: Directory
    sweep: Sweep
    # what a root file of one's own may leave out
    resume: Literal["auto", "extend"] = "auto"
    threads: Annotated[int, Range(low=1, high=1024)] | None = None
    init_from: Directory | None = None
    vary: Vary = USUAL
    base_seed: Seed = BASE_SEED
    reproduce: Directory | None = None
    print_config: bool = False


@dataclass(frozen=True, kw_only=True)
class Root(_AnyRoot):
    """Keys of the root where a run is put together of parts."""

    task: Node
    loss: Node
    model: Model
    optimizer: Node
    scheduler: Node | None
    optimized_metric: MetricName
    module: None = None


@dataclass(frozen=True, kw_only=True)
class ModuleRoot(_AnyRoot):
    """Keys of the root where a LightningModule stands for these parts."""

    module: Node
    # whatever it logs
    optimized_metric: NotEmpty
    task: None = None
    loss: None = None
    model: None = None
    optimizer: None = None
    scheduler: None = None


def root_of(tree: Mapping[str, Any]) -> type:
    """What the root of a configuration holds."""
    return Root if tree.get("module") is None else ModuleRoot


# For what chooses options of other groups, or sets keys of the whole run.
GLOBAL = "its file should begin with `# @package _global_`"

# What a module stands for.
_OF_MODULE = ("model", "task", "loss", "optimizer", "scheduler")

_NODES: tuple[Any, ...] = (Node, Node | None, dict[str, Node | None])

# Arguments whose keys are read elsewhere too, and so may not be left out.
_READ = {"lightning.pytorch.trainer.trainer.Trainer": ("accelerator", "devices", "max_epochs", "precision")}

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
    found = problems(cfg, choices=choices, conf_dir=conf_dir)
    if found:
        where = Origins(overrides, conf_dir, config_name)
        raise ConfigError("\n".join(f"{key}{where.find(key)}: {text}" for key, text in found.items()))


def problems(cfg: DictConfig, *, choices: Mapping[str, Any], conf_dir: Path) -> dict[str, str]:
    """What `check` finds, by key."""
    tree: Any = OmegaConf.to_container(cfg)
    found: dict[str, str] = {}
    root = root_of(tree)
    if root is ModuleRoot:
        own = [name for name in _OF_MODULE if tree.get(name)]
        found |= {name: f"the module brings its own; give {name}=none, or leave module out" for name in own}
        found |= {
            f"callbacks.{name}": f"it looks at a model of this project, which module has not; callbacks.{name}=null "
            "leaves it out, callbacks=module all of its kind"
            for name, node in (tree.get("callbacks") or {}).items()
            if any("${model." in str(value) for value in (node or {}).values())
        }
        callbacks = {name: node for name, node in tree["callbacks"].items() if f"callbacks.{name}" not in found}
        tree = {**{name: value for name, value in tree.items() if name not in _OF_MODULE}, "callbacks": callbacks}
    walked = _walk(tree, root, "", choices, conf_dir)
    for key, text in (*walked, *_references(tree, tree), *wrong(cfg, tree, _leaves(tree, root, ""))):
        found.setdefault(key, text)
    return found


def check_hydra(
    config: DictConfig, *, is_sweep: bool, overrides: Sequence[str], conf_dir: Path, config_name: str = "train"
) -> None:
    """Look for the same in what Hydra itself reads: the directory, and in a sweep its sweeper and launcher.

    Args:
        config: What a command line composes to, with the `hydra` node.
        is_sweep: Whether it runs many jobs.
        overrides: Overrides from the command line, Hydra's own among them.
        conf_dir: Folder of the YAML files.
        config_name: Root file in ``conf_dir``.

    Raises:
        ConfigError: If anything is wrong; lists everything that is.
    """
    tree: Any = OmegaConf.to_container(config, enum_to_str=True)
    hydra = tree["hydra"]
    place = "sweep" if is_sweep else "run"
    leaves: list[tuple[str, Any, Any]] = [(f"hydra.{place}.dir", hydra[place]["dir"], Directory)]
    found: dict[str, str] = {}
    for part in ("sweeper", "launcher") if is_sweep else ():
        if not isinstance(hydra[part], dict) or "_target_" not in hydra[part]:
            found[f"hydra.{part}._target_"] = f"no value; choose hydra/{part}=..."
        for path, node in _nodes(hydra[part], f"hydra.{part}"):
            # who makes what lies below a sweeper knows more, such as the search space of a sampler
            is_whole = not path.startswith("hydra.sweeper.")
            found |= dict(_check_node(node, path, hydra["runtime"]["choices"], conf_dir, is_whole=is_whole))
            leaves += leaves_of(node, path)
    for key, text in wrong(config, tree, leaves):
        found.setdefault(key, text)
    if found:
        where = Origins(overrides, conf_dir, config_name)
        raise ConfigError("\n".join(f"{key}{where.find(key)}: {text}" for key, text in found.items()))


def wrong_below(cfg: DictConfig, keys: Sequence[str]) -> dict[str, str]:
    """What is wrong with the values of some keys, and with those below them; unknown keys are left alone."""
    tree: Any = OmegaConf.to_container(cfg)
    found = dict(wrong(cfg, tree, _leaves(tree, root_of(tree), "")))
    return {at: text for at, text in found.items() if any(at == key or at.startswith(f"{key}.") for key in keys)}


def kinds(cfg: DictConfig) -> dict[str, Any]:
    """What every key takes whose kind is known, as `check` has it."""
    tree: Any = OmegaConf.to_container(cfg)
    return {key: as_it_stands(cfg, key, hint) for key, _, hint in _leaves(tree, root_of(tree), "")}


def _leaves(value: Any, hint: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    """Key, value and hint of every single value that is known."""
    if is_dataclass(hint) and isinstance(value, dict):
        hints = get_type_hints(hint, include_extras=True)
        # first what nodes refer to, so that it is refused in its own words
        for name, of in sorted(hints.items(), key=lambda each: each[1] in _NODES):
            if name in value:
                yield from _leaves(value[name], of, f"{key}.{name}" if key else name)
    elif hint in _NODES:
        for path, node in _nodes(value, key):
            yield from leaves_of(node, path)
    else:
        yield key, value, dict if is_dataclass(hint) else hint


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
        optional = {each.name for each in fields(hint) if each.default is not MISSING}
        prefix = f"{key}." if key else ""
        for name, of in hints.items():
            if name not in value and of is not Node and name not in optional:
                is_chosen = not key and bool(choices.get(name))
                how = _misplaced(conf_dir, name, choices[name]) if is_chosen else f"give +{prefix}{name}=..."
                yield f"{prefix}{name}", f"no value; {how}"
        nodes = {name: None for name, of in hints.items() if of is Node}
        for name, child in {**nodes, **value}.items():
            if name in hints:
                yield from _walk(child, hints[name], prefix + name, choices, conf_dir)
            elif not key and folders.is_group(conf_dir, str(name)):
                yield name, f"not a key but a group; {GLOBAL}"
            else:
                hint = _instead(f"{prefix}{name}") or suggest(str(name), list(hints), prefix=prefix)
                yield f"{prefix}{name}", f"unknown key; {hint}"
    elif hint == dict[str, Node | None] and isinstance(value, dict):
        for name, child in value.items():
            if isinstance(child, dict) and "_target_" not in child:
                valid = [other for other, node in value.items() if isinstance(node, dict) and "_target_" in node]
                hint = _instead(f"{key}.{name}") or suggest(name, valid, prefix=f"{key}.")
                yield f"{key}.{name}", f"no _target_; {hint}"
            else:
                yield from _walk(child, Node | None, f"{key}.{name}", choices, conf_dir)
    elif hint in (Node, Node | None):
        yield from _walk_node(value, key, choices, conf_dir, optional=hint is not Node)


def _walk_node(
    value: Any, key: str, choices: Mapping[str, Any], conf_dir: Path, *, optional: bool
) -> Iterator[tuple[str, str]]:
    is_chosen = isinstance(value, dict) and "_target_" in value
    is_reference = isinstance(value, str) and "${" in value
    if not is_chosen and (value or value is False or value == 0 or not optional) and not is_reference:
        given = f"{key}={choices[key]}" if key in choices else key
        options = list(folders.options(conf_dir, key))
        if isinstance(value, dict) and isinstance(value.get(key), dict):
            yield key, f"{given} has no _target_ but a key {key}; {GLOBAL}"
            return
        if isinstance(value, dict) and "net" in value and key != "model":
            yield key, f"{given} has no _target_ but a key net; its file belongs to the group model"
            return
        if isinstance(value, dict) or value is None:
            text = f"{given} has no _target_"
        else:
            text = f"got {value!r}; allowed: {'null or ' if optional else ''}a mapping with a _target_"
        yield key, text + (f"; options of {key}: {', '.join(options)}" if options else "")
    if isinstance(value, dict) and not value.get("_partial_", False) and "_args_" not in value:
        # what trains hands it over
        filled = {"optimizer": "params", "scheduler": "optimizer"}.get(key)
        known = typed_parameters(str(value.get("_target_"))).get(filled or "")
        if known is not None and known.is_required and filled not in value:
            given = f"got {value['_partial_']}; allowed: true" if "_partial_" in value else "no value"
            yield f"{key}._partial_", f"{given}; give {'' if '_partial_' in value else '+'}{key}._partial_=true"
    for path, node in _nodes(value, key):
        yield from _check_node(node, path, choices, conf_dir)


def _nodes(value: Any, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the mappings with a `_target_`, at any depth."""
    if isinstance(value, dict):
        if "_target_" in value:
            yield key, value
        for name, child in value.items():
            yield from _nodes(child, f"{key}.{name}")
    elif isinstance(value, list | tuple):
        for i, child in enumerate(value):
            yield from _nodes(child, f"{key}[{i}]")


def _check_node(
    node: dict[str, Any], key: str, choices: Mapping[str, Any], conf_dir: Path, *, is_whole: bool = True
) -> Iterator[tuple[str, str]]:
    for name in OF_HYDRA.keys() & node.keys():
        if refused := refusal(f"{key}.{name}", node[name], OF_HYDRA[name]):
            yield f"{key}.{name}", refused
            return
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
        if valid is None and not _is_installed(target):
            hint = folders.package_hint(target, conf_dir) if "." in target else None
            text = f"got {target!r}; allowed: the full dotted path of a class or function that is installed"
            raise ConfigError(text + (f"; {hint}" if hint else ""))
    except ConfigError as error:
        yield f"{key}._target_", str(error)
        return
    if is_whole and not node.get("_partial_") and "_args_" not in node:
        for name in (*required(target), *_READ.get(full_name(target), ())):
            if name not in node:
                yield f"{key}.{name}", f"no value; give +{key}.{name}=..."
    for name in node:
        if node[name] == "???":
            yield f"{key}.{name}", f"no value; give {key}.{name}=..."
    if valid is not None:
        for name in node:
            if name not in OF_HYDRA and name not in valid:
                text = f"unknown key, not a parameter of {target.rsplit('.', 1)[-1]}"
                hint = _instead(f"{key}.{name}") or suggest(str(name), valid, prefix=f"{key}.")
                yield f"{key}.{name}", f"{text}; {hint}"


def _misplaced(conf_dir: Path, group: str, option: str) -> str:
    """Where the file of an option stands that sets no key of its group."""
    file = folders.find(conf_dir, f"{group}/{option}")
    what = folders.shown(file, conf_dir) if file is not None else "its file"
    return f"{group}={option} gives none: {what} may belong to another group"


def _is_installed(target: str) -> bool:
    name = target.split(".")[0]
    try:
        return "." in target and (name in sys.modules or importlib.util.find_spec(name) is not None)
    except ValueError:
        return False


def _instead(key: str) -> str | None:
    """What does here what a key, or one above it, does in other templates; None for any other key."""
    names = key.split(".")
    above = (".".join(names[:n]) for n in range(1, len(names) + 1))
    return next((INSTEAD[name] for name in above if name in INSTEAD), None)


def unknown(
    cfg: DictConfig | dict[str, Any], key: str, *, groups: Sequence[str] = (), can_add: bool = False
) -> str | None:
    """Give the nearest keys to one that the configuration does not have; None if it has it, or if it can be added."""
    if key in RENAMED:
        return f"it is called {RENAMED[key]} now"
    instead = _instead(key)
    node: Any = OmegaConf.to_container(cfg) if OmegaConf.is_config(cfg) else cfg
    above = ""
    for part in key.replace("[", ".").replace("]", "").split("."):
        if isinstance(node, list) and not part.isdecimal():
            return f"{above.rstrip('.')} is a list; give all of it, as in {above.rstrip('.')}=[...]"
        if isinstance(node, list) or (isinstance(node, str) and "${" in node):
            return None
        if not isinstance(node, dict):
            return f"{above.rstrip('.')} is a single value"
        if part not in node:
            if instead is not None:
                return instead
            more = (parameters(node["_target_"]) or ()) if "_target_" in node else groups
            if part in more and above:
                if can_add:
                    return None
                return f"a parameter that the YAML leaves out; add it with +{key}=..."
            return suggest(part, [*map(str, node), *(name for name in more if name not in node)], prefix=above)
        node, above, groups = node[part], f"{above}{part}.", ()
    return None
