"""Beginning a run with the weights that another one has found."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.tasks.checkpoint import load_checkpoint, weights_in

log = logging.getLogger(__name__)

# Names of this many weights are told.
_SHOWN = 3


def begin_with(task: Any, source: Path, *, say: bool = True) -> None:
    """Put the best weights of a run into a network: of a task those of its network, of any other module all.

    Args:
        task: What is to be trained.
        source: The run's directory; nothing of it is run.
        say: Whether the log tells which weights they are.

    Raises:
        ConfigError: If the directory is none of a run that has completed, or holds weights of another network.
    """
    weights, which = _best_of(source)
    net: nn.Module = getattr(task, "net", task) if hasattr(task, "spec") else task
    if net is not task:
        weights = {name.removeprefix("net."): value for name, value in weights.items() if name.startswith("net.")}
    put(net, weights, source)
    if say:
        log.info("begins with the weights of %s (%s)", source, which)


def begin_network_with(net: nn.Module, source: Path) -> None:
    """The same for the network of a task alone."""
    weights, _ = _best_of(source)
    put(net, {name.removeprefix("net."): value for name, value in weights.items() if name.startswith("net.")}, source)


def put(net: nn.Module, weights: Mapping[str, Tensor], source: Path) -> None:
    """Put weights into a network.

    Raises:
        ConfigError: If they have other names or shapes than its own, with both.
    """
    own = net.state_dict()
    if other := sorted(own.keys() ^ weights.keys()):
        there, here = ([f"{name} ({_shape(held[name])})" for name in other if name in held] for held in (weights, own))
        raise ConfigError(
            f"init_from={source} holds the weights of another network: only there {_named(there)}; only here "
            f"{_named(here)}"
        )
    for name, value in own.items():
        if value.shape != weights[name].shape:
            raise ConfigError(
                f"init_from={source} holds the weights of another network: {name} is {_shape(weights[name])} there, "
                f"{_shape(value)} here"
            )
    net.load_state_dict(dict(weights))


def _best_of(source: Path) -> tuple[dict[str, Tensor], str]:
    run = RunDir(source)
    run.refuse_no_run("init_from")
    result = run.result()
    if result is None or result.status != "completed":
        state = "holds no result" if result is None else f"has {result.status}"
        raise ConfigError(
            f"init_from={source} {state}; allowed: the directory of a run that has completed, such as "
            "outputs/runs/2026-01-31_12-00-00_a1b2c3, or a job of a sweep"
        )
    path = run.checkpoint("best") if run.checkpoint("best").is_file() else run.checkpoint("last")
    checkpoint = load_checkpoint(path)
    weights = checkpoint["state_dict"]
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ConfigError(f"init_from={source}: {path} holds no weights by name")
    return weights, weights_in(path, checkpoint)


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown or "nothing"


def _shape(value: Tensor) -> str:
    return " x ".join(map(str, value.shape)) or "a number"
