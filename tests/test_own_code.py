"""Code of one's own is trusted, and its errors are told."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.errors import InstantiationException
from torch import nn

from src.build import build, build_task
from src.config.errors import ConfigError
from src.data.spec import DataSpec
from tests.tasks.runs import fit, small


class OwnLoss(nn.Module):
    """Any loss that is not PyTorch's is trusted."""

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (outputs - targets).square().mean()


class OwnNet(nn.Module):
    """A network that does not tell its sizes."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(2, width), nn.Linear(width, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.inner(x)
        return outputs


class OutOfOrder(nn.Module):
    """Fails with what is not the fault of a value."""

    def __init__(self) -> None:
        raise KeyError("a bug")


class Particular(torch.optim.SGD):
    """Refuses by itself."""

    def __init__(self, params: Any, lr: float) -> None:  # noqa: ARG002 - an optimiser's signature
        raise ConfigError(f"optimizer.lr={lr} is not to my taste")


class OwnTask:
    """Nothing that this project knows."""

    def __init__(self, **parts: Any) -> None:
        self.parts = parts


def test_a_loss_and_a_network_of_ones_own_are_trusted(tmp_path: Path) -> None:
    cfg = small("trainer.max_epochs=1", run_dir=tmp_path)
    cfg.loss = {"_target_": f"{__name__}.OwnLoss"}
    cfg.model.net = {"_target_": f"{__name__}.OwnNet", "width": 4}
    assert isinstance(fit(cfg).task.loss, OwnLoss)


def test_a_task_of_ones_own_is_trusted(tmp_path: Path) -> None:
    cfg = small(run_dir=tmp_path)
    cfg.task = {"_target_": f"{__name__}.OwnTask"}
    spec = build(small(run_dir=tmp_path)).datamodule.spec
    task = build_task(cfg, spec)
    assert set(task.parts) == {"net", "loss", "optimizer", "scheduler", "spec"}


def test_data_of_ones_own_are_called_by_their_target(tmp_path: Path) -> None:
    cfg = small(run_dir=tmp_path)
    cfg.data._target_ = "elsewhere.Rings"
    spec = DataSpec(task="multiclass", n_features=2, n_outputs=3, feature_names=("a", "b"), class_names=("c", "d", "e"))
    with pytest.raises(ConfigError, match=r"task=binary does not fit data=elsewhere\.Rings"):
        build_task(cfg, spec)


def test_a_bug_in_a_class_keeps_its_own_error(tmp_path: Path) -> None:
    cfg = small(run_dir=tmp_path)
    cfg.loss = {"_target_": f"{__name__}.OutOfOrder"}
    # from Hydra 1.4 on it comes as it is
    with pytest.raises((InstantiationException, KeyError), match="a bug"):
        build(cfg)


def test_a_network_that_fits_into_no_memory_is_told_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.net: .*can't allocate memory.*given: .*activation=relu"):
        build(small("model=mlp", "model.net.hidden=[10000000,10000000]", run_dir=tmp_path))


def test_an_error_that_names_its_key_stays_as_it_is(tmp_path: Path) -> None:
    cfg = small(run_dir=tmp_path)
    cfg.optimizer = {"_target_": f"{__name__}.Particular", "_partial_": True, "lr": 2.0}
    with pytest.raises(ConfigError) as raised:
        build(cfg)
    assert str(raised.value) == "optimizer.lr=2.0 is not to my taste"
