"""Which jobs of a sweep are stacked, and why others are not.

Jobs share a stack where all that decides the course of the arithmetic is equal: network structure, task, class of the
optimiser, loss, epochs, batch size, sizes of the data. Seeds, the numbers of optimiser and scheduler, and the data
themselves may differ, and where padding pays (`src.vmap.planning.widths`) also widths and activations of an `MLP`.
"""

import inspect
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hydra.utils import get_class, get_object
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import RichModelSummary
from lightning.pytorch.loggers import TensorBoardLogger
from torch.optim import lr_scheduler

from src.build import watched_end
from src.callbacks.checkpoint import BestAndLast
from src.callbacks.early_stopping import EarlyStopping
from src.callbacks.frames import Frames
from src.callbacks.graph import ModelGraph
from src.callbacks.hints import Hints
from src.callbacks.metrics_csv import MetricsCSV
from src.callbacks.pictures import FinalPictures
from src.callbacks.progress import EpochBar
from src.callbacks.pruning import Pruning
from src.callbacks.tensorboard import PrecisionRecallCurves
from src.config.errors import ConfigError
from src.config.keys import counts, flatten
from src.data.base import InMemoryDataModule
from src.models.mlp import MLP
from src.run.directory import RunDir
from src.run.trial import TrialLink
from src.sweep.jobs import Job
from src.sweep.trees import Kind
from src.tasks.base import Task
from src.vmap.errors import NotStackedError
from src.vmap.models import ModelFactory
from src.vmap.planning.describe import describe
from src.vmap.planning.widths import put_together
from src.vmap.proof.prove import obstacle_of
from src.vmap.proof.words import first_line
from src.vmap.stacked.optimizers import STACKED
from src.vmap.stacked.schedulers import CHANGE_MORE, OptimizerRecipe, changes_the_rate_only
from src.vmap.stopping import NUMBERS, stopping_nodes

# Keys of the trainer that a stack knows, and the values that it can follow; None for all.
_TRAINER: dict[str, Collection[Any] | None] = {
    "_target_": [f"{Trainer.__module__}.{Trainer.__qualname__}"],
    "accelerator": None,
    "deterministic": None,
    "devices": [1, "1"],
    "max_epochs": None,
    "num_nodes": [1],
    "precision": ["32-true", "32", 32, "64-true", "64", 64],
    "strategy": ["auto"],
}

# What Hydra does for one job at a time, before it begins.
_ITS_OWN_PLACE = ("job.chdir", "output_subdir")

# What a task or a data module of one's own may say for itself; all else of its base is the loop that is replaced here.
_TASK = (
    *("targets", "score", "probs", "preds", "make_metrics", "make_calibration"),
    *("task_name", "score_name", "losses"),
)
_DATA = ("spec", "make_parts", "record", "use", "changed", "source_in_words", "place_in_words")

# What a stack does itself, and what only shows a run while it trains or draws it afterwards, which it leaves out.
_CALLBACKS = (
    BestAndLast,
    EarlyStopping,
    EpochBar,
    FinalPictures,
    Frames,
    Hints,
    ModelGraph,
    PrecisionRecallCurves,
    Pruning,
    RichModelSummary,
)
_LOGGERS = (MetricsCSV, TensorBoardLogger)


@dataclass(frozen=True)
class Stack:
    """Jobs whose models train as one batch.

    Attributes:
        jobs: At least two.
        description: What they have in common, where they differ, and what the jobs of other stacks have not, in a line.
    """

    jobs: tuple[Job, ...]
    description: str


@dataclass(frozen=True)
class Plan:
    """All jobs of a sweep.

    Attributes:
        stacks: Those that are stacked.
        single: Those that run one by one, each with the reason.
    """

    stacks: tuple[Stack, ...]
    single: tuple[tuple[Job, str], ...]


def plan(jobs: Iterable[Job], factory: ModelFactory | None = None) -> Plan:
    """Put jobs into stacks.

    Args:
        jobs: All of them.
        factory: Keeps what it has made, for their training.
    """
    factory = factory or ModelFactory()
    alike: dict[_Key, list[Job]] = {}
    single: list[tuple[Job, str]] = []
    places = _Places(factory)
    for job in jobs:
        key, reason = places.of(job)
        if key is None:
            single.append((job, reason))
        else:
            alike.setdefault(key, []).append(job)
    families: dict[str, list[list[Job]]] = {}
    for key, group in alike.items():
        families.setdefault(key.of_any_width or key.own, []).append(group)
    stacked: list[Sequence[Job]] = []
    for family in families.values():
        for groups in put_together(family, factory) if len(family) > 1 else [family]:
            together, refused = _stacked(groups, factory)
            stacked += together
            single += refused
    lines = describe([[job.resolved for job in group] for group in stacked], deciding=_deciding)
    return Plan(tuple(Stack(tuple(group), line) for group, line in zip(stacked, lines, strict=True)), tuple(single))


def is_to_extend(job: Job) -> bool:
    """Whether a job's directory holds its run but shorter, which is to go on."""
    if job.resolved.get("resume") != "extend":
        return False
    try:
        return RunDir(job.run_dir).look(job.asked) == "extend"
    except ConfigError:
        # told where it is claimed
        return False


def _stacked(
    groups: Sequence[Sequence[Job]], factory: ModelFactory, obstacle: str = "no other job is like it"
) -> tuple[list[Sequence[Job]], list[tuple[Job, str]]]:
    """Groups of jobs of one structure in a stack, or where that does not work in one for each.

    Args:
        groups: The groups.
        factory: Makes their models.
        obstacle: What keeps a job from a stack if it is the only one.

    Returns:
        The jobs of each stack, and those of none with the reason.
    """
    jobs = sorted((job for group in groups for job in group), key=lambda job: job.number)
    reason = obstacle if len(jobs) == 1 else obstacle_of(jobs, factory)
    if reason is None:
        return [jobs], []
    if len(groups) == 1:
        return [], [(job, reason) for job in jobs]
    found = [_stacked([group], factory, reason) for group in groups]
    return [jobs for stacks, _ in found for jobs in stacks], [each for _, single in found for each in single]


class _Key(NamedTuple):
    """What is compared.

    Attributes:
        own: Equal for jobs that share a stack as they are.
        of_any_width: Equal for those that may share one with their networks padded; None for other networks.
    """

    own: str
    of_any_width: str | None


class _Places:
    """Keys of stacks.

    Args:
        factory: Makes what jobs are asked about.
    """

    def __init__(self, factory: ModelFactory) -> None:
        self._factory = factory
        # texts of jobs of one kind that differ in nothing that decides
        self._known: dict[tuple[Kind, str], tuple[str, str | None]] = {}

    def of(self, job: Job) -> tuple[_Key | None, str]:
        """The key of a job's stack, or None and the reason why it has none."""
        try:
            if job.resolved.get("module") is not None:
                raise NotStackedError("module=... trains by itself")
            _check_place(job, self._factory)
            own, of_any_width = self._texts(job)
            sizes = _sizes(job, self._factory)
            return _Key(own + sizes, of_any_width and of_any_width + sizes), ""
        # a mistake in its configuration is told when it runs as a single run, as in any sweep
        except Exception as error:
            return None, first_line(error)

    def _texts(self, job: Job) -> tuple[str, str | None]:
        parts = job.parts
        known = parts and (
            parts.kind,
            repr(sorted((k, v) for k, v in parts.changed.items() if not _is_free(k, v, job))),
        )
        if known in self._known:
            # raises what is wrong with them
            self._factory.recipe(job)
            return self._known[known]
        _check(job.resolved, job, self._factory)
        texts = _texts(job, self._factory)
        if known is not None:
            self._known[known] = texts
        return texts


def _is_free(key: str, value: Any, job: Job) -> bool:
    """Whether a value decides nothing of what `_check` and `_texts` look at."""
    group, _, name = key.partition(".")
    if name.rpartition(".")[2].startswith("_"):
        return False
    if group == "optimizer":
        return "." not in name and name not in _settings({**job.resolved["optimizer"], name: value})
    if group == "logger":
        return name.endswith((".save_dir", ".name", ".version"))
    # what they hold is compared once they are made
    return group == "data" or (group not in ("init_from", "callbacks") and not counts(key, "stack"))


def _check_place(job: Job, factory: ModelFactory) -> None:
    """Refuse what is not trained from its beginning, or not by this command alone.

    Raises:
        NotStackedError: With the reason.
    """
    if RunDir(job.run_dir).result() is None and RunDir(job.run_dir).can_go_on:
        raise NotStackedError("it goes on from a checkpoint of its own")
    if is_to_extend(job):
        raise NotStackedError("resume=extend goes on with the run that has ended there")
    if TrialLink.read(job.run_dir) is not None:
        raise NotStackedError("its search may end it early")
    for key in _ITS_OWN_PLACE:
        if value := job.of_hydra(key):
            raise NotStackedError(f"hydra.{key}={value}")
    if job.resolved.get("init_from") is not None:
        # raises what is wrong with it
        factory.model(job)


def _check(cfg: Mapping[str, Any], job: Job, factory: ModelFactory) -> None:
    """Refuse what a stack does not do.

    Raises:
        NotStackedError: With the reason.
    """
    if cfg["compile"]:
        raise NotStackedError("compile=true")
    for key, value in cfg["trainer"].items():
        allowed = _TRAINER.get(key, ())
        if allowed is not None and value not in allowed:
            raise NotStackedError(f"trainer.{key}={value}")
    if not isinstance(cfg["trainer"]["max_epochs"], int) or cfg["trainer"]["max_epochs"] < 1:
        raise NotStackedError(f"trainer.max_epochs={cfg['trainer']['max_epochs']}")
    made = {"task": factory.task, "data": factory.datamodule}
    for key, base, own in (("task", Task, _TASK), ("data", InMemoryDataModule, _DATA)):
        kind = get_object(cfg[key]["_target_"])
        # a function may make anything
        kind = kind if isinstance(kind, type) else type(made[key](job))
        if changed := _changed(kind, base, own):
            raise NotStackedError(f"{cfg[key]['_target_']} has its own {', '.join(changed)}")
    _check_optimizer(cfg["optimizer"], factory.recipe(job).kind)
    if cfg["scheduler"]:
        _check_scheduler(cfg["scheduler"]["_target_"], lambda: factory.recipe(job))
    if cfg["task"].get("loop") == "steps":
        raise NotStackedError("task.loop=steps")
    _check_stopping(cfg)
    for key, known in (("callbacks", _CALLBACKS), ("logger", _LOGGERS)):
        for name, node in cfg[key].items():
            if node is not None and get_class(node["_target_"]) not in known:
                raise NotStackedError(f"{key}.{name} ({node['_target_']}) watches a single run")
            if node is not None and node.get("save"):
                raise NotStackedError(f"{key}.{name}.save={node['save']}")


def _check_optimizer(optimizer: Mapping[str, Any], kind: Any) -> None:
    closure = inspect.signature(kind.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise NotStackedError(f"{optimizer['_target_']} asks for the loss several times in a step (closure)")
    for flag in ("capturable", "differentiable"):
        if optimizer.get(flag):
            raise NotStackedError(f"optimizer.{flag}={optimizer[flag]}")


def _check_scheduler(target: str, recipe: Callable[[], OptimizerRecipe]) -> None:
    kind = get_object(target)
    if isinstance(kind, type):
        known = kind.__module__ == lr_scheduler.__name__ and not issubclass(kind, CHANGE_MORE)
    else:
        # a function may make anything
        made = recipe().make()[1]
        known = made is not None and changes_the_rate_only(made)
    if not known:
        raise NotStackedError(f"{target} may change more than the learning rate")


def _check_stopping(cfg: Mapping[str, Any]) -> None:
    nodes = stopping_nodes(cfg["callbacks"])
    for name, node in nodes.items():
        if node.get("check_on_train_epoch_end") is False:
            raise NotStackedError(f"callbacks.{name}.check_on_train_epoch_end=False")
    watched = {(node["monitor"], *watched_end(f"callbacks.{name}", node).values()) for name, node in nodes.items()}
    if len(watched) < len(nodes):
        raise NotStackedError(f"callbacks.{' and callbacks.'.join(nodes)} watch the same metric")


def _changed(kind: Any, base: type, own: Collection[str]) -> list[str]:
    """What a class has put in the place of its base's methods, apart from what is its ``own`` to say."""
    if not (isinstance(kind, type) and issubclass(kind, base)):
        return ["training loop"]
    above = kind.__mro__[: kind.__mro__.index(base)]
    names = {name for each in above for name in vars(each) if not name.startswith("__") and name != "_abc_impl"}
    return sorted(name for name in names if name not in own and hasattr(base, name))


def _sizes(job: Job, factory: ModelFactory) -> str:
    """What must be equal of the data."""
    datamodule = factory.datamodule(job)
    n_train = len(datamodule.parts.train.x)
    size = min(factory.batch_size(job) or n_train, n_train)
    shapes = [[str(tensor.dtype), *tensor.shape] for part in datamodule.parts for tensor in part]
    return _text([str(datamodule.spec), shapes, size, factory.drop_last(job) and n_train % size > 0])


def _texts(job: Job, factory: ModelFactory) -> tuple[str, str | None]:
    """What must be equal of the rest, as in `_Key`."""
    cfg = job.resolved
    scheduler = cfg["scheduler"] or {}
    plateau = str(scheduler.get("_target_", "")).endswith(".ReduceLROnPlateau")
    common = {name: node for name, node in cfg.items() if counts(name, "stack")}
    common |= {
        "model": {name: node for name, node in cfg["model"].items() if counts(f"model.{name}", "stack")},
        "optimizer": _settings(cfg["optimizer"]),
        "scheduler": [scheduler.get("mode"), scheduler.get("threshold_mode")] if plateau else None,
        "callbacks": [_decides(node) for node in cfg["callbacks"].values() if node],
        "data": cfg["data"]["_target_"],
    }
    factory.recipe(job)
    net = cfg["model"]["net"]
    if get_object(net["_target_"]) is not MLP:
        return _text(common), None
    # a mistake in its widths is this job's alone
    factory.task(job)
    rest = {name: value for name, value in net.items() if name not in ("hidden", "activation")}
    padded = {**common, "model": {**common["model"], "net": {**rest, "depth": len(net["hidden"])}}}
    return _text(common), _text(padded)


def _text(common: Any) -> str:
    return json.dumps(common, sort_keys=True, default=str)


def _settings(optimizer: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal of an optimiser: all but its numbers."""
    known = STACKED.get(get_object(optimizer["_target_"]))
    if known is not None:
        return {name: value for name, value in optimizer.items() if name not in known.numbers}
    return {name: value for name, value in optimizer.items() if not _is_number(value)}


def _is_number(value: Any) -> bool:
    """Also several, such as betas."""
    if isinstance(value, list):
        return all(map(_is_number, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _decides(node: Mapping[str, Any]) -> list[Any]:
    """What must be equal of a callback: nothing, unless it decides which weights are kept or how long they train."""
    kind = get_class(node["_target_"])
    if kind is EarlyStopping:
        return [{name: value for name, value in node.items() if name not in NUMBERS}]
    return [node["monitor"], node["mode"]] if kind is BestAndLast else []


def _deciding(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves by key that may keep a job out of a stack, in words of its configuration what `_key` compares."""
    scheduler = cfg["scheduler"] or {}
    plateau = str(scheduler.get("_target_", "")).endswith(".ReduceLROnPlateau")
    modes = {name: scheduler.get(name) for name in ("mode", "threshold_mode")} if plateau else {}
    decisive = {name: node for name, node in cfg.items() if counts(name, "stack") and name != "callbacks"}
    decisive |= {
        "optimizer": _settings(cfg["optimizer"]),
        "scheduler": {"_target_": scheduler["_target_"] if plateau else "any other", **modes},
    }
    for name, node in cfg["callbacks"].items():
        kind = node and get_class(node["_target_"])
        if kind is EarlyStopping:
            decisive[f"callbacks.{name}"] = {key: value for key, value in node.items() if key not in NUMBERS}
        elif kind is BestAndLast:
            decisive[f"callbacks.{name}"] = {"monitor": node["monitor"], "mode": node["mode"]}
    return {key: value for key, value in flatten(decisive).items() if counts(key, "stack") and key != "data.batch_seed"}
