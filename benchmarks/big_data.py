"""Claims about many points: time of an epoch, cost per point, memory.

``python -m benchmarks.big_data N`` trains one epoch over N points in a process of its own and prints seconds per epoch,
bytes of the tensors, and resident memory before the data and at its peak.
"""

import json
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.problem import circle_net
from benchmarks.timing import ROOT, Claim, check_weights, in_turn, scratch
from src.build import Built, build
from src.config.compose import compose_train
from src.data.base import Batches

BATCH = 4096
N = 1_000_000
EPOCHS = 2


def built_for(n_train: int, *, epochs: int) -> Built:
    """A run over so many training points, with nothing on but metrics."""
    overrides = [
        f"data.n_samples={round(n_train / 0.8)}",
        f"data.batch_size={BATCH}",
        f"trainer.max_epochs={epochs}",
        "task.log_every_n_epochs=1",
        "trainer=cpu",
        "callbacks=none",
        "logger=csv",
    ]
    return build(compose_train(overrides, run_dir=scratch()))


def epoch_over_a_million() -> list[Claim]:
    """An epoch in batches of 4096, against plain slicing, and the default loader alone against the same."""
    kept: dict[str, Any] = {}
    built = built_for(N, epochs=EPOCHS)
    parts = built.datamodule.parts

    def ours() -> float:
        again = built_for(N, epochs=EPOCHS)
        again.datamodule._parts = parts
        start = time.perf_counter()
        again.fit()
        seconds = time.perf_counter() - start
        kept["ours"] = list(again.task.net.parameters())
        kept["metrics"] = {name: float(value) for name, value in again.trainer.callback_metrics.items()}
        return seconds / EPOCHS

    def plain() -> float:
        net = circle_net()
        kept["plain"] = list(net.parameters())
        loss_fn, optimizer = nn.BCEWithLogitsLoss(), torch.optim.SGD(net.parameters(), lr=0.1)
        x, y, order = parts.train.x, parts.train.y.float()[:, None], Batches(parts.train, batch_size=BATCH, seed=42)
        start = time.perf_counter()
        for epoch in range(EPOCHS):
            order.set_epoch(epoch)
            indices = order.order()
            loss_sum = correct = torch.zeros(())
            for i in range(0, len(x), BATCH):
                chosen = indices[i : i + BATCH]  # type: ignore[index]
                xs, ys = x[chosen], y[chosen]
                logits = net(xs)
                loss = loss_fn(logits, ys)
                loss_sum = loss_sum + loss.detach() * len(xs)
                correct = correct + ((logits.detach() > 0) == (ys > 0)).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            kept["loss"], kept["accuracy"] = loss_sum.item() / len(x), correct.item() / len(x)
        return (time.perf_counter() - start) / EPOCHS

    def loader() -> float:
        dataset = TensorDataset(parts.train.x[: N // 10], parts.train.y[: N // 10])
        start = time.perf_counter()
        for _ in DataLoader(dataset, batch_size=BATCH, shuffle=True):
            pass
        return (time.perf_counter() - start) * 10

    def check(claim: Claim) -> None:
        check_weights(claim, kept["ours"], kept["plain"])
        for name in ("loss", "accuracy"):
            if abs(kept["metrics"][f"train/{name}"] - kept[name]) > 1e-4:
                claim.problems.append(f"train/{name} is {kept['metrics'][f'train/{name}']}, by hand {kept[name]}")

    return [
        in_turn("an epoch over 1,000,000 points / plain slicing loop", ours, plain, target=1.3, check=check),
        in_turn("DataLoader(TensorDataset) alone, no training / plain slicing loop", loader, plain),
    ]


def curve() -> list[dict[str, Any]]:
    """Cost per point and memory, from a thousand to ten million points."""
    rows = []
    for exponent in range(3, 8):
        arguments = [sys.executable, "-m", "benchmarks.big_data", str(10**exponent)]
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    return rows


def measure(n: int) -> dict[str, Any]:
    """One epoch over ``n`` points in this process."""
    warnings.simplefilter("ignore")
    # everything is imported and has run once before memory is read
    small = built_for(1000, epochs=1)
    small.fit()
    base = peak_bytes()
    epochs = max(2, 100_000 // n)
    built = built_for(n, epochs=epochs)
    tensors = sum(t.nbytes for part in built.datamodule.parts for t in part)
    start = time.perf_counter()
    built.fit()
    seconds = (time.perf_counter() - start) / epochs
    peak = peak_bytes()
    return {
        "n": n,
        "epoch_s": seconds,
        "ns_per_point": seconds / n * 1e9,
        "tensor_bytes": tensors,
        "base_bytes": base,
        "peak_bytes": peak,
        "memory_ratio": (peak - base) / tensors,
    }


def peak_bytes() -> int:
    """Most memory that this process has held resident; getrusage would count its parent's as well on Linux."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
