"""Jobs with classes of one's own, and what their single runs leave."""

from collections.abc import Callable
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from src.sweep.jobs import Job
from src.vmap.planning.plan import Plan, plan
from src.vmap.train import StackOptions, train_stack
from tests.vmap.stacked_jobs import assert_near, checkpoint_of, make_jobs, result_of, rows_of, train_alone

# as different as jobs of a stack may be
EACH: list[tuple[str, ...]] = [
    ("seed=1",),
    ("seed=2", "optimizer.lr=0.03"),
    ("seed=3", "data.noise=0.1", "data.batch_seed=7"),
    ("seed=4",),
]


def hook(parameter: Tensor, function: Callable[[Tensor], Tensor]) -> None:
    parameter.register_hook(function)  # type: ignore[no-untyped-call]


class Net(nn.Module):
    """A plain network that knows nothing of this project."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(2, width), nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outer(torch.sin(self.inner(x)))
        return outputs


def own_jobs(folder: Path, *common: str, **targets: type) -> list[Job]:
    """Jobs with classes of one's own in the place of ``net``, ``loss``, ``task`` or ``data``."""
    jobs = make_jobs(["logger=csv", "trainer.max_epochs=6", *common], EACH, folder)
    for job in jobs:
        for key, kind in targets.items():
            target = f"{kind.__module__}.{kind.__qualname__}"
            if key == "net":
                job.cfg.model = {"name": "own", "task": None, "net": {"_target_": target}}
            elif key == "loss":
                job.cfg.loss = {"_target_": target}
            else:
                OmegaConf.update(job.cfg, f"{key}._target_", target)
    return jobs


def assert_like_single_runs(jobs: list[Job], folder: Path) -> Plan:
    """Whatever is stacked leaves the rows, the metrics and the checkpoints of the single runs."""
    found = plan(jobs)
    for stack in found.stacks:
        train_stack(stack.jobs, StackOptions(models_per_step=3))
        train_alone(stack.jobs, folder)
        for job in stack.jobs:
            alone = folder / str(job.number)
            assert_near(rows_of(job.run_dir), rows_of(alone), atol=1e-4)
            assert_near(result_of(job.run_dir)["metrics"], result_of(alone)["metrics"], atol=1e-4)
            for name in ("best", "last"):
                assert_near(checkpoint_of(job.run_dir, name), checkpoint_of(alone, name), atol=1e-3, where=name)
    return found
