"""Whether a network computes in a stack what it computes by itself, found by trying."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from src.build import build_net, build_task
from src.data.base import Part, Parts
from src.sweep.jobs import Job, hydra_config
from src.tasks.base import Task
from src.tasks.loop import names_of
from src.vmap.models import Model, ModelFactory
from src.vmap.tile import Tile

# Samples on which a network is tried.
_N_SAMPLES = 8


class NotStackedError(Exception):
    """A job that cannot be stacked with others; says why."""


def obstacle_of(jobs: Sequence[Job], factory: ModelFactory) -> str | None:
    """Train two models like those of the jobs for an epoch on a few samples; what went wrong, or None."""
    job = jobs[0]
    try:
        with hydra_config(job.hydra_cfg):
            task: Task = build_task(job.cfg, factory.datamodule(job).spec)
        names = [name for name, _ in task.net.named_parameters()]
        if unknown := sorted({each.cfg.optimized_metric for each in jobs} - set(task.metric_names())):
            return f"optimized_metric={unknown[0]} is not measured"
        if set(task.net.state_dict()) != set(names) or list(task.net.buffers()):
            return "the network keeps more than its parameters: buffers, or parameters with two names"
        if not all(parameter.requires_grad for parameter in task.net.parameters()):
            return "the network has parameters that are not trained"
        if len(task.trained_parameters()) > len(names):
            return "the loss has parameters of its own"
        monitored = [node.monitor for node in job.cfg.callbacks.values() if node and "monitor" in node]
        if unknown := [name for name in monitored if name not in names_of(task.score_name)]:
            return f"callbacks.checkpoint.monitor={unknown[0]} is not measured during training"
        if _draws_more(job, task, factory):
            return "the network draws more from its seed than its parameters"
        _try(task, factory.model(job))
    except Exception as error:
        return f"torch.func.vmap cannot run it: {first_line(error)}"
    return None


def _draws_more(job: Job, task: Task, factory: ModelFactory) -> bool:
    """Whether a network of another seed, with the same parameters, computes something else."""
    cfg = job.cfg.copy()
    cfg.seed = (cfg.seed + 1) % 2**32
    datamodule = factory.datamodule(job)
    with hydra_config(job.hydra_cfg):
        other = build_net(cfg, datamodule.spec)
    other.load_state_dict(task.net.state_dict())
    x = datamodule.parts.train.x[:_N_SAMPLES]
    for net in (task.net, other):
        net.eval()
    with torch.no_grad():
        return not torch.allclose(other(x), task.net(x), rtol=1e-4, atol=1e-5)


def _try(task: Task, model: Model) -> None:
    few = Parts(*(Part(part.x[:_N_SAMPLES], part.y[:_N_SAMPLES]) for part in model.parts))
    two = [replace(model, parts=few)] * 2
    tile = Tile(two, task=task, ready=lambda part: Part(part.x, task.targets(part.y)), batch_size=None, monitor=None)
    network, x = tile.network, few.train.x
    for training in (False, True):
        task.net.train(training)
        tile.set_mode(training=training)
        with torch.no_grad():
            expected, got = task.net(x), network(network.split(tile.weights), network.inputs(x[None]))
        if not torch.allclose(got, expected.expand_as(got), rtol=1e-4, atol=1e-5):
            raise NotStackedError("outputs differ from those of the network by itself")
    tile.train(range(1), task.make_schedule(1, every_epoch=True))


def first_line(error: Exception) -> str:
    """What an exception says, in a line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
