"""Where ``compile=true`` pays: the published small network, and a wide one."""

import contextlib
import io
import time

from benchmarks.timing import Claim, check_weights, scratch
from src.build import build
from src.config import compose_train

SIZES = {
    "compile=true, circle_v2": ["model=circle_v2", "trainer.max_epochs=300"],
    "compile=true, 4 layers of 1024 on 20,000 points": [
        "model=mlp",
        "model.net.hidden=[1024,1024,1024,1024]",
        "model.net.activation=gelu",
        "optimizer=adam",
        "data.n_samples=25000",
        "data.batch_size=4000",
        "trainer.max_epochs=3",
    ],
}


def claims() -> list[Claim]:
    """Seconds per epoch with and without, compiling not counted; and how many epochs it takes to earn it back."""
    return [_claim(name, overrides) for name, overrides in SIZES.items()]


def _claim(name: str, overrides: list[str]) -> Claim:
    claim = Claim(f"{name} / without", [], [])
    runs = {compiled: _run([*overrides, f"compile={str(compiled).lower()}"]) for compiled in (True, False)}
    # compiled code fuses operations, so sums are rounded elsewhere: the same network only up to that
    check_weights(claim, runs[True][1], runs[False][1], within=1e-3)
    for compiled, seconds in ((True, claim.ours_s), (False, claim.other_s)):
        seconds.extend(_run([*overrides, f"compile={str(compiled).lower()}"])[0] for _ in range(3))
    return claim


def _run(overrides: list[str]) -> tuple[float, list]:  # type: ignore[type-arg]
    cfg = compose_train([*overrides, "trainer=cpu", "callbacks=none", "logger=none"], run_dir=scratch())
    with contextlib.redirect_stdout(io.StringIO()):
        built = build(cfg)
        start = time.perf_counter()
        built.trainer.fit(built.task, datamodule=built.datamodule)
    return (time.perf_counter() - start) / cfg.trainer.max_epochs, list(built.task.net.parameters())
