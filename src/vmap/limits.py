"""How many models are computed at once: what fits into a cache, and what fits into memory."""

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from src.vmap.models import Model

T = TypeVar("T")

# Bytes of activations that a tile may hold on a CPU: with less, calls take longer than arithmetic; with more, caches
# no longer help.
_CACHE = 8 << 20

# Models of a chunk. A CPU gains nothing from more; a GPU computes them side by side.
_CHUNK = {"cpu": 1024}
_CHUNK_ON_GPU = 16_384

# Models of a chunk that are worth two tiles; fewer compute faster together.
_WORTH_TWO = 64

# Copies of an activation that training holds: itself, its gradient, and what lies between two operations.
_COPIES = 4

# Bytes of the configuration and the records of one job.
_RECORDS = 1 << 18


@dataclass(frozen=True)
class Limits:
    """How many models are trained at once.

    Attributes:
        tile: Models that one step computes.
        chunk: Models that are trained before they are recorded.
    """

    tile: int
    chunk: int

    @classmethod
    def of(
        cls,
        model: Model,
        net: nn.Module,
        device: torch.device,
        *,
        memory_gb: float | None,
        tile: int | None,
        fused: bool = False,
    ) -> "Limits":
        """Choose for models like this one.

        Args:
            model: One of them.
            net: Its network.
            device: Where it is trained.
            memory_gb: Memory to use; None for half of what is free.
            tile: Models that one step computes; None to choose.
            fused: Whether they are computed one after the other, so that no cache has to hold the activations of all.
        """
        memory = free_memory(device) // 2 if memory_gb is None else int(memory_gb * 2**30)
        train = model.parts.train
        # tried on copies: a network may change its input, or itself
        per_sample = activations(copy.deepcopy(net), train.x[:2].clone()) // len(train.x[:2])
        work = _COPIES * per_sample * len(train.x) * model.weights.element_size()
        data = sum(tensor.nbytes for part in model.parts for tensor in part)
        # weights, gradient and up to three tensors of an optimiser, now and at the best epoch
        kept = 10 * model.weights.nbytes + data + _RECORDS
        fitting = max(1, memory // 2 // work)
        cached = max(1, _CACHE * _COPIES // work) if device.type == "cpu" and not fused else fitting
        chunk = min(_CHUNK.get(device.type, _CHUNK_ON_GPU), max(1, memory // 2 // kept))
        return cls(min(tile or cached, fitting, chunk), chunk)

    def tile_of(self, n: int) -> int:
        """Models that one step computes of a chunk of so many, on every machine: two cores get as much to do each."""
        n_tiles = -(-n // self.tile)
        return -(-n // (n_tiles + n_tiles % 2)) if n >= _WORTH_TWO else self.tile


def cut(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Items in as few parts of at most ``size`` as there can be, of nearly the same length."""
    n = -(-len(items) // size)
    return [items[i * len(items) // n : (i + 1) * len(items) // n] for i in range(n)]


@torch.no_grad()
def activations(net: nn.Module, x: Tensor) -> int:
    """Numbers that the layers of a network put out for some samples (n, f), and the samples themselves."""
    sizes = [x.numel()]

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        sizes.append(output.numel() if isinstance(output, Tensor) else 0)

    leaves = [module for module in net.modules() if not list(module.children())]
    hooks = [module.register_forward_hook(count) for module in leaves]
    parameter = next(net.parameters())
    net(x.to(parameter))
    for hook in hooks:
        hook.remove()
    return sum(sizes)


def free_memory(device: torch.device) -> int:
    """Bytes that are free on a device, as far as its system tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    info = Path("/proc/meminfo")
    if info.is_file():
        lines = dict(line.split(":", 1) for line in info.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) << 10
    # where nobody tells what is free: a quarter of all there is
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
