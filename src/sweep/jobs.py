"""The jobs of a sweep, known before any of them runs. No torch here.

Composing a job takes Hydra a tenth of a second. Jobs that choose the same options of all groups differ in single
values only: their tree is composed once (`src.sweep.trees`), and the values are put into it.
"""

import functools
import itertools
import os
import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from src.compat.hydra import apply_overrides, is_group, override_dirname
from src.config.compose import absolute_run_dir, lasting
from src.config.keys import NOT_STORED
from src.run.files import to_yaml
from src.sweep.trees import LogFile, NotPlainError, Parts, Tree, log_files


class Whole(NamedTuple):
    """A job as OmegaConf has it.

    Attributes:
        cfg: Its configuration without the `hydra` node; ``run_dir`` is resolved.
        hydra_cfg: The `hydra` node, below its name.
        asked_run_dir: ``run_dir`` as it was composed, with its references; None for that of ``cfg``.
    """

    cfg: DictConfig
    hydra_cfg: DictConfig
    asked_run_dir: str | None = None


@dataclass(frozen=True, eq=False)
class Job:
    """One run of a sweep.

    Attributes:
        number: Place in the sweep, from 0.
        overrides: What it is composed from.
        compose: Makes it as OmegaConf has it, which takes ten milliseconds.
        parts: The same as plain containers, where these can be had without.
    """

    number: int
    overrides: tuple[str, ...]
    compose: Callable[[], Whole]
    parts: Parts | None = None

    @staticmethod
    def of(
        number: int, overrides: Sequence[str], cfg: DictConfig, hydra_cfg: DictConfig, run_dir: str | None = None
    ) -> "Job":
        """A job that is composed; the arguments are those of `Job` and `Whole`."""
        return Job(number, tuple(overrides), functools.partial(Whole, cfg, hydra_cfg, run_dir))

    @functools.cached_property
    def whole(self) -> Whole:
        """As OmegaConf has it."""
        return self.compose()

    def forget(self) -> None:
        """Let go of that, a hundred kilobytes, where it can be made again."""
        if self.parts is not None:
            vars(self).pop("whole", None)

    @property
    def cfg(self) -> DictConfig:
        """Its configuration without the `hydra` node; ``run_dir`` is resolved."""
        return self.whole.cfg

    @property
    def hydra_cfg(self) -> DictConfig:
        """The `hydra` node, below its name."""
        return self.whole.hydra_cfg

    @property
    def run_dir(self) -> Path:
        """Where it leaves its files."""
        return Path(self.cfg.run_dir if self.parts is None else self.parts.resolved["run_dir"])

    @property
    def asked(self) -> dict[str, Any]:
        """What its own run stores, as plain containers with their references, which nobody may change."""
        if self.parts is not None:
            return self.parts.asked
        asked, run_dir = _plain(self.cfg), self.whole.asked_run_dir
        return asked if run_dir is None else {**asked, "run_dir": run_dir}

    @functools.cached_property
    def resolved(self) -> dict[str, Any]:
        """Its configuration as plain containers with what the references lead to, which nobody may change."""
        if self.parts is not None:
            return self.parts.resolved
        with hydra_config(self.hydra_cfg):
            resolved: dict[str, Any] = OmegaConf.to_container(self.cfg, resolve=True)  # type: ignore[assignment] # of a mapping
        return resolved

    @property
    def hydra(self) -> dict[str, Any]:
        """The `hydra` node as plain containers with their references."""
        return _plain(self.hydra_cfg.hydra) if self.parts is None else self.parts.hydra

    def of_hydra(self, key: str) -> Any:
        """A value of the `hydra` node."""
        found: Any = self.hydra
        for part in key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return OmegaConf.select(self.hydra_cfg, f"hydra.{key}") if "${" in str(found) else found

    def texts(self) -> tuple[str, str]:
        """YAML of ``asked`` and of the `hydra` node, as `RunDir.claim` would write them."""
        if self.parts is not None:
            return self.parts.texts()
        return to_yaml({k: v for k, v in self.asked.items() if k not in NOT_STORED}), to_yaml({"hydra": self.hydra})

    @functools.cached_property
    def log_files(self) -> list[LogFile]:
        """Files that ``hydra.job_logging`` names for it; kept, since a reference takes a millisecond to resolve."""
        if self.parts is not None:
            return self.parts.log_files
        with hydra_config(self.hydra_cfg):
            node = OmegaConf.select(self.hydra_cfg, "hydra.job_logging")
            plain: Any = {} if node is None else OmegaConf.to_container(node, resolve=True)
        return list(log_files(plain))

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
    trees = _trees_of(config)
    for number, overrides in zip(itertools.count() if numbers is None else numbers, jobs, strict=False):
        given = _sort(overrides)
        if given.choices not in trees:
            trees[given.choices] = Tree(
                GlobalHydra.instance().config_loader().load_sweep_config(config, list(given.choices)), config
            )
        tree = trees[given.choices]
        compose = functools.partial(_compose, number, overrides, given, tree=tree, config=config)
        try:
            parts = tree.parts(number, overrides, given.parsed, given.values)
        except NotPlainError:
            whole = compose()
            yield Job.of(number, overrides, *whole)
        else:
            yield Job(number, tuple(overrides), compose, parts)


# What a sweep has composed, and of what.
_known: dict[tuple[int, str], tuple[DictConfig, dict[tuple[str, ...], Tree]]] = {}


def _trees_of(config: DictConfig) -> dict[tuple[str, ...], Tree]:
    """Trees by their choices, those that are composed: a sweep looks at its jobs several times before it runs them."""
    loader, hydra = GlobalHydra.instance().config_loader(), config.hydra
    state = (id(loader), f"{id(config)} {hydra.overrides} {hydra.mode} {hydra.sweep.dir}")
    if state not in _known:
        # of a sweep that is over
        _known.clear()
        _known[state] = config, {}
    return _known[state][1]


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
    if job.parts is not None:
        return job.parts.environment
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
    sets = [not _is_group(each.key_or_group) or isinstance(each.value(), dict) for each in parsed]
    choices = tuple(str(each.input_line) for each, is_value in zip(parsed, sets, strict=True) if not is_value)
    return _Sorted(parsed, choices, list(itertools.compress(parsed, sets)))


def _is_group(name: str) -> bool:
    return _is_group_of(GlobalHydra.instance().config_loader(), name)


@functools.lru_cache(maxsize=10_000)
def _is_group_of(_loader: ConfigLoader, name: str) -> bool:
    """Asked for the same few names in thousands of jobs; folders are looked into."""
    return is_group(name)


# Numbers of which Hydra's grammar makes what Python makes of them.
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?(e[-+]?\d+)?")


def _parse(line: str) -> Override:
    """Hydra takes half a millisecond for a line; the seeds of a sweep are as many lines as there are jobs."""
    key, _, text = line.partition("=")
    number = _NUMBER.fullmatch(text)
    if number is None or key.startswith("~"):
        return _parsed(line)
    value = int(text) if number[1] is number[2] is None else float(text)
    return replace(_parsed(f"{key}=0"), _value=value, input_line=line)


@functools.lru_cache(maxsize=10_000)
def _parsed(line: str) -> Override:
    """The same few lines come again in thousands of jobs."""
    return OverridesParser.create().parse_override(line)


def _plain(node: DictConfig) -> dict[str, Any]:
    """A node as plain containers with their references."""
    plain: dict[str, Any] = OmegaConf.to_container(node, resolve=False, enum_to_str=True)  # type: ignore[assignment] # of a mapping
    return plain


def _compose(number: int, overrides: Sequence[str], given: _Sorted, *, tree: Tree, config: DictConfig) -> Whole:
    cfg: DictConfig = pickle.loads(tree.pickled)
    apply_overrides(cfg, given.values)
    with open_dict(cfg):
        hydra = cfg.hydra
        hydra.job.id, hydra.job.num = str(number), number
        hydra.overrides.task = [
            line for line, each in zip(overrides, given.parsed, strict=True) if not each.is_hydra_override()
        ]
        hydra.overrides.hydra += [str(each.input_line) for each in given.values if each.is_hydra_override()]
        hydra.mode = config.hydra.mode
        hydra.job.update(override_dirname(hydra.job, [each for each in given.parsed if not each.is_hydra_override()]))
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
    return Whole(cfg, hydra_cfg, asked_run_dir)


def _unresolved(cfg: DictConfig, key: str) -> str | None:
    """A value as it was written; None if it is missing."""
    found: Any = OmegaConf.to_container(OmegaConf.masked_copy(cfg, key), resolve=False)
    return None if found.get(key) is None else str(found[key])
