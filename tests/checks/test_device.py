"""Devices that this machine does not have, or that cannot compute what is asked, and the one that is named."""

from pathlib import Path

import pytest
import torch

from src.build import build
from src.checks.device import check_precision, describe_device
from src.config.compose import compose_train
from src.config.errors import ConfigError
from tests.tasks.runs import small

HAS_CUDA = torch.cuda.is_available()
HAS_MPS = torch.backends.mps.is_available()


@pytest.fixture
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine have these devices, beside its CPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in request.param)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in request.param)


@pytest.mark.parametrize(
    "option",
    [
        pytest.param("gpu", marks=pytest.mark.skipif(HAS_CUDA or HAS_MPS, reason="there is a GPU here")),
        pytest.param("mps", marks=pytest.mark.skipif(HAS_MPS, reason="there is an MPS device here")),
    ],
)
def test_a_device_that_is_not_here_is_refused_with_those_that_are(option: str, tmp_path: Path) -> None:
    cfg = compose_train([f"trainer={option}"], run_dir=tmp_path)
    here = "auto, cpu, cuda, gpu" if HAS_CUDA else "auto, cpu"
    with pytest.raises(
        ConfigError, match=rf"trainer\.accelerator={option} is not on this machine; allowed here: {here}$"
    ):
        build(cfg)


@pytest.mark.parametrize(
    ("machine", "missing", "here"),
    [({"cuda"}, "mps", "auto, cpu, cuda, gpu"), ({"mps"}, "cuda", "auto, cpu, mps, gpu")],
    indirect=["machine"],
)
@pytest.mark.usefixtures("machine")
def test_devices_that_are_here_are_named(missing: str, here: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=rf"trainer\.accelerator={missing} is not on this machine; allowed here: {here}$"
    ):
        build(small(f"trainer.accelerator={missing}", run_dir=tmp_path))


def test_an_accelerator_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^trainer\.accelerator .*: got 'abacus'; allowed: auto, cpu"):
        build(small("trainer.accelerator=abacus", run_dir=tmp_path))


def test_double_precision_is_refused_on_a_device_that_has_none() -> None:
    with pytest.raises(ConfigError, match=r"trainer\.precision=64-true is not to be had on mps; allowed: 32-true"):
        check_precision(torch.device("mps"), "64-true")
    check_precision(torch.device("mps"), "32-true")
    check_precision(torch.device("cpu"), "64-true")


@pytest.mark.parametrize(
    ("machine", "accelerator", "expected"),
    [
        ({"cuda"}, "cpu", "device: cpu, as trainer.accelerator=cpu asks"),
        ((), "auto", "device: cpu, picked by trainer.accelerator=auto since it finds no CUDA or MPS"),
        ({"cuda"}, "auto", "since this machine has cuda"),
        ({"cuda", "mps"}, "auto", "since this machine has cuda and mps"),
    ],
    indirect=["machine"],
)
@pytest.mark.usefixtures("machine")
def test_the_device_is_named_with_the_reason(accelerator: str, expected: str, tmp_path: Path) -> None:
    assert expected in describe_device(accelerator, build(small(run_dir=tmp_path)).trainer)
