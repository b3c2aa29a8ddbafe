"""Networks and data that are drawn in several tests."""

from typing import Any

import torch
from torch import nn

from src.data.base import InMemoryDataModule
from src.models.mlp import MLP
from src.pictures.subject import Subject
from src.run.directory import RunDir
from tests.tasks.test_metrics import make


def subject(data: InMemoryDataModule, *, run: RunDir | None = None, net: nn.Module | None = None) -> Subject:
    """A task of these data, with this network or a linear one."""
    torch.manual_seed(0)
    task = make(data.spec)
    if net is not None:
        task.net = net
    return Subject(task, data, "a title", run)


def relu(**changes: Any) -> MLP:
    """A small network with corners."""
    return MLP(**({"in_features": 2, "out_features": 1} | changes), hidden=[4], activation="relu")
