"""Where ``compile=true`` pays: the published small network, and two wide ones."""

import contextlib
import io
import time

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from torch import nn

from benchmarks.timing import Claim, check_weights, in_turn, scratch
from src.build import build
from src.config.compose import compose_train

WIDE = [
    "model=mlp",
    "model.net.activation=gelu",
    "data.n_samples=50000",
    "data.batch_size=10000",
    "trainer.max_epochs=4",
]
SIZES = {
    "circle_v2": ["model=circle_v2", "trainer.max_epochs=300"],
    "4 layers of 128, gelu, batch 10,000": [*WIDE, "model.net.hidden=[128,128,128,128]"],
    "4 layers of 1024, gelu, batch 10,000": [*WIDE, "data.n_samples=12500", "model.net.hidden=[1024,1024,1024,1024]"],
}


class Clock(Callback):
    """When each block of epochs ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Note the time."""
        self.times.append(time.perf_counter())


def claims() -> list[Claim]:
    """Seconds per epoch with and without, the first epoch, in which it compiles, not counted."""
    return [_claim(name, overrides) for name, overrides in SIZES.items()]


def _claim(name: str, overrides: list[str]) -> Claim:
    nets: dict[bool, nn.Module] = {}

    def timed(*, is_compiled: bool) -> float:
        seconds, nets[is_compiled] = _run([*overrides, f"compile={str(is_compiled).lower()}"])
        return seconds

    return in_turn(
        f"compile=true, {name} / without",
        lambda: timed(is_compiled=True),
        lambda: timed(is_compiled=False),
        check=lambda claim: check_weights(claim, *(list(net.parameters()) for net in nets.values())),
    )


def _run(overrides: list[str]) -> tuple[float, nn.Module]:
    cfg = compose_train([*overrides, "trainer=cpu", "callbacks=none", "logger=none"], run_dir=scratch())
    clock = Clock()
    with contextlib.redirect_stdout(io.StringIO()):
        built = build(cfg)
        built.trainer.callbacks.append(clock)  # type: ignore[attr-defined]
        built.fit()
    return (clock.times[-1] - clock.times[0]) / (cfg.trainer.max_epochs - 1), built.task.net
