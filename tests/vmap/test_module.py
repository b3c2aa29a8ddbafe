"""Each model of an ensemble leaves what its single run leaves."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn, optim
from torch.nn.functional import binary_cross_entropy_with_logits

from src.build import build
from src.console.sweep import NoProgress
from src.eval import evaluate
from src.run.directory import OtherRunError
from src.sweep.jobs import Job
from src.tasks.finite import NonFiniteLossError
from src.vmap.models import ModelFactory
from src.vmap.module import tiles_of
from src.vmap.planning.plan import plan
from src.vmap.record import Outcome
from src.vmap.train import StackOptions, train_stack
from tests.tasks.runs import circle_v2, small
from tests.vmap.stacked_jobs import assert_near, checkpoint_of, make_jobs, result_of, rows_of, train_alone

# whole commands, or whole trainings
pytestmark = pytest.mark.slow

SEEDS_AND_RATES: list[tuple[str, ...]] = [
    ("seed=0", "optimizer.lr=0.1"),
    ("seed=1", "optimizer.lr=0.1"),
    ("seed=1", "optimizer.lr=0.02"),
]
# two tiles, so that one model stands by itself
TWO = StackOptions(models_per_step=2)

# What only shows or draws a run.
SILENT = [
    f"callbacks.{name}=null"
    for name in ("progress", "summary", "pictures", "boundary_frames", "precision_recall", "model_graph")
]

STOPPING = ["model=circle_v2", "logger=csv", "callbacks=early_stopping", *SILENT, "callbacks.hints=null"]
PATIENCE = "callbacks.early_stopping.patience"
DELTA = "callbacks.early_stopping.min_delta"

CASES: dict[str, tuple[list[str], list[tuple[str, ...]]]] = {
    "sgd": (["model=circle_v2", "logger=csv"], SEEDS_AND_RATES),
    "momentum, cosine": (
        ["model=circle_v2", "logger=csv", "scheduler=cosine", "optimizer.nesterov=true"],
        [
            ("optimizer.momentum=0.9",),
            ("optimizer.momentum=0.5", "optimizer.weight_decay=0.1"),
            ("seed=3", "optimizer.momentum=0.1"),
        ],
    ),
    "adam, step, clipped": (
        ["model=circle_v2", "logger=csv", "optimizer=adam", "scheduler=step", "task.gradient_clip_val=0.05"],
        [("scheduler.step_size=3",), ("scheduler.gamma=0.1", "optimizer.betas=[0.5,0.9]"), ("seed=1",)],
    ),
    "adamw, plateau, sparse rows": (
        ["model=circle_v2", "logger=csv", "optimizer=adamw", "scheduler=plateau", "task.log_every_n_epochs=5"],
        [("scheduler.patience=0",), ("scheduler.patience=1", "optimizer.lr=0.1"), ("seed=2", "scheduler.factor=0.1")],
    ),
    "penalties": (
        ["model=mlp", "model.net.hidden=[8,8]", "logger=csv", "task.l1=0.001", "task.l2=0.05"],
        SEEDS_AND_RATES,
    ),
    "features, norm, residual": (
        ["model=mlp", "features=squares", "model.net.norm=layer", "model.net.residual=true", "logger=csv"],
        SEEDS_AND_RATES,
    ),
    "folds of a table, weighed classes": (
        [
            "data=breast_cancer",
            "data.folds=5",
            "model=mlp",
            "logger=csv",
            "optimizer=adam",
            "loss.class_weights=balanced",
        ],
        [("data.fold=0",), ("data.fold=1",), ("data.fold=1", "seed=3")],
    ),
    "unequal classes, weighed": (
        [
            *("data=spirals", "data.n_classes=3", "model=mlp", "logger=csv", "optimizer=adam"),
            *("loss.class_weights=balanced", "data.class_shares=[0.8,0.1,0.1]"),
        ],
        [("seed=0",), ("seed=1", "data.class_shares=[0.2,0.3,0.5]"), ("data.noise=0.1",)],
    ),
    "unequal classes of two, weighed": (
        ["data=gauss", "model=mlp", "logger=csv", "loss=of_data", "loss.class_weights=balanced"],
        [("data.class_shares=[0.9,0.1]",), ("data.class_shares=[0.7,0.3]",), ("data.class_shares=null", "data.seed=3")],
    ),
    "rmsprop, batches": (
        ["model=circle_v2", "logger=csv", "optimizer=rmsprop", "data.batch_size=150", "optimizer.lr=0.001"],
        [("seed=0",), ("seed=1", "optimizer.momentum=0.5"), ("seed=1", "optimizer.alpha=0.5")],
    ),
    "own data, batches": (
        ["model=circle_v1", "logger=csv", "data.batch_size=300"],
        [("data.noise=0.1",), ("data.seed=7", "data.batch_seed=3"), ("data.factor=0.5",)],
    ),
    "own data, batches, without the last one": (
        ["model=circle_v1", "logger=csv", "data.batch_size=300", "data.drop_last=true"],
        [("data.noise=0.1",), ("data.seed=7", "data.batch_seed=3"), ("data.factor=0.5",)],
    ),
    "several classes": (
        ["data=blobs", "model=blob", "logger=csv", "optimizer.lr=0.02"],
        [("seed=0",), ("seed=1",), ("data.seed=5",)],
    ),
    "numbers, double": (
        ["data=line", "model=line", "logger=csv", "loss=huber", "trainer.precision=64-true"],
        [("seed=0",), ("data.weight=0.4",), ("optimizer.lr=0.003",)],
    ),
    "adam, double": (
        ["model=circle_v2", "logger=csv", "optimizer=adam", "trainer.precision=64-true"],
        [("seed=0",), ("optimizer.lr=0.1",), ("seed=1", "optimizer.weight_decay=0.1")],
    ),
    "early stopping, plateau": (
        [*STOPPING, "optimizer=adam", "scheduler=plateau", "scheduler.patience=1", f"{DELTA}=0.01"],
        [(f"{PATIENCE}=1",), ("seed=1", f"{PATIENCE}=3", f"{DELTA}=0.1"), ("seed=2", f"{DELTA}=0")],
    ),
    "early stopping of all, batches, sparse rows": (
        [
            *STOPPING,
            "data.batch_size=300",
            "optimizer.momentum=0.9",
            "task.log_every_n_epochs=3",
            "task.eval_every_n_epochs=1",
            "callbacks.early_stopping.monitor=train/accuracy",
            f"{DELTA}=1",
        ],
        [(f"{PATIENCE}=1",), ("seed=1", f"{PATIENCE}=2"), ("seed=1", f"{PATIENCE}=1")],
    ),
    "other widths, momentum, decay": (
        ["model=mlp", "logger=csv", "optimizer.momentum=0.9", "task.gradient_clip_val=0.05"],
        [
            ("model.net.hidden=[8]", "optimizer.weight_decay=0.1"),
            ("model.net.hidden=[12]", "seed=1"),
            ("model.net.hidden=[5]", "seed=2"),
        ],
    ),
    "other widths and activations, adam, batches": (
        ["model=mlp", "logger=csv", "optimizer=adam", "data.batch_size=300"],
        [
            ("model.net.hidden=[8,4]", "model.net.activation=[sigmoid,tanh]"),
            ("model.net.hidden=[4,6]", "model.net.activation=[relu,identity]"),
            ("model.net.hidden=[5,5]", "model.net.activation=[relu,tanh]", "data.seed=7"),
        ],
    ),
    "early stopping, other widths and activations": (
        [*STOPPING, "model=mlp", "optimizer=adam", f"{DELTA}=9"],
        [
            (f"{PATIENCE}=1", "model.net.hidden=[8,4]", "model.net.activation=tanh"),
            (f"{PATIENCE}=9", "model.net.hidden=[4,6]", "model.net.activation=sigmoid"),
            (f"{PATIENCE}=3", "model.net.hidden=[3,9]", "model.net.activation=sigmoid"),
        ],
    ),
    # too slow a rate and a line for rings ask for hints
    "hints": (
        ["model=circle_v1", "logger=csv", "callbacks=default", *SILENT, "trainer.max_epochs=120"],
        # a smaller rate would leave which epoch is best to rounding
        [("optimizer.lr=3e-3",), ("seed=1",), ("seed=2",)],
    ),
    "best by accuracy": (
        ["model=circle_v2", "logger=csv", "callbacks.checkpoint.monitor=val/accuracy"],
        [("seed=0", "evaluate=last"), ("seed=1",), ("seed=2", "optimized_metric=test/f1")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_file_is_that_of_the_single_run(case: str, tmp_path: Path) -> None:
    common, each = CASES[case]
    jobs = make_jobs(["trainer.max_epochs=12", *common], each, tmp_path / "together")
    outcomes = train_stack(jobs, TWO)
    assert_as_alone(jobs, outcomes, tmp_path / "alone", has_hints=case == "hints")
    if "stopping" in case:
        n_epochs = [checkpoint_of(job.run_dir, "last")["epoch"] for job in jobs]
        expected = {"plateau": [2, 4, 12], "sparse rows": [4, 7, 4], "other widths and activations": [2, 10, 4]}
        assert n_epochs == expected[case.split(", ")[-1]]


def assert_as_alone(jobs: list[Job], outcomes: list[Outcome], folder: Path, *, has_hints: bool = False) -> None:
    """Every file of the jobs is that of their single runs, which train in ``folder``."""
    train_alone(jobs, folder)
    for job, outcome in zip(jobs, outcomes, strict=True):
        together, alone = job.run_dir, folder / str(job.number)
        assert_near(rows_of(together), rows_of(alone), atol=1e-5)
        found, expected = result_of(together), result_of(alone)
        assert list(found["metrics"]) == list(expected["metrics"])
        for result in (found, expected):
            del result["duration_s"]
            # it tells a job from a run
            result["hints"] = [(hint["kind"], hint["seen"]) for hint in result["hints"]]
            # squared and divided by, rounding grows
            result["metrics"].pop("test/r2", None)
        assert_near(found, expected, atol=1e-5)
        assert bool(found["hints"]) == has_hints
        assert outcome.status == "completed"
        assert outcome.value == found["optimized_metric"]["value"]
        for name in ("best", "last"):
            assert_near(checkpoint_of(together, name), checkpoint_of(alone, name), atol=1e-4, where=name)
        stored = {run: OmegaConf.load(run / ".hydra" / "config.yaml") for run in (together, alone)}
        stored[together].run_dir = stored[alone].run_dir
        assert stored[together] == stored[alone]
        assert (together / ".hydra" / "overrides.yaml").read_text() == (alone / ".hydra" / "overrides.yaml").read_text()
        assert OmegaConf.load(together / ".hydra" / "hydra.yaml") == {"hydra": {"job": {"num": job.number}}}


ANY_OPTIMIZER: dict[str, tuple[list[str], list[dict[str, Any]]]] = {
    "torch.optim.adagrad.Adagrad": (
        ["data.batch_size=300", "trainer.precision=64-true"],
        [{"lr_decay": 0.1}, {"lr": 0.3, "initial_accumulator_value": 0.1}, {"weight_decay": 0.1}],
    ),
    "torch.optim.nadam.NAdam": (
        ["scheduler=plateau", "scheduler.patience=0"],
        [{}, {"lr": 0.02, "betas": [0.5, 0.9]}, {"momentum_decay": 0.1}],
    ),
    f"{__name__.replace('test_module', 'stacked.test_torch_optimizer')}.Lion": (
        ["scheduler=cosine"],
        [{"betas": [0.9, 0.99]}, {"betas": [0.5, 0.9], "lr": 0.03}, {"betas": [0.9, 0.99]}],
    ),
}


@pytest.mark.parametrize("target", ANY_OPTIMIZER)
def test_any_optimiser_leaves_what_it_leaves_of_the_single_run(target: str, tmp_path: Path) -> None:
    common, nodes = ANY_OPTIMIZER[target]
    each = [(f"seed={i}",) for i in range(len(nodes))]
    jobs = make_jobs(["trainer.max_epochs=12", "model=circle_v2", "logger=csv", *common], each, tmp_path / "together")
    for job, node in zip(jobs, nodes, strict=True):
        job.cfg.optimizer = {"_target_": target, "_partial_": True, "lr": 0.1, **node}
    (stack,) = plan(jobs).stacks
    assert_as_alone(jobs, train_stack(stack.jobs, TWO), tmp_path / "alone")


class Drifting(optim.Optimizer):
    """Moves every weight, whatever its gradient."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(group["lr"] * (p.grad + 0.1))


@pytest.mark.parametrize("target", ["torch.optim.nadam.NAdam", f"{__name__}.Drifting"])
def test_any_optimiser_trains_networks_of_other_widths(target: str, tmp_path: Path) -> None:
    hidden = [("model.net.hidden=[8]",), ("model.net.hidden=[3]",), ("model.net.hidden=[5]", "seed=3")]
    common = ["trainer.max_epochs=12", "model=mlp", "model.net.activation=tanh", "logger=csv"]
    jobs = make_jobs(common, hidden, tmp_path / "together")
    for job in jobs:
        job.cfg.optimizer = {"_target_": target, "_partial_": True, "lr": 0.1}
    (stack,) = plan(jobs).stacks
    assert_as_alone(jobs, train_stack(stack.jobs, TWO), tmp_path / "alone")


class Drawing(nn.Module):
    """Keeps buffers, and draws while it trains; no bias whose gradient is all rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.layers(x)
        return outputs


def test_a_model_that_has_left_takes_buffers_and_random_numbers_with_it(tmp_path: Path) -> None:
    each = [(f"{PATIENCE}=1",), ("seed=1", f"{PATIENCE}=9"), (f"{PATIENCE}=2", "optimizer.lr=0.05"), ("seed=2",)]
    common = ["trainer.max_epochs=8", "optimizer=adam", "data.batch_size=300", f"{DELTA}=9"]
    jobs = make_jobs([*STOPPING, *common], each, tmp_path / "together")
    for job in jobs:
        job.cfg.model = {"name": "own", "task": None, "net": {"_target_": f"{__name__}.{Drawing.__name__}"}}
        job.cfg.optimizer = {"_target_": "torch.optim.nadam.NAdam", "_partial_": True, "lr": job.cfg.optimizer.lr}
    (stack,) = plan(jobs).stacks
    assert_as_alone(jobs, train_stack(stack.jobs, StackOptions()), tmp_path / "alone")
    assert [checkpoint_of(job.run_dir, "last")["epoch"] for job in jobs] == [2, 8, 3, 8]


def test_evaluation_reads_the_very_numbers_back(tmp_path: Path) -> None:
    jobs = make_jobs(["model=circle_v2", "trainer.max_epochs=12"], SEEDS_AND_RATES, tmp_path)
    train_stack(jobs, TWO)
    for job in jobs:
        for split in ("val", "test"):
            cfg = OmegaConf.create({"run": str(job.run_dir), "checkpoint": "best", "overrides": []})
            again = evaluate(cfg).metrics
            kept = result_of(job.run_dir)["metrics"]
            assert {name: kept[name] for name in again} == again, split


def test_a_single_run_goes_on_from_a_checkpoint_of_an_ensemble(tmp_path: Path) -> None:
    common = ["model=circle_v2", "optimizer=adam", "scheduler=step", "scheduler.step_size=8"]
    (job, _) = jobs = make_jobs([*common, "trainer.max_epochs=12"], [("seed=3",), ("seed=4",)], tmp_path / "ensemble")
    train_stack(jobs, TWO)
    weights: list[torch.Tensor] = []
    for start in (job.run_dir / "checkpoints" / "last.ckpt", None):
        built = build(small(*common, "seed=3", "trainer.max_epochs=20", run_dir=tmp_path / str(start is None)))
        built.trainer.fit(built.task, datamodule=built.datamodule, ckpt_path=start, weights_only=True)
        assert built.trainer.global_step == 20
        weights.append(torch.cat([parameter.detach().flatten() for parameter in built.task.net.parameters()]))
    torch.testing.assert_close(weights[0], weights[1], rtol=0, atol=1e-5)


def test_a_model_that_is_lost_fails_alone(tmp_path: Path) -> None:
    rates = [("optimizer.lr=0.01",), ("optimizer.lr=1e12",), ("optimizer.lr=0.02",)]
    common = ["data=line", "model=line", "loss=mse", "logger=csv", "trainer.max_epochs=20"]
    jobs = make_jobs(common, rates, tmp_path / "together")
    outcomes = train_stack(jobs, StackOptions())
    assert [outcome.status for outcome in outcomes] == ["completed", "failed", "completed"]
    with pytest.raises(NonFiniteLossError) as raised:
        train_alone([jobs[1]], tmp_path / "alone")
    assert str(outcomes[1].error) == str(raised.value)
    found, expected = result_of(jobs[1].run_dir), result_of(tmp_path / "alone" / "1")
    assert found["status"] == expected["status"] == "failed"
    for what, key in (("error", "type"), ("error", "message")):
        assert found[what][key] == expected[what][key]
    assert found["hints"][0]["seen"] == expected["hints"][0]["seen"]
    assert_near(rows_of(jobs[1].run_dir), rows_of(tmp_path / "alone" / "1"), atol=1e-5)
    assert not (jobs[1].run_dir / "checkpoints").exists()
    train_alone([jobs[2]], tmp_path / "alone")
    assert_near(rows_of(jobs[2].run_dir), rows_of(tmp_path / "alone" / "2"), atol=1e-5)


def test_a_model_that_stops_since_its_last_step_has_lost_it_fails(tmp_path: Path) -> None:
    jobs = make_jobs([*STOPPING, "trainer.max_epochs=4"], [("optimizer.lr=1e30",), ("seed=1",)], tmp_path / "together")
    outcomes = train_stack(jobs, StackOptions())
    assert [outcome.status for outcome in outcomes] == ["failed", "completed"]
    with pytest.raises(NonFiniteLossError, match=r"val/loss is \S+ at epoch 0") as raised:
        train_alone(jobs[:1], tmp_path / "alone")
    assert str(outcomes[0].error) == str(raised.value)


class Seen(NoProgress):
    n_trained = n_recorded = 0

    def epochs_done(self, n: int) -> None:
        self.n_trained += n

    def models_recorded(self, n: int) -> None:
        self.n_recorded += n


def test_training_ends_where_all_models_are_lost(tmp_path: Path) -> None:
    common = ["data=line", "model=line", "loss=mse", "optimizer.lr=1e12", "trainer.max_epochs=30"]
    seen = Seen()
    outcomes = train_stack(make_jobs(common, [("seed=0",), ("seed=1",)], tmp_path), StackOptions(), progress=seen)
    assert [outcome.status for outcome in outcomes] == ["failed", "failed"]
    assert seen.n_trained == 2 * 30


def test_what_has_completed_is_not_trained_again(tmp_path: Path) -> None:
    jobs = make_jobs(["model=circle_v1", "trainer.max_epochs=3"], SEEDS_AND_RATES, tmp_path)
    first = train_stack(jobs[:2], StackOptions())
    written = (jobs[0].run_dir / "result.json").stat().st_mtime_ns
    # a run that was killed has left its claim and no result
    (jobs[1].run_dir / "result.json").unlink()
    (jobs[1].run_dir / "checkpoints" / "last.ckpt").unlink()
    seen = Seen()
    again = train_stack(jobs, StackOptions(), progress=seen)
    assert (jobs[0].run_dir / "result.json").stat().st_mtime_ns == written
    assert [outcome.value for outcome in again[:2]] == [outcome.value for outcome in first]
    assert [outcome.status for outcome in again] == ["completed"] * 3
    assert (seen.n_trained, seen.n_recorded) == (3 * len(jobs), len(jobs))


def test_a_directory_of_another_configuration_is_refused_and_left_alone(tmp_path: Path) -> None:
    jobs = make_jobs(["model=circle_v1", "trainer.max_epochs=3"], SEEDS_AND_RATES, tmp_path)
    train_stack(jobs[:1], StackOptions())
    before = result_of(jobs[0].run_dir)
    jobs[0].cfg.optimizer.lr = 0.7
    outcomes = train_stack(jobs, StackOptions())
    assert [outcome.status for outcome in outcomes] == ["failed", "completed", "completed"]
    assert isinstance(outcomes[0].error, OtherRunError)
    assert result_of(jobs[0].run_dir) == before


def events(run_dir: Path) -> dict[str, Any]:
    """Everything that TensorBoard reads, by kind and tag, without the time of writing."""
    read = EventAccumulator(str(run_dir / "tensorboard"))
    read.Reload()
    scalars = {tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
    texts = {tag: [event.step for event in read.Tensors(tag)] for tag in read.Tags()["tensors"]}
    hparams = read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    return {"scalars": scalars, "texts": texts, "hparams": len(hparams) > 0}


def test_tensorboard_shows_what_it_shows_of_the_single_run(tmp_path: Path) -> None:
    common = ["model=circle_v1", "logger=tensorboard", "trainer.max_epochs=8", "task.log_every_n_epochs=4"]
    jobs = make_jobs([*common, "task.eval_every_n_epochs=2"], SEEDS_AND_RATES[:2], tmp_path / "together")
    train_stack(jobs, StackOptions())
    train_alone(jobs, tmp_path / "alone")
    for job in jobs:
        assert_near(events(job.run_dir), events(tmp_path / "alone" / str(job.number)), atol=1e-5)
        assert (job.run_dir / "tensorboard" / "hparams.yaml").is_file()


def test_pictures_are_drawn_where_they_are_wanted(tmp_path: Path) -> None:
    common = ["model=circle_v1", "callbacks=default", "trainer.max_epochs=2", "callbacks.pictures.draw=[confusion]"]
    jobs = make_jobs(common, SEEDS_AND_RATES[:2], tmp_path)
    train_stack(jobs[:1], StackOptions(pictures=True))
    train_stack(jobs[1:], StackOptions())
    assert [path.name for path in (jobs[0].run_dir / "plots").iterdir()] == ["confusion.png"]
    assert not (jobs[1].run_dir / "plots").exists()


def test_tensorboard_can_be_left_out(tmp_path: Path) -> None:
    jobs = make_jobs(["model=circle_v1", "logger=default", "trainer.max_epochs=2"], SEEDS_AND_RATES[:2], tmp_path)
    train_stack(jobs, StackOptions(tensorboard=False))
    assert not (jobs[0].run_dir / "tensorboard").exists()
    assert len(rows_of(jobs[0].run_dir)) == 2


def test_chunks_that_memory_asks_for_change_nothing(tmp_path: Path) -> None:
    found = []
    for memory in (None, 1e-3):
        jobs = make_jobs(["model=circle_v1", "trainer.max_epochs=3"], SEEDS_AND_RATES, tmp_path / str(memory))
        found.append([outcome.value for outcome in train_stack(jobs, StackOptions(memory_gb=memory))])
    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_tiles_keep_models_with_the_same_data_together(tmp_path: Path) -> None:
    each = [(f"seed={seed}", f"data.noise={noise}") for seed in range(20) for noise in (0.1, 0.2)]
    factory = ModelFactory()
    jobs = make_jobs([], [*each, ("data.seed=1",), ("data.seed=2",)], tmp_path)
    tiles = list(tiles_of([factory.model(job) for job in jobs], 16))
    assert [len(tile) for tile in tiles] == [10, 10, 10, 10, 2]
    assert all(len({id(model.parts) for model in tile}) == 1 for tile in tiles[:4])


@pytest.mark.parametrize("model", ["circle_v0", "circle_v1", "line"])
def test_losses_of_linear_models_are_the_same_over_a_whole_run(model: str, tmp_path: Path) -> None:
    data = "line" if model == "line" else "circles"
    common = [f"model={model}", f"data={data}", "logger=csv", "trainer.max_epochs=1000"]
    if model == "line":
        # with L1, the sign of a residual of the size of a rounding error decides the next step
        common.append("loss=huber")
    jobs = make_jobs(common, [("seed=0",), ("seed=1", "optimizer.lr=0.02")], tmp_path / "together")
    train_stack(jobs, StackOptions())
    train_alone(jobs, tmp_path / "alone")
    for job in jobs:
        assert_near(rows_of(job.run_dir), rows_of(tmp_path / "alone" / str(job.number)), atol=1e-5)


@pytest.mark.slow
def test_relu_models_end_with_the_accuracy_of_a_plain_loop(tmp_path: Path) -> None:
    n_seeds, n_epochs = 64, 1000
    common = ["model=circle_v2", "evaluate=last", f"trainer.max_epochs={n_epochs}"]
    jobs = make_jobs(common, [(f"seed={seed}",) for seed in range(n_seeds)], tmp_path)
    train_stack(jobs, StackOptions())
    train, _, test = ModelFactory().datamodule(jobs[0]).parts
    alike = 0
    for job in jobs:
        net = circle_v2(job.cfg.seed)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(n_epochs):
            optimizer.zero_grad()
            loss = binary_cross_entropy_with_logits(net(train.x).squeeze(1), train.y.float())
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        expected = ((net(test.x).squeeze(1) > 0) == test.y.bool()).sum().item()
        found = result_of(job.run_dir)["metrics"]["test/accuracy"] * len(test.x)
        alike += abs(found - expected) < 1.5
    assert alike >= 0.95 * n_seeds


def test_relu_models_go_the_same_way_for_a_hundred_epochs(tmp_path: Path) -> None:
    jobs = make_jobs(
        ["model=circle_v2", "logger=csv", "trainer.max_epochs=100"],
        [("seed=0",), ("seed=1",), ("seed=2",)],
        tmp_path / "t",
    )
    train_stack(jobs, StackOptions())
    train_alone(jobs, tmp_path / "alone")
    for job in jobs:
        assert_near(rows_of(job.run_dir), rows_of(tmp_path / "alone" / str(job.number)), atol=1e-4)
