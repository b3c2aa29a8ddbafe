"""Claims about the published run: 800 points, one batch, 1000 epochs."""

import contextlib
import io
import os
import time
import warnings
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.lightning_pattern import fit as usual_fit
from benchmarks.problem import circle_net, circles, plain_loop, weights_of
from benchmarks.timing import Claim, check_weights, command, failing_command, in_turn, scratch
from src.build import build
from src.config.compose import compose_train

EPOCHS = 1000
# as the plain loop, which measures every epoch
MEASURED = ["task.eval_every_n_epochs=1", "task.log_every_n_epochs=10"]
# enough of the usual pattern, at thirty times the cost
USUAL_EPOCHS = 200


def default_command() -> Claim:
    """The whole command with everything on, against the notebook as a script with the same picture at its end."""
    runs = scratch()

    def ours() -> float:
        return command(
            "-m", "src.train", "model=circle_v2", "data=circles", f"hydra.run.dir={runs / os.urandom(4).hex()}"
        )

    def check(claim: Claim) -> None:
        notebook = torch.load(runs / "notebook.png.pt", weights_only=True)
        last = next(runs.glob("*/checkpoints/last.ckpt"))
        check_weights(claim, weights_of(last), list(notebook.values()))

    return in_turn(
        "default command / notebook as a script",
        ours,
        lambda: command("-m", "benchmarks.notebook", str(runs / "notebook.png")),
        target=1.1,
        check=check,
    )


def usual_command() -> Claim:
    """The whole command against the usual Lightning script."""
    runs = scratch()
    return in_turn(
        "default command / usual Lightning script",
        lambda: command("-m", "src.train", f"hydra.run.dir={runs / os.urandom(4).hex()}"),
        lambda: command("-m", "benchmarks.lightning_pattern", str(runs)),
        check=lambda claim: check_weights(
            claim,
            weights_of(next(runs.glob("*/checkpoints/last.ckpt"))),
            weights_of(next(runs.glob("lightning_logs/**/last.ckpt"))),
        ),
    )


def commands() -> list[Claim]:
    """Whole processes."""
    return [default_command(), usual_command()]


def ours_per_epoch(*overrides: str) -> tuple[float, list[torch.Tensor], dict[str, float]]:
    """Seconds per epoch of a run with everything on, its weights and its last metrics."""
    cfg = compose_train([f"trainer.max_epochs={EPOCHS}", "trainer=cpu", *overrides], run_dir=scratch())
    # a bar that is drawn, on a terminal that nobody sees
    with contextlib.redirect_stdout(io.StringIO()):
        built = build(cfg)
        start = time.perf_counter()
        built.fit()
        seconds = time.perf_counter() - start
    metrics = {name: float(value) for name, value in built.trainer.callback_metrics.items()}
    return seconds / EPOCHS, list(built.task.net.parameters()), metrics


def per_epoch() -> list[Claim]:
    """Epochs at equal work, at other resolutions, of the usual pattern and of scikit-learn, over a plain loop's."""
    os.environ["FORCE_COLOR"] = "1"
    parts = circles().make_parts()
    kept: dict[str, Any] = {}

    def plain() -> float:
        net = circle_net()
        seconds, kept["plain_last"] = plain_loop(net, parts.train, parts.val, EPOCHS)
        kept["plain"] = list(net.parameters())
        return seconds / EPOCHS

    def ours(*overrides: str) -> float:
        seconds, kept["ours"], kept["metrics"] = ours_per_epoch(*overrides)
        return seconds

    def check(claim: Claim) -> None:
        check_weights(claim, kept["ours"], kept["plain"])
        _check_metrics(claim, kept["metrics"], kept["plain_last"])

    def check_usual(claim: Claim) -> None:
        net = circle_net()
        plain_loop(net, parts.train, parts.val, USUAL_EPOCHS)
        check_weights(claim, kept["usual"], list(net.parameters()))

    claims = []
    for name, overrides, target in (
        # trained, measured, logged, kept: all but pictures, which a plain loop has not either
        ("per epoch, equal work / plain loop", [*MEASURED, "callbacks.boundary_frames=null"], 1.5),
        ("per epoch, equal work and twenty pictures / plain loop", MEASURED, None),
        ("per epoch, default resolution / plain loop", [], None),
        ("per epoch, every epoch logged / plain loop", ["task.log_every_n_epochs=1"], None),
    ):
        # both are made from the same seed, so that all that differs is who runs the loop
        claims.append(in_turn(name, lambda overrides=overrides: ours(*overrides), plain, target=target, check=check))  # type: ignore[misc]

    def usual() -> float:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = time.perf_counter()
            kept["usual"] = list(usual_fit(scratch(), USUAL_EPOCHS).parameters())
            return (time.perf_counter() - start) / USUAL_EPOCHS

    claims.append(in_turn("per epoch, usual Lightning pattern / plain loop", usual, plain, check=check_usual))
    claims.append(in_turn("per epoch, scikit-learn's MLPClassifier / plain loop", sklearn_per_epoch, plain))
    return claims


def _check_metrics(claim: Claim, metrics: dict[str, float], last: list[float]) -> None:
    names = ("train/loss", "train/accuracy", "val/loss", "val/accuracy")
    for name, expected in zip(names, last, strict=True):
        if abs(metrics[name] - expected) > 1e-5:
            claim.problems.append(f"{name} is {metrics[name]:.6f}, the plain loop's {expected:.6f}")


def sklearn_per_epoch() -> float:
    """Seconds per epoch of scikit-learn's network of the same widths: ReLU after both layers, no evaluation."""
    train = circles().make_parts().train
    net = MLPClassifier((10, 10), solver="sgd", batch_size=len(train.x), max_iter=EPOCHS, n_iter_no_change=EPOCHS + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.perf_counter()
        net.fit(train.x.numpy(), train.y.numpy())
        seconds = time.perf_counter() - start
    return seconds / int(net.n_iter_)


def config_only() -> list[Claim]:
    """Commands that train nothing, over the import of Hydra."""

    def hydra() -> float:
        return command("-c", "import hydra")

    claims = []
    for arguments in (["--help"], ["--cfg", "job"], ["--info", "defaults"]):
        name = f"src.train {' '.join(arguments)} / import hydra"
        claims.append(
            in_turn(name, lambda arguments=arguments: command("-m", "src.train", *arguments), hydra, target=3.0)  # type: ignore[misc]
        )
    claims.append(
        in_turn(
            "a typo's error / import hydra",
            lambda: failing_command("-m", "src.train", "optimizer.lrr=1"),
            hydra,
            target=3.0,
        )
    )
    return claims
