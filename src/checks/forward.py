"""Whether network, loss and optimiser do with a few samples what training counts on: tried once, on copies."""

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn

from src.config.errors import ConfigError
from src.data.parts import Part
from src.tasks.base import Task
from src.tasks.training.modes import Modes

# Samples that are tried; more than one, which some networks cannot train on.
_SAMPLES = 8

# What a stack says of it too.
IN_PLACE = "its network or loss changes its input in place, such as x *= 2: write x = x * 2"


def check_forward(task: Task, part: Part, trainer: pl.Trainer) -> None:
    """Send a few samples through a copy of a network, as a trainer will.

    The network itself, its buffers and the random generators stay as they are.

    Args:
        task: The network, its loss and what the loss compares with.
        part: Samples of it.
        trainer: Knows device and precision.

    Raises:
        ConfigError: If outputs have another shape than (n, o), which a loss would silently stretch, if the loss is not
            one finite number, if nothing can be trained, if either changes what it is given, or if the optimiser
            cannot take a step.
    """
    device, precision = trainer.strategy.root_device, trainer.precision_plugin
    n = len(part.x[:_SAMPLES])
    if any(weight.is_meta for weight in task.net.parameters()):
        raise ConfigError(
            f"model.net: weights of {type(task.net).__name__} are on the device meta, where they hold no numbers; "
            "make them without it"
        )
    with _generators_as_they_are(device), precision.forward_context():
        net, loss = (
            precision.convert_module(_copy(each, key)).to(device)
            for each, key in ((task.net, "model.net"), (task.loss, "loss"))
        )
        x, y = (tensor[:n].to(device).clone() for tensor in part)
        given = y.clone()
        targets = precision.convert_input(task.targets(given))
        if not _same(given, y):
            raise ConfigError(f"task: {type(task).__name__}.targets changes its input in place: return a new tensor")
        x, modes = precision.convert_input(x), Modes(net)
        for training in (False, True):
            modes.set(training=training)
            outputs = _outputs(net, x, training=training)
            if not training:
                _check_shape(outputs, (n, task.spec.n_outputs), task)
                _check_loss(loss, outputs, targets, task)
            elif isinstance(outputs, Tensor) and not outputs.requires_grad:
                _refuse_without_gradient(loss, task)
            elif isinstance(outputs, Tensor):
                _check_step(task, net, loss, x, targets)


def _copy(module: nn.Module, key: str) -> nn.Module:
    try:
        return copy.deepcopy(module)
    except RuntimeError as error:
        # torch's own words for a tensor that is computed where a parameter is looked for
        if "deepcopy protocol" not in str(error):
            raise
        raise ConfigError(
            f"{key}: {type(module).__name__} holds a tensor that is computed from others and cannot be copied, as "
            "torch.nn.utils.weight_norm makes it; torch.nn.utils.parametrizations.weight_norm does the same and can be"
        ) from error


def _outputs(net: nn.Module, x: Tensor, *, training: bool) -> Any:
    """What a network says of inputs, which it must leave as they are; what it raises in training mode is left to it."""
    given = x.clone()
    try:
        outputs = net(given)
    except Exception as error:
        if "modified by an inplace operation" in str(error) or "leaf Variable" in str(error):
            raise ConfigError(f"model.net: {IN_PLACE} ({error})") from error
        if not training:
            raise
        outputs = None
    if not _same(given, x):
        raise ConfigError(f"model.net: {IN_PLACE}")
    return outputs


def _check_shape(outputs: Any, shape: tuple[int, int], task: Task) -> None:
    name, asked = type(task.net).__name__, f"({shape[0]}, {shape[1]})"
    if not isinstance(outputs, Tensor):
        raise ConfigError(
            f"model.net: {name}.forward returns {type(outputs).__name__}; it must return a tensor of the shape "
            f"{asked} for {shape[0]} samples"
        )
    if outputs.layout != torch.strided:
        raise ConfigError(f"model.net: {name}.forward returns a sparse tensor: write outputs.to_dense()")
    if tuple(outputs.shape) != shape:
        hint = ""
        if tuple(outputs.shape) == shape[:1] and shape[1] == 1:
            hint = ": write outputs.unsqueeze(1)"
        raise ConfigError(
            f"model.net: {name}.forward returns the shape {tuple(outputs.shape)} for {shape[0]} samples; it must be "
            f"{asked}, a column for each {_column(task)}{hint}"
        )


def _column(task: Task) -> str:
    return {"binary": "logit, of which there is one", "multiclass": "class", "regression": "target"}[task.spec.task]


def _refuse_without_gradient(loss: nn.Module, task: Task) -> None:
    if any(weight.requires_grad for weight in loss.parameters()):
        # it has something to train
        return
    name = type(task.net).__name__
    why = "it has no weights" if not any(True for _ in task.net.parameters()) else "its weights are frozen"
    if any(weight.requires_grad for weight in task.net.parameters()):
        why = "forward leaves the gradient behind, as outputs.detach() and torch.no_grad() do"
    raise ConfigError(f"model.net: nothing of {name} can be trained: {why}")


def _check_loss(loss: nn.Module, outputs: Tensor, targets: Tensor, task: Task) -> None:
    outputs = outputs.detach()
    given = outputs.clone(), targets.clone()
    name = type(loss).__name__
    try:
        value = loss(*given)
    except Exception as error:
        raise ConfigError(
            f"loss: {name} fails on outputs {outputs.dtype} {tuple(outputs.shape)} and targets {targets.dtype} "
            f"{tuple(targets.shape)} of task {type(task).__name__}: {error}"
        ) from error
    if not isinstance(value, Tensor) or value.numel() != 1:
        shown = f"the shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        reduction = f" (loss.reduction={loss.reduction})" if hasattr(loss, "reduction") else ""
        raise ConfigError(f"loss: {name} returns {shown}{reduction}; it must return one number, the mean over samples")
    # what a network says of few samples may differ from what it says of a batch
    if outputs.isfinite().all() and not value.isfinite().all():
        raise ConfigError(
            f"loss: {name} is {value.item():g} before the first step: outputs of {type(task.net).__name__} are "
            f"{_range(outputs)}, targets are {_range(targets)}"
        )
    if not _same(given[0], outputs) or not _same(given[1], targets):
        raise ConfigError(f"loss: {IN_PLACE}")


def _check_step(task: Task, net: nn.Module, loss: nn.Module, x: Tensor, targets: Tensor) -> None:
    optimizer = task.make_optimizer([*net.parameters(), *loss.parameters()])

    # as Lightning gives it to an optimiser, whose step may be one without gradients
    @torch.enable_grad()
    def closure() -> Any:
        optimizer.zero_grad()
        value = loss(net(x), targets)
        torch.autograd.backward(value)
        return value

    try:
        closure()
    # a network may raise anything in training mode; that is told where it trains, and no step can be tried without it
    except Exception:
        return
    try:
        optimizer.step(closure)
    except Exception as error:
        name = type(optimizer).__name__
        raise ConfigError(f"optimizer: {name} fails at its first step ({type(error).__name__}): {error}") from error


def _range(values: Tensor) -> str:
    return f"from {values.min().item():.4g} to {values.max().item():.4g}"


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.detach().nan_to_num(), other.detach().nan_to_num())


@contextmanager
def _generators_as_they_are(device: torch.device) -> Iterator[None]:
    before = random.getstate(), np.random.get_state()
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
