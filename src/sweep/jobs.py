"""The jobs of a sweep, known before any of them runs. No torch here.

Composing a job takes Hydra a tenth of a second. Jobs that choose the same options of all groups differ in single
values only: their tree is composed once, and the values are put into copies of it.
"""

import functools
import itertools
import os
import pickle
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from src.compat.hydra import apply_overrides, is_group, set_override_dirname
from src.compat.omegaconf import plain_child
from src.config.compose import absolute_run_dir, lasting
from src.config.keys import NOT_STORED
from src.run.files import to_yaml


class LogFile(NamedTuple):
    """What `logging` needs to know of a file."""

    path: str
    level: str | int
    format: str | None
    datefmt: str | None


class Shared:
    """What jobs that choose the same options have in common: all but what their overrides change.

    Args:
        tree: Their configuration with the `hydra` node, before any value is put into it.
    """

    def __init__(self, tree: DictConfig) -> None:
        plain: Any = OmegaConf.to_container(tree, resolve=False, enum_to_str=True)
        self.hydra: dict[str, Any] = plain.pop("hydra")
        self.config: dict[str, Any] = plain
        self._texts: dict[tuple[str, str], str] = {}

    def text(self, kind: Literal["config", "hydra"], key: str) -> str:
        """A part as YAML, written once."""
        if (kind, key) not in self._texts:
            self._texts[kind, key] = to_yaml({key: getattr(self, kind)[key]})
        return self._texts[kind, key]


@dataclass(frozen=True)
class Changed:
    """Where a job differs from what it shares with others.

    Attributes:
        shared: What it shares.
        config: First parts of the keys of its configuration that are its own.
        hydra: The same of keys below `hydra`.
    """

    shared: Shared
    config: frozenset[str]
    hydra: frozenset[str]


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Attributes:
        number: Place in the sweep, from 0.
        overrides: What it is composed from.
        cfg: Its configuration without the `hydra` node; ``run_dir`` is resolved.
        hydra_cfg: The `hydra` node, below its name.
        asked_run_dir: ``run_dir`` as it was composed, with its references; None for that of ``cfg``.
        changed: What it does not share with the jobs of its choices; None where nobody has looked.
    """

    number: int
    overrides: tuple[str, ...]
    cfg: DictConfig
    hydra_cfg: DictConfig
    asked_run_dir: str | None = None
    changed: Changed | None = None

    @property
    def run_dir(self) -> Path:
        """Where it leaves its files."""
        return Path(self.cfg.run_dir)

    @property
    def asked(self) -> dict[str, Any]:
        """What its own run stores: ``cfg`` as it was composed, as plain containers with their references."""
        asked = _plain(self.cfg, self.changed.shared.config if self.changed else {}, self._own("config"))
        return asked if self.asked_run_dir is None else {**asked, "run_dir": self.asked_run_dir}

    def texts(self) -> tuple[str, str]:
        """YAML of ``asked`` and of the `hydra` node, as `RunDir.claim` would write them."""
        hydra = {"hydra": self.hydra}
        asked = {name: node for name, node in self.asked.items() if name not in NOT_STORED}
        if self.changed is None:
            return to_yaml(asked), to_yaml(hydra)
        own, shared = self.changed, self.changed.shared
        config = (to_yaml({k: v}) if k in own.config else shared.text("config", k) for k, v in asked.items())
        parts = (to_yaml({k: v}) if k in own.hydra else shared.text("hydra", k) for k, v in self.hydra.items())
        return "".join(config), "hydra:\n" + textwrap.indent("".join(parts), "  ")

    @property
    def hydra(self) -> dict[str, Any]:
        """The `hydra` node as plain containers with their references."""
        return _plain(self.hydra_cfg.hydra, self.changed.shared.hydra if self.changed else {}, self._own("hydra"))

    def _own(self, kind: Literal["config", "hydra"]) -> frozenset[str] | None:
        found: frozenset[str] | None = None if self.changed is None else getattr(self.changed, kind)
        return found

    @functools.cached_property
    def log_files(self) -> list[LogFile]:
        """Files that ``hydra.job_logging`` names for it; kept, since a reference takes a millisecond to resolve."""
        own = self.changed
        known = self.hydra if own is None or "job_logging" in own.hydra else own.shared.hydra
        node: Any = known.get("job_logging") or {}
        if "${" in str({**node, "handlers": None}):
            node = OmegaConf.to_container(self.hydra_cfg.hydra.job_logging, resolve=True)
        root, files = node.get("root") or {}, []
        for name in root.get("handlers") or ():
            handler = node["handlers"][name]
            if "filename" in handler:
                if "${" in str(handler):
                    handler = OmegaConf.to_container(self.hydra_cfg.hydra.job_logging.handlers[name], resolve=True)
                form = (node.get("formatters") or {}).get(handler.get("formatter")) or {}
                level = handler.get("level") or root.get("level") or 0
                files.append(LogFile(str(handler["filename"]), level, form.get("format"), form.get("datefmt")))
        return files

    @property
    def own_overrides(self) -> list[str]:
        """Those that are not Hydra's, which are all that its records keep."""
        return lasting([line for line in self.overrides if not _parse(line).is_hydra_override()])


def compose_jobs(
    config: DictConfig, jobs: Sequence[Sequence[str]], numbers: Iterable[int] | None = None
) -> Iterator[Job]:
    """Compose one job after the other, as Hydra's launchers do.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.
        jobs: Overrides of each.
        numbers: Number of each; None for 0, 1, 2 and so on.
    """
    # drawn once: the cache with the name goes to every job
    _ = config.hydra.sweep.dir
    trees: dict[tuple[str, ...], tuple[bytes, Shared]] = {}
    for number, overrides in zip(itertools.count() if numbers is None else numbers, jobs, strict=False):
        given = _sort(overrides)
        if given.choices not in trees:
            tree = _loader().load_sweep_config(config, list(given.choices))
            # a copy by pickle takes a fifth of the time of one by copy.deepcopy
            trees[given.choices] = pickle.dumps(tree), Shared(tree)
        pickled, shared = trees[given.choices]
        yield _job(number, overrides, given, tree=pickled, shared=shared, config=config)


@contextmanager
def hydra_config(cfg: DictConfig) -> Iterator[None]:
    """Let ``${hydra:...}`` read from a configuration with a `hydra` node."""
    instance: Any = HydraConfig.instance()
    # set_config would copy it
    before, instance.cfg = instance.cfg, cfg
    try:
        yield
    finally:
        instance.cfg = before


def environment_of(job: Job) -> dict[str, str]:
    """Environment variables that a job has set, ``hydra.job.env_set``."""
    with hydra_config(job.hydra_cfg):
        node = OmegaConf.select(job.hydra_cfg, "hydra.job.env_set")
        given: Any = {} if node is None else OmegaConf.to_container(node, resolve=True)
    return {str(name): str(value) for name, value in given.items()}


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and put back what was there before."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def as_its_run(job: Job) -> Iterator[None]:
    """Hydra and the environment as a job finds them while it runs."""
    with hydra_config(job.hydra_cfg), environment(environment_of(job)):
        yield


def representatives(jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    """The first job of each choice of options; every other one differs from one of them in values only."""
    found: dict[tuple[str, ...], list[str]] = {}
    for overrides in jobs:
        found.setdefault(_sort(overrides).choices, list(overrides))
    return list(found.values())


class _Sorted(NamedTuple):
    parsed: list[Override]
    # those that choose options, as they were given
    choices: tuple[str, ...]
    # those that set values
    values: list[Override]


def _sort(overrides: Sequence[str]) -> _Sorted:
    parsed = [_parse(line) for line in overrides]
    values = [each for each in parsed if isinstance(each.value(), dict) or not is_group(each.key_or_group)]
    return _Sorted(parsed, tuple(str(each.input_line) for each in parsed if each not in values), values)


@functools.lru_cache(maxsize=100_000)
def _parse(line: str) -> Override:
    """The same few lines come again in thousands of jobs, and Hydra takes half a millisecond for each."""
    return OverridesParser.create().parse_override(line)


def _loader() -> ConfigLoader:
    return GlobalHydra.instance().config_loader()


# Parts of the `hydra` node that are set for each job.
_OF_EACH = ("job", "overrides", "mode", "runtime")


def _plain(node: DictConfig, shared: Mapping[str, Any], own: frozenset[str] | None) -> dict[str, Any]:
    """A node as plain containers with their references; only what is its own is converted, None for all of it."""
    if own is None:
        whole: dict[str, Any] = OmegaConf.to_container(node, resolve=False, enum_to_str=True)  # type: ignore[assignment] # of a mapping
        return whole
    return {key: plain_child(node, key) if key in own else shared[key] for key in map(str, node)}


def _job(
    number: int, overrides: Sequence[str], given: _Sorted, *, tree: bytes, shared: Shared, config: DictConfig
) -> Job:
    cfg: DictConfig = pickle.loads(tree)
    apply_overrides(cfg, given.values)
    with open_dict(cfg):
        hydra = cfg.hydra
        hydra.job.id, hydra.job.num = str(number), number
        hydra.overrides.task = [
            line for line, each in zip(overrides, given.parsed, strict=True) if not each.is_hydra_override()
        ]
        hydra.overrides.hydra += [str(each.input_line) for each in given.values if each.is_hydra_override()]
        hydra.mode = config.hydra.mode
        set_override_dirname(hydra, [each for each in given.parsed if not each.is_hydra_override()])
        # the time in a name is that of the sweep's start
        OmegaConf.copy_cache(from_config=config, to_config=cfg)
        with hydra_config(cfg), read_write(hydra.runtime):
            hydra.runtime.output_dir = str((Path(hydra.sweep.dir) / str(hydra.sweep.subdir)).absolute())
            asked_run_dir = _unresolved(cfg, "run_dir")
            cfg.run_dir = absolute_run_dir(OmegaConf.select(cfg, "run_dir"), Path(hydra.runtime.output_dir))
        del cfg["hydra"]
    # moved, since a copy takes longer than all the rest
    hydra_cfg = OmegaConf.create({}, flags={"no_deepcopy_set_nodes": True})
    hydra_cfg.hydra = hydra
    keys = [each.key_or_group.split(".") for each in given.values]
    changed = Changed(
        shared,
        frozenset({key[0] for key in keys if key[0] != "hydra"} | {"run_dir"}),
        frozenset({key[1] for key in keys if key[0] == "hydra" and len(key) > 1} | {*_OF_EACH}),
    )
    return Job(number, tuple(overrides), cfg, hydra_cfg, asked_run_dir, changed)


def _unresolved(cfg: DictConfig, key: str) -> str | None:
    """A value as it was written; None if it is missing."""
    found: Any = OmegaConf.to_container(OmegaConf.masked_copy(cfg, key), resolve=False)
    return None if found.get(key) is None else str(found[key])
