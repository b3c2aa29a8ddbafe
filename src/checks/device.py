"""What a run computes on: what this machine has, what a device cannot do, and the line of the log that names it."""

from typing import Any

import lightning.pytorch as pl
import torch

from src.config.errors import ConfigError


def check_accelerator(name: str) -> None:
    """Refuse an accelerator that this machine does not have; one that does not exist is left to Lightning.

    Raises:
        ConfigError: If ``trainer.accelerator`` names a device that is not here.
    """
    found = _found()
    here = {"cpu": True, **found, "gpu": any(found.values())}
    if not here.get(name, True):
        allowed = ", ".join(["auto", *(key for key, is_here in here.items() if is_here)])
        raise ConfigError(f"trainer.accelerator={name} is not on this machine; allowed here: {allowed}")


def check_precision(device: torch.device, precision: Any) -> None:
    """Refuse what a device cannot compute.

    Raises:
        ConfigError: If double precision is asked of an Apple GPU, which has none.
    """
    if device.type == "mps" and "64" in str(precision):
        raise ConfigError(f"trainer.precision={precision} is not to be had on mps; allowed: 32-true, 16-mixed")


def describe_device(accelerator: str, trainer: pl.Trainer) -> str:
    """What the trainer computes on, and why."""
    device = str(trainer.strategy.root_device)
    if accelerator != "auto":
        return f"device: {device}, as trainer.accelerator={accelerator} asks"
    here = [name for name, is_here in _found().items() if is_here]
    why = f"this machine has {' and '.join(here)}" if here else "it finds no CUDA or MPS"
    return f"device: {device}, picked by trainer.accelerator=auto since {why}"


def _found() -> dict[str, bool]:
    return {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
