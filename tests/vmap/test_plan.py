"""Which jobs train together."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf, open_dict
from torch import Tensor, nn, optim

from src.config.compose import compose_train
from src.data.base import Part, Parts
from src.data.circles import CirclesDataModule
from src.sweep.jobs import Job
from src.tasks.binary import BinaryClassification
from src.vmap.planning.plan import plan
from src.vmap.train import StackOptions, train_stack
from tests.vmap.stacked_jobs import assert_near, make_jobs, result_of, rows_of, train_alone

STOPPING = "callbacks.early_stopping"


def together(jobs: list[Job]) -> list[list[int]]:
    """Numbers of the jobs of each stack."""
    return [[job.number for job in stack.jobs] for stack in plan(jobs).stacks]


@pytest.fixture
def unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are put together as their configurations say, without the trial that follows; tests/vmap/proof has that."""
    monkeypatch.setattr("src.vmap.planning.plan.obstacle_of", lambda *_: None)


def reasons(jobs: list[Job]) -> list[str]:
    found = plan(jobs)
    assert not found.stacks
    return [reason for _, reason in found.single]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("common", "each"),
    [
        ([], [("seed=1",), ("seed=2",), ("data.batch_seed=5",)]),
        ([], [("optimizer.lr=1",), ("optimizer.momentum=0.5",), ("optimizer.weight_decay=1",)]),
        (["optimizer=adam"], [("optimizer.betas=[0.1,0.2]",), ("optimizer.lr=1",)]),
        ([], [("data.noise=0.3",), ("data.factor=0.2",), ("data.seed=7",), ("data.split_seed=1",)]),
        (["scheduler=step"], [("scheduler.gamma=0.3",), ("scheduler.step_size=3",)]),
        (["scheduler=plateau"], [("scheduler.patience=3",), ("scheduler.factor=0.3",)]),
        ([], [("evaluate=last",), ("optimized_metric=test/f1",), ("model.name=mine",)]),
        ([], [("data.batch_size=800",), ("data.batch_size=null",), ("data.drop_last=true",)]),
        ([], [("model.net.hidden=[10,11]",), ("model.net.activation=relu",), ("model.net.hidden=[3,4]", "seed=3")]),
        (["model=mlp"], [(f"model.net.hidden=[{width}]",) for width in (8, 10, 12, 16)]),
        (["callbacks=early_stopping"], [(f"{STOPPING}.patience=3",), (f"{STOPPING}.min_delta=1",)]),
    ],
)
def test_these_may_differ(common: list[str], each: list[tuple[str, ...]], tmp_path: Path) -> None:
    assert together(make_jobs(common, each, tmp_path)) == [list(range(len(each)))]


@pytest.mark.usefixtures("unproven")
def test_a_last_batch_is_left_out_by_all_or_none(tmp_path: Path) -> None:
    each = [("seed=1",), ("seed=2",), ("data.drop_last=true",)]
    assert together(make_jobs(["data.batch_size=300"], each, tmp_path / "0")) == [[0, 1]]
    assert together(make_jobs(["data.batch_size=200"], each, tmp_path / "1")) == [[0, 1, 2]]


@pytest.mark.parametrize(
    "different",
    [
        "data.n_samples=500",
        "data.n_val=100",
        "data.test_size=0.5",
        "data.batch_size=10",
        "model.net.hidden=[10,500]",
        "optimizer.nesterov=true",
        "task.eval_every_n_epochs=1",
        "task.gradient_clip_val=1",
        "trainer.max_epochs=7",
        "trainer.precision=64-true",
        "callbacks.checkpoint.mode=max",
    ],
)
@pytest.mark.usefixtures("unproven")
def test_these_must_be_equal(different: str, tmp_path: Path) -> None:
    jobs = make_jobs(["optimizer.momentum=0.9"], [("seed=1",), ("seed=2",), (different,)], tmp_path)
    found = plan(jobs)
    assert [[job.number for job in stack.jobs] for stack in found.stacks] == [[0, 1]]
    assert found.single == ((jobs[2], "no other job is like it"),)


@pytest.mark.parametrize("different", ["monitor=train/loss", "mode=max"])
@pytest.mark.usefixtures("unproven")
def test_models_of_a_stack_stop_by_the_same_metric(different: str, tmp_path: Path) -> None:
    jobs = make_jobs(["callbacks=early_stopping"], [("seed=1",), ("seed=2",), (f"{STOPPING}.{different}",)], tmp_path)
    assert together(jobs) == [[0, 1]]


def test_two_callbacks_that_stop_by_one_metric_are_left_to_the_trainer(tmp_path: Path) -> None:
    jobs = make_jobs(["callbacks=early_stopping"], [("seed=1",), ("seed=2",)], tmp_path)
    for job in jobs:
        with open_dict(job.cfg):
            job.cfg.callbacks.other = job.cfg.callbacks.early_stopping
    assert reasons(jobs) == [f"{STOPPING} and callbacks.other watch the same metric"] * 2


def of_optimizers(nodes: Sequence[dict[str, Any]], folder: Path) -> list[Job]:
    """A job for each optimiser."""
    jobs = make_jobs([], [(f"seed={i}",) for i in range(len(nodes))], folder)
    for job, node in zip(jobs, nodes, strict=True):
        job.cfg.optimizer = {"_target_": "torch.optim.nadam.NAdam", "_partial_": True, "lr": 0.1, **node}
    return jobs


@pytest.mark.slow
@pytest.mark.parametrize("different", [{"lr": 1}, {"betas": [0.5, 0.9]}, {"weight_decay": 0.1}, {}])
def test_numbers_of_any_optimiser_may_differ(different: dict[str, Any], tmp_path: Path) -> None:
    assert together(of_optimizers([{}, {}, different], tmp_path)) == [[0, 1, 2]]


@pytest.mark.parametrize("different", [{"maximize": True}, {"foreach": False}, {"_target_": "torch.optim.SGD"}])
@pytest.mark.usefixtures("unproven")
def test_what_is_no_number_of_an_optimiser_must_be_equal(different: dict[str, Any], tmp_path: Path) -> None:
    assert together(of_optimizers([{}, {}, different], tmp_path)) == [[0, 1]]


@pytest.mark.usefixtures("unproven")
def test_jobs_of_several_options_have_a_stack_each(tmp_path: Path) -> None:
    jobs: list[Job] = []
    for i, choice in enumerate(["model=circle_v0", "model=circle_v2", "optimizer=adam"]):
        made = make_jobs([choice], [("seed=1",), ("seed=2",)], tmp_path / str(i))
        jobs += [Job.of(2 * i + job.number, job.overrides, job.cfg, job.hydra_cfg) for job in made]
    assert together(jobs) == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.usefixtures("unproven")
def test_schedulers_that_follow_the_epoch_share_a_stack(tmp_path: Path) -> None:
    jobs = make_jobs(["scheduler=step"], [("seed=1",)], tmp_path) + [
        Job.of(1, job.overrides, job.cfg, job.hydra_cfg)
        for job in make_jobs(["scheduler=none"], [("seed=1",)], tmp_path)
    ]
    assert together(jobs) == [[0, 1]]


@pytest.mark.usefixtures("unproven")
def test_a_stack_says_what_its_jobs_have_in_common(tmp_path: Path) -> None:
    jobs = make_jobs(["model=circle_v1"], [("seed=1",), ("optimizer.lr=0.3", "data.batch_seed=5")], tmp_path)
    (stack,) = plan(jobs).stacks
    assert stack.description == (
        "2 models circle_v1 are stacked: the same network, BinaryClassification, SGD, BCEWithLogitsLoss, "
        "1000 epochs, one batch an epoch; they differ in seed, optimizer.lr"
    )


def stacks_of(each: list[tuple[str, ...]], tmp_path: Path) -> list[str]:
    """What is said of stacks of two jobs each."""
    jobs: list[Job] = []
    for i, choices in enumerate(each):
        made = make_jobs(choices, [("seed=1",), ("seed=2", "optimizer.lr=0.3")], tmp_path / str(i))
        jobs += [Job.of(2 * i + job.number, job.overrides, job.cfg, job.hydra_cfg) for job in made]
    return [stack.description for stack in plan(jobs).stacks]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear_vs_relu", "notebook/improve"])
def test_every_job_of_a_shipped_experiment_is_stacked(name: str, tmp_path: Path) -> None:
    experiment = OmegaConf.load(Path("conf/experiment") / f"{name}.yaml")
    swept = {key: str(value).split(",") for key, value in experiment.hydra.sweeper.params.items() if key != "seed"}
    each = [
        [*(f"{key}={value}" for key, value in zip(swept, values, strict=True)), f"seed={seed}"]
        for values in itertools.product(*swept.values())
        for seed in (0, 1)
    ]
    jobs = [
        Job.of(
            number,
            tuple(own),
            compose_train([f"experiment={name}", *own], run_dir=tmp_path / str(number)),
            OmegaConf.create({"hydra": {"job": {"num": number}}}),
        )
        for number, own in enumerate(each)
    ]
    found = plan(jobs)
    assert not found.single
    assert sum(len(stack.jobs) for stack in found.stacks) == len(each)


@pytest.mark.usefixtures("unproven")
def test_padded_stacks_say_all_the_values_that_set_them_apart(tmp_path: Path) -> None:
    hidden = [[8], [16], [8, 8], [8, 16]]
    jobs = make_jobs(["model=mlp"], [[f"model.net.hidden={each}".replace(" ", "")] for each in hidden], tmp_path)
    found = [stack.description.partition("; unlike ")[2] for stack in plan(jobs).stacks]
    assert found == ["the other, model.net.hidden=[8] or [16]", "the other, model.net.hidden=[8,8] or [8,16]"]


@pytest.mark.parametrize(
    ("each", "unlike"),
    [
        (
            [("model=mlp", "model.net.hidden=[8]"), ("model=mlp", "model.net.hidden=[8,16]")],
            ["the other, model.net.hidden=[8]", "the other, model.net.hidden=[8,16]"],
        ),
        (
            [("data.batch_size=10",), ("data.batch_size=null",), ("data.batch_size=20",)],
            ["the others, data.batch_size=10", "the others, data.batch_size=null", "the others, data.batch_size=20"],
        ),
        # numbers of the optimiser separate nothing, and what a class brings with it goes with the class
        (
            [("optimizer=sgd", "optimizer.lr=0.1"), ("optimizer=adam", "optimizer.lr=0.2")],
            ["the other, optimizer=SGD", "the other, optimizer=Adam"],
        ),
        (
            [("scheduler=plateau",), ("scheduler=step",)],
            ["the other, scheduler=ReduceLROnPlateau", "the other, scheduler=any other"],
        ),
        (
            [("callbacks.checkpoint.mode=min",), ("callbacks.checkpoint.mode=max",)],
            ["the other, callbacks.checkpoint.mode=min", "the other, callbacks.checkpoint.mode=max"],
        ),
        (
            [("callbacks=early_stopping",), ("callbacks=default",)],
            ["the other, callbacks.early_stopping=EarlyStopping", "the other, no callbacks.early_stopping"],
        ),
        (
            [("task.gradient_clip_val=1", "trainer.max_epochs=5"), ("trainer.max_epochs=6",)],
            [
                "the other, task.gradient_clip_val=1, trainer.max_epochs=5",
                "the other, task.gradient_clip_val=null, trainer.max_epochs=6",
            ],
        ),
    ],
)
@pytest.mark.usefixtures("unproven")
def test_stacks_say_what_sets_them_apart(each: list[tuple[str, ...]], unlike: list[str], tmp_path: Path) -> None:
    found = [line.partition("; unlike ")[2] for line in stacks_of(each, tmp_path)]
    assert found == unlike


@pytest.mark.usefixtures("unproven")
def test_networks_of_other_depths_have_a_stack_each(tmp_path: Path) -> None:
    hidden = ["[8]", "[8,8]", "[9]", "[9,8]", "[]", "[8,8,8]"]
    found = plan(make_jobs(["model=mlp"], [(f"model.net.hidden={each}",) for each in hidden], tmp_path))
    assert [[job.number for job in stack.jobs] for stack in found.stacks] == [[0, 2], [1, 3]]
    assert {reason for _, reason in found.single} == {"no other job is like it"}


def test_a_padded_stack_says_so(tmp_path: Path) -> None:
    (stack,) = plan(make_jobs(["model=mlp"], [("model.net.hidden=[8]",), ("model.net.hidden=[10]",)], tmp_path)).stacks
    assert stack.description == (
        "2 models mlp are stacked: networks of one depth, padded to common widths, BinaryClassification, SGD, "
        "BCEWithLogitsLoss, 1000 epochs, one batch an epoch; they differ in model.net.hidden"
    )


def test_a_mistake_in_a_width_keeps_no_other_job_from_its_stack(tmp_path: Path) -> None:
    jobs = make_jobs(["model=mlp"], [(f"model.net.hidden=[{width}]",) for width in (8, 10, 12)], tmp_path)
    jobs[2].cfg.model.net.hidden = [0]
    found = plan(jobs)
    assert [[job.number for job in stack.jobs] for stack in found.stacks] == [[0, 1]]
    ((_, reason),) = found.single
    assert reason.startswith("model.net.hidden must be a list of whole numbers from 1 to 10000000, got [0]")


def test_where_padding_does_not_work_each_structure_has_a_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def obstacle(jobs: Sequence[Job], _factory: object) -> str | None:
        return "widths differ" if len({str(job.cfg.model.net.hidden) for job in jobs}) > 1 else None

    monkeypatch.setattr("src.vmap.planning.plan.obstacle_of", obstacle)
    hidden = [8, 10, 8, 12]
    jobs = make_jobs(["model=mlp"], [(f"model.net.hidden=[{w}]", f"seed={i}") for i, w in enumerate(hidden)], tmp_path)
    found = plan(jobs)
    assert [[job.number for job in stack.jobs] for stack in found.stacks] == [[0, 2]]
    assert found.single == ((jobs[1], "widths differ"), (jobs[3], "widths differ"))


@pytest.mark.parametrize(
    ("common", "own", "reason"),
    [
        ([], "compile=true", "compile=true"),
        ([], "trainer.devices=2", "trainer.devices=2"),
        (["trainer=ddp"], "trainer.devices=1", "trainer.strategy=ddp"),
        ([], "trainer.precision=16-mixed", "trainer.precision=16-mixed"),
        ([], "trainer.max_epochs=-1", "trainer.max_epochs=-1"),
        ([], "trainer.limit_val_batches=0", "trainer.limit_val_batches=0"),
        (["callbacks=histograms"], "seed=1", "callbacks.histograms .*Histograms.* watches a single run"),
        (
            ["callbacks=early_stopping"],
            "callbacks.early_stopping.check_on_train_epoch_end=false",
            "callbacks.early_stopping.check_on_train_epoch_end=False",
        ),
        (
            ["callbacks=early_stopping"],
            "callbacks.early_stopping.monitor=val/f1",
            "callbacks.early_stopping.monitor=val/f1 is not measured during training",
        ),
        ([], "optimizer._target_=torch.optim.lbfgs.LBFGS", "LBFGS asks for the loss several times in a step"),
        ([], "optimizer._target_=torch.optim.sparse_adam.SparseAdam", "SparseAdam does not support dense gradients"),
        ([], "callbacks.checkpoint.monitor=val/f1", "callbacks.checkpoint.monitor=val/f1 is not measured"),
        ([], "optimized_metric=val/acc", "optimized_metric=val/acc is not measured"),
        ([], "optimizer.lr=-1", "Invalid learning rate: -1"),
        ([], "data.noise=-1", "data.noise must be a number of at least 0, got -1"),
        ([], "model.net.in_features=3", "does not fit data=circles"),
        (["optimizer=adam"], "+optimizer.capturable=true", "optimizer.capturable=True"),
    ],
)
def test_what_runs_by_itself_says_why(common: list[str], own: str, reason: str, tmp_path: Path) -> None:
    if own.endswith("=-1"):
        jobs = make_jobs(common, [("seed=1",), ("seed=2",)], tmp_path)
        for job in jobs:
            OmegaConf.update(job.cfg, own.partition("=")[0], -1)
    elif own.startswith("+") or "torch.optim" in own:
        jobs = make_jobs(common, [("seed=1",), ("seed=2",)], tmp_path)
        for job in jobs:
            if "torch.optim" in own:
                job.cfg.optimizer = {"_target_": own.partition("=")[2], "_partial_": True, "lr": 0.1}
            else:
                OmegaConf.update(job.cfg, "optimizer.capturable", value=True, force_add=True)
    else:
        jobs = make_jobs(common, [(own, "seed=1"), (own, "seed=2")], tmp_path)
    for found in reasons(jobs):
        with pytest.raises(AssertionError, match=reason):
            raise AssertionError(found)


def test_a_job_with_a_checkpoint_goes_on_by_itself(tmp_path: Path) -> None:
    jobs = make_jobs([], [("seed=1",), ("seed=2",), ("seed=3",)], tmp_path)
    (jobs[1].run_dir / "checkpoints").mkdir(parents=True)
    (jobs[1].run_dir / "checkpoints" / "last.ckpt").touch()
    found = plan(jobs)
    assert [job.number for job in found.stacks[0].jobs] == [0, 2]
    assert found.single == ((jobs[1], "it goes on from a checkpoint of its own"),)


# Code of one's own


class Net(nn.Module):
    """A plain network that knows nothing of this project."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(2, width), nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outer(torch.sin(self.inner(x)))
        return outputs


class OneWeight(nn.Module):
    """A network with a single parameter, which is all that an optimiser may mix."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1, bias=False)
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.layer(x)
        return outputs


class Normed(optim.SGD):
    """Divides by the size of a parameter's gradient, which mixes all its numbers."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(group["lr"] * p.grad / (p.grad.norm() + 1e-8))


class OwnStep(BinaryClassification):
    def training_step(self, batch: object, batch_idx: int) -> None:
        super().training_step(batch, batch_idx)


class OwnScore(BinaryClassification):
    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs > 1) == (targets > 0)).float().mean()


class OwnSetup(CirclesDataModule):
    def setup(self, stage: str) -> None:
        super().setup(stage)


class Drawn(CirclesDataModule):
    """Noise that the seed of the run decides."""

    def make_parts(self) -> Parts:
        parts = super().make_parts()
        return parts._replace(train=Part(parts.train.x + 0.1 * torch.randn_like(parts.train.x), parts.train.y))


def own_net(kind: type[nn.Module], folder: Path) -> list[Job]:
    jobs = make_jobs(["logger=csv", "trainer.max_epochs=5"], [("seed=1",), ("seed=2", "optimizer.lr=0.3")], folder)
    for job in jobs:
        job.cfg.model = {"name": "own", "task": None, "net": {"_target_": f"{__name__}.{kind.__name__}", "width": 6}}
    return jobs


@pytest.mark.slow
def test_a_network_of_ones_own_trains_with_the_others(tmp_path: Path) -> None:
    jobs = own_net(Net, tmp_path / "together")
    (stack,) = plan(jobs).stacks
    train_stack(stack.jobs, StackOptions())
    train_alone(jobs, tmp_path / "alone")
    for job in jobs:
        alone = tmp_path / "alone" / str(job.number)
        assert_near(rows_of(job.run_dir), rows_of(alone), atol=1e-5)
        assert_near(result_of(job.run_dir)["metrics"], result_of(alone)["metrics"], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Net, OneWeight])
def test_an_optimiser_that_mixes_the_numbers_of_a_parameter_is_not_stacked(
    kind: type[nn.Module], tmp_path: Path
) -> None:
    # three rates are tried; two models of one rate would be rows of one parameter
    each = [(f"seed={seed}",) for seed in range(6)]
    jobs = make_jobs(["logger=csv", "trainer.max_epochs=5"], each, tmp_path)
    for i, job in enumerate(jobs):
        job.cfg.model = {"name": "own", "task": None, "net": {"_target_": f"{__name__}.{kind.__name__}", "width": 6}}
        job.cfg.optimizer = {"_target_": f"{__name__}.Normed", "_partial_": True, "lr": 0.1 * (1 + i % 3)}
    for found in reasons(jobs):
        with pytest.raises(AssertionError, match=r"does not act on every number by itself"):
            raise AssertionError(found)


def test_data_that_depend_on_more_than_their_values_are_not_shared(tmp_path: Path) -> None:
    jobs = make_jobs([], [("seed=1",), ("seed=2",), ("seed=3",)], tmp_path)
    for job in jobs:
        job.cfg.data._target_ = f"{__name__}.Drawn"
    assert all("its data draw from a global generator" in reason for reason in reasons(jobs))


@pytest.mark.parametrize(("key", "kind", "method"), [("task", OwnStep, "training_step"), ("data", OwnSetup, "setup")])
def test_a_loop_of_ones_own_runs_by_itself(key: str, kind: type, method: str, tmp_path: Path) -> None:
    jobs = make_jobs([], [("seed=1",), ("seed=2",)], tmp_path)
    for job in jobs:
        job.cfg[key]._target_ = f"{__name__}.{kind.__name__}"
    assert reasons(jobs) == [f"{__name__}.{kind.__name__} has its own {method}"] * 2


@pytest.mark.slow
def test_a_score_of_ones_own_is_measured(tmp_path: Path) -> None:
    jobs = make_jobs(["logger=csv", "trainer.max_epochs=3"], [("seed=1",), ("seed=2",)], tmp_path / "together")
    for job in jobs:
        job.cfg.task._target_ = f"{__name__}.{OwnScore.__name__}"
    (stack,) = plan(jobs).stacks
    train_stack(stack.jobs, StackOptions())
    train_alone(jobs, tmp_path / "alone")
    assert_near(rows_of(jobs[0].run_dir), rows_of(tmp_path / "alone" / "0"), atol=1e-5)


def test_a_task_of_ones_own_trains_networks_of_other_widths(tmp_path: Path) -> None:
    hidden = [("model.net.hidden=[8]",), ("model.net.hidden=[10]",)]
    jobs = make_jobs(["model=mlp", "trainer.max_epochs=3"], hidden, tmp_path)
    for job in jobs:
        job.cfg.task._target_ = f"{__name__}.{OwnScore.__name__}"
    assert together(jobs) == [[0, 1]]


@pytest.mark.parametrize("data", ["iris", "breast_cancer", "diabetes", "digits", "moons", "sine"])
def test_shipped_data_are_stacked(data: str, tmp_path: Path) -> None:
    jobs = make_jobs([f"data={data}", "model=mlp", "trainer.max_epochs=2"], [("seed=0",), ("seed=1",)], tmp_path)
    found = plan(jobs)
    assert [len(stack.jobs) for stack in found.stacks] == [2], found.single


def test_jobs_that_ask_for_other_threads_are_stacked_apart(tmp_path: Path) -> None:
    each = [(f"seed={seed}", f"threads={n}") for n in (1, 2) for seed in (0, 1)]
    found = plan(make_jobs(["model=circle_v1", "trainer.max_epochs=2"], each, tmp_path))
    assert [[job.number for job in stack.jobs] for stack in found.stacks] == [[0, 1], [2, 3]]
