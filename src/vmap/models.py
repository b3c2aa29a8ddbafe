"""What each model starts with: its weights, its data, and what makes its optimiser."""

import contextlib
import hashlib
import json
import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from src import data
from src.build import build_data, build_loss, build_net, build_optimizer, build_task
from src.config.errors import ConfigError
from src.config.keys import counts
from src.config.seeds import seed_of_weights, seeds_of_data
from src.config.signature import typed_parameters
from src.data.base import InMemoryDataModule, Part, Parts
from src.data.spec import DataSpec
from src.run.log import Said, overheard, said_once
from src.sweep.jobs import Job, hydra_config
from src.sweep.trees import Kind
from src.tasks.base import Task
from src.tasks.start import begin_network_with
from src.tasks.training.threads import computing_threads, is_little_work, multiplications
from src.vmap.stacked.layout import Layout, freeze_like, freeze_unused, held_of, row_of, tensors_of
from src.vmap.stacked.schedulers import OptimizerRecipe
from src.vmap.stopping import stopping_nodes

T = TypeVar("T")


# Samples that show which parameters take part in the loss.
_FEW = 8

# Data sets that are kept for other jobs, the last ones that were asked for: more than a CPU trains together.
_MOST_DATA = 2000


@dataclass(frozen=True)
class Model:
    """One model of a stack.

    Attributes:
        job: What asked for it.
        task: Its network, without its weights, loss and score; models of one structure hold the same object.
        weights: Its first weights (p,), those that its seed draws; what is trained of them.
        held: Its buffers and frozen parameters by name.
        rng_state: Where drawing them has left the global generator.
        parts: Its data; models with the same data hold the same object.
        batch_seed: Orders its batches.
        recipe: Makes its optimiser and scheduler; models with the same settings hold the same object.
        stopping: Configurations of the callbacks that may end its training early.
    """

    job: Job
    task: Task
    weights: Tensor
    held: Mapping[str, Tensor]
    rng_state: Tensor
    parts: Parts
    batch_seed: int
    recipe: OptimizerRecipe
    stopping: Sequence[Mapping[str, Any]]


class ModelFactory:
    """Makes models as `src.build.build` makes runs; what several of them have in common is made once.

    Args:
        fused: Whether Numba may compute stacks, where it can.

    Attributes:
        fused: The same; no longer once a proof has found a difference.
    """

    def __init__(self, *, fused: bool = True) -> None:
        self.fused = fused
        self._made: dict[str, OrderedDict[str, Any]] = {}
        self._hydra: dict[Kind, Job] = {}
        self._of_kind: dict[tuple[Kind, tuple[str, ...]], DictConfig] = {}
        # each is asked for several times
        self._data_of: dict[Job, InMemoryDataModule] = {}
        self._said_of: WeakKeyDictionary[InMemoryDataModule, Sequence[Said]] = WeakKeyDictionary()
        self._layouts: dict[Task, _Known] = {}
        # what data have said, also to the single runs of a proof
        self.said: set[str] = set()

    def model(self, job: Job) -> Model:
        """All that a job's model starts with."""
        cfg, datamodule = job.resolved, self.datamodule(job)
        spec = datamodule.spec
        # a loss may hold weights of classes
        counts_of_loss = spec.class_counts if "spec" in typed_parameters(cfg["loss"]["_target_"]) else ()
        weights, held, rng_state = self._once(
            "weights",
            [
                *(
                    seed_of_weights(cfg),
                    cfg["model"]["net"],
                    cfg["loss"],
                    spec.n_features,
                    spec.n_outputs,
                    counts_of_loss,
                ),
                cfg.get("init_from"),
            ],
            job,
            lambda: self._start(job, spec),
        )
        batch_seed = _data_node(job).get("batch_seed", datamodule.batch_seed)
        stopping = list(stopping_nodes(cfg["callbacks"]).values())
        task, recipe = self.task(job), self.recipe(job)
        return Model(job, task, weights, held, rng_state, datamodule.parts, batch_seed, recipe, stopping)

    def task(self, job: Job) -> Task:
        """The task of a job: one for all with the same network, loss and precision."""
        cfg, spec = job.resolved, self.datamodule(job).spec
        # training leaves the network in the type of its precision
        decides = [cfg["task"], cfg["model"]["net"], cfg["loss"], cfg["trainer"].get("precision"), str(spec)]
        task: Task = self._once("task", decides, job, lambda: self._task(job, spec))
        return task

    def _task(self, job: Job, spec: DataSpec) -> Task:
        task: Task = build_task(job.cfg, spec)
        # raises what no try would say
        Layout(task.net, task.loss)
        few = Part(*(tensor[:_FEW] for tensor in self.datamodule(job).parts.train))
        with contextlib.suppress(Exception):
            # what targets of one's own raise is told where they are trained on
            freeze_unused(task.net, task.loss, few.x, task.targets(few.y.clone()))
        return task

    def datamodule(self, job: Job) -> InMemoryDataModule:
        """The data of a job; how they are cut into batches may be another job's choice."""
        if job not in self._data_of:
            if len(self._data_of) >= _MOST_DATA:
                # of which each may hold data of its own
                self._data_of.clear()
            self._data_of[job] = self._datamodule(job)
        return self._data_of[job]

    def _datamodule(self, job: Job) -> InMemoryDataModule:
        node = _data_node(job)
        # a class of one's own may well make its parts from any of its values
        if node["_target_"].startswith(f"{data.__name__}."):
            node = {key: value for key, value in node.items() if counts(f"data.{key}", "samples")}
        return self._once("data", node, job, lambda: self._with_known_parts(self._data(job)))

    def _data(self, job: Job) -> InMemoryDataModule:
        """The data of a job, which other jobs with the same values share.

        Raises:
            ConfigError: If they depend on more than these values.
        """
        before = _drawn()
        with said_once(self.said), overheard() as said:
            nodes = self._nodes(job, "data", "loss")
            if drawn := seeds_of_data(job.resolved, job.asked):
                # a copy: the nodes serve other jobs too
                nodes = OmegaConf.merge(nodes, {"data": drawn})  # type: ignore[assignment] # of mappings
            datamodule = build_data(nodes)
            _ = datamodule.parts
        if _drawn() != before:
            raise ConfigError("its data draw from a global generator, which every run seeds for itself")
        self._said_of[datamodule] = said
        return datamodule

    def said_of(self, job: Job) -> Sequence[Said]:
        """What the data of a job have said when they were made."""
        return self._said_of.get(self.datamodule(job), ())

    def _with_known_parts(self, datamodule: InMemoryDataModule) -> InMemoryDataModule:
        """The same with parts that another data module has, where those are equal: one copy serves both."""
        digest = hashlib.sha256()
        for part in datamodule.parts:
            for tensor in part:
                digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
        own = datamodule.parts
        datamodule.share_parts(self._kept("parts", digest.hexdigest(), lambda: own))
        return datamodule

    def batch_size(self, job: Job) -> int | None:
        """Samples per training batch; None for all of them."""
        size: int | None = job.resolved["data"].get("batch_size", self.datamodule(job).batch_size)
        return size

    def drop_last(self, job: Job) -> bool:
        """Whether a last training batch that is smaller is left out."""
        drops: bool = job.resolved["data"].get("drop_last", self.datamodule(job).drop_last)
        return drops

    @contextlib.contextmanager
    def computing_threads(self, job: Job) -> Iterator[int]:
        """Compute inside this with as many threads as the job's own run would.

        Yields:
            How many may do so at the same time.
        """
        asked, before = job.resolved.get("threads"), torch.get_num_threads()
        x, net = self.datamodule(job).parts.train.x, self.task(job).net
        found = multiplications(net, x, batch_size=self.batch_size(job))
        # many small models are independent work, of which each core takes some
        is_little = found is not None and is_little_work(found)
        with computing_threads(1 if is_little else asked, found):
            yield (asked or before) if is_little else 1

    def recipe(self, job: Job) -> OptimizerRecipe:
        """What makes the optimiser and the scheduler of a job."""
        nodes = [job.resolved[key] for key in ("optimizer", "scheduler")]
        return self._once(
            "recipe", nodes, job, lambda: OptimizerRecipe(*build_optimizer(self._nodes(job, "optimizer", "scheduler")))
        )

    def _start(self, job: Job, spec: DataSpec) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """What a seed draws: trained weights, what is held beside them, and where that leaves the global generator."""
        cfg, task = job.resolved, self.task(job)
        # the same nodes for all seeds
        nodes = self._once("nodes", [cfg["model"], cfg["loss"]], job, lambda: _created(job, "model", "loss"))
        net = build_net(nodes, spec, seed=seed_of_weights(cfg))
        loss = build_loss(nodes, spec)
        if (source := cfg.get("init_from")) is not None:
            begin_network_with(net, Path(source).expanduser())
        rng_state = torch.get_rng_state()
        if task not in self._layouts:
            self._layouts[task] = _Known(Layout(task.net, task.loss), _shapes(tensors_of(task.net, task.loss)))
        layout, shapes = self._layouts[task]
        tensors = tensors_of(net, loss)
        if _shapes(tensors) != shapes:
            # a network that its seed has made another: told where its weights are stacked
            freeze_like(net, task.net)
            freeze_like(loss, task.loss)
            layout = Layout(net, loss)
        return row_of(layout, tensors), held_of(layout, tensors), rng_state

    def _hydra_of(self, job: Job) -> DictConfig:
        """What is read from Hydra where an object is made: of the first job of a kind, since it takes a while."""
        if job.parts is None:
            return job.hydra_cfg
        return self._hydra.setdefault(job.parts.kind, job).hydra_cfg

    def _nodes(self, job: Job, *names: str) -> DictConfig:
        """Parts of a job's configuration, to make objects of at once: the next job changes what differs in it."""
        if job.parts is None:
            return _created(job, *names)
        kind = job.parts.kind
        if (kind, names) not in self._of_kind:
            self._of_kind[kind, names] = _created(job, *names)
        nodes = self._of_kind[kind, names]
        for path in kind.values:
            if path[0] in names:
                value: Any = job.resolved
                for part in path:
                    value = value[part]
                OmegaConf.update(nodes, ".".join(path), value)
        return nodes

    def _once(self, kind: str, key: Any, job: Job, make: Callable[[], T]) -> T:
        def made() -> T:
            with hydra_config(self._hydra_of(job)):
                return make()

        return self._kept(kind, json.dumps(key, sort_keys=True), made)

    def _kept(self, kind: str, name: str, make: Callable[[], T]) -> T:
        """What was made under this name, of data the last few alone."""
        known = self._made.setdefault(kind, OrderedDict())
        if name not in known:
            known[name] = make()
            if kind in ("data", "parts") and len(known) > _MOST_DATA:
                known.popitem(last=False)
        known.move_to_end(name)
        found: T = known[name]
        return found

    def forget_weights(self) -> None:
        """Let go of what models begin with, once they are trained."""
        self._made.pop("weights", None)


class _Known(NamedTuple):
    """The layout of a structure, and the shapes of all its tensors by name."""

    layout: Layout
    shapes: dict[str, torch.Size]


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _data_node(job: Job) -> dict[str, Any]:
    """A job's data with the seeds that `vary` gives them."""
    return {**job.resolved["data"], **seeds_of_data(job.resolved, job.asked)}


def _created(job: Job, *names: str) -> DictConfig:
    """Parts of a job's configuration, for what makes objects of them."""
    return OmegaConf.create({name: job.resolved[name] for name in names})


def _drawn() -> bytes:
    """How far the global generators have come."""
    return torch.get_rng_state().numpy().tobytes() + pickle.dumps(np.random.get_state())
