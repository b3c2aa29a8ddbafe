"""Accuracy is the share of right labels, whatever the loss compares outputs with."""

from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from src.tasks.base import Task
from src.tasks.binary import BinaryClassification
from src.tasks.multiclass import MulticlassClassification
from src.train import train
from src.vmap.planning.plan import plan
from src.vmap.train import StackOptions, train_stack
from tests.tasks.by_hand import rows_of
from tests.tasks.runs import classes_spec, small
from tests.tasks.test_metrics import make
from tests.vmap.stacked_jobs import assert_near, make_jobs, result_of, train_alone
from tests.vmap.stacked_jobs import rows_of as rows_in_order


class SmoothedBits(BinaryClassification):
    """0.05 and 0.95."""

    def targets(self, y: Tensor) -> Tensor:
        return super().targets(y) * 0.9 + 0.05


class LowBits(BinaryClassification):
    """0.4 and 0.6: near to one half from both sides."""

    def targets(self, y: Tensor) -> Tensor:
        return super().targets(y) * 0.2 + 0.4


class SmoothedClasses(MulticlassClassification):
    """A tenth of each label spread over all classes."""

    def targets(self, y: Tensor) -> Tensor:
        k = self.spec.n_outputs
        return nn.functional.one_hot(y, k) * 0.9 + 0.1 / k


KINDS: list[tuple[type[Task], int]] = [
    (BinaryClassification, 2),
    (SmoothedBits, 2),
    (LowBits, 2),
    (MulticlassClassification, 4),
    (SmoothedClasses, 4),
]


@pytest.mark.parametrize("shape", [(), (1,), (3,)], ids=["one model", "a stack of one", "a stack of three"])
@pytest.mark.parametrize(("kind", "k"), KINDS)
def test_a_score_is_that_of_the_labels(kind: type[Task], k: int, shape: tuple[int, ...]) -> None:
    spec = classes_spec(k, 3)
    like = make(spec)
    task = kind(
        net=like.net,
        loss=like.loss,
        optimizer=torch.optim.SGD,
        scheduler=None,
        spec=spec,
        log_every_n_epochs=None,
        eval_every_n_epochs=None,
        gradient_clip_val=None,
    )
    y = torch.arange(24) % k
    outputs = torch.randn(*shape, 24, spec.n_outputs, generator=torch.Generator().manual_seed(0))
    scores = task.score(outputs, task.targets(y))
    rows = outputs.view(-1, 24, spec.n_outputs)
    expected = torch.stack([(task.preds(row) == y).float() for row in rows]).view(*shape, 24)
    assert torch.equal(scores, expected)
    assert 0 < scores.mean() < 1


RUNS = {
    "smoothed bits": (("data=circles", "model=circle_v2"), f"{__name__}.SmoothedBits"),
    "low bits": (("data=circles", "model=circle_v2"), f"{__name__}.LowBits"),
    "smoothed classes": (("data=blobs", "model=blob"), f"{__name__}.SmoothedClasses"),
    "smoothing loss": (("data=blobs", "model=blob"), None),
}
SHORT = ("logger=csv", "optimizer=adam", "trainer.max_epochs=15", "evaluate=last")


def changed(cfg: DictConfig, name: str) -> DictConfig:
    """With the task of a case, or the loss that smooths the labels itself."""
    task = RUNS[name][1]
    if task is None:
        OmegaConf.update(cfg, "loss.label_smoothing", 0.1, force_add=True)
    else:
        cfg.task._target_ = task
    return cfg


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_the_table_of_a_run_and_its_result_hold_the_same_accuracy(name: str, tmp_path: Path) -> None:
    train(changed(small(*RUNS[name][0], *SHORT, run_dir=tmp_path), name))
    last = rows_of(tmp_path)[14]
    metrics = result_of(tmp_path)["metrics"]
    assert last["val/accuracy"] == pytest.approx(metrics["val/accuracy"])
    assert last["val/loss"] == pytest.approx(metrics["val/loss"], rel=1e-5)
    assert last["train/accuracy"] == pytest.approx(metrics["test/accuracy"], abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_stacked_models_measure_what_their_single_runs_do(name: str, tmp_path: Path) -> None:
    jobs = make_jobs([*RUNS[name][0], *SHORT], [("seed=1",), ("seed=2", "optimizer.lr=0.03")], tmp_path / "together")
    for job in jobs:
        changed(job.cfg, name)
    (stack,) = plan(jobs).stacks
    train_stack(stack.jobs, StackOptions())
    train_alone(jobs, tmp_path / "alone")
    for job in jobs:
        alone = tmp_path / "alone" / str(job.number)
        assert_near(rows_in_order(job.run_dir), rows_in_order(alone), atol=1e-4)
        assert_near(result_of(job.run_dir)["metrics"], result_of(alone)["metrics"], atol=1e-4)
