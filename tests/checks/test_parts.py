"""What does not fit together is refused before any training, with what would fit."""

from itertools import product
from pathlib import Path

import pytest
from omegaconf import DictConfig, open_dict

from src.build import build
from src.checks.parts import check_batches
from src.config.compose import compose_train
from src.config.errors import ConfigError
from tests.shipped import DATA_OF, TASK_OF, shipped, stored
from tests.tasks.runs import small

FITS = {
    "circles": {"circle_v0", "circle_v1", "circle_v2", "mlp"},
    "blobs": {"blob", "mlp"},
    "line": {"line", "mlp"},
}


@pytest.mark.parametrize(("data", "model"), [(d, m) for d, m in product(FITS, shipped("model")) if m not in FITS[d]])
def test_a_model_for_other_data_is_refused_with_those_that_fit(data: str, model: str, tmp_path: Path) -> None:
    cfg = small(f"data={data}", "model=mlp", run_dir=tmp_path)
    cfg.model = stored("model", model)
    with pytest.raises(ConfigError, match=rf"^model={model} does not fit data={data}: ") as error:
        build(cfg)
    fits = str(error.value).rsplit("What fits: ", 1)[1].split(", ")
    assert {name for name in shipped("model") if f"model={name}" in fits} == FITS[data]


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        (("data=blobs", "model=blob", "data.centers=5"), r"model\.net\.out_features is 4, the data need 5"),
        (("data=blobs", "model=blob", "data.n_features=3"), r"model\.net\.in_features is 2, the data need 3"),
        (("data=circles", "model.net.in_features=3"), r"model\.net\.in_features is 3, the data need 2"),
    ],
)
def test_sizes_that_differ_from_the_data_are_refused(overrides: tuple[str, ...], why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"does not fit data=(blobs|circles): {why} .*What fits: .*model=mlp"):
        build(small(*overrides, run_dir=tmp_path))


@pytest.mark.parametrize(("data", "task"), [(d, t) for d, t in product(TASK_OF, DATA_OF) if TASK_OF[d] != t])
def test_a_task_for_other_data_is_refused(data: str, task: str, tmp_path: Path) -> None:
    message = f"task={task} does not fit data={data}, which is a {TASK_OF[data]} task; use task={TASK_OF[data]}"
    cfg = small(f"data={data}", "model=mlp", run_dir=tmp_path)
    cfg.task._target_ = stored("task", task)._target_
    with pytest.raises(ConfigError, match=message):
        build(cfg)


def test_what_the_command_line_chooses_wins_over_what_the_data_suggest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^model=blob does not fit data=circles: "):
        build(small("model=blob", run_dir=tmp_path))
    with pytest.raises(ConfigError, match=r"^task=multiclass does not fit data=circles, "):
        build(small("task=multiclass", run_dir=tmp_path))


@pytest.mark.parametrize(
    ("data", "loss", "task", "use"),
    [
        ("breast_cancer", "cross_entropy", "binary", "loss=bce"),
        ("iris", "bce", "multiclass", "loss=cross_entropy"),
        ("diabetes", "cross_entropy", "regression", "loss=huber or loss=l1 or loss=mse"),
    ],
)
def test_a_loss_for_another_task_than_a_table_turns_out_to_be_is_refused(
    data: str, loss: str, task: str, use: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=f"^loss={loss} does not fit data=.*, which is a {task} task; use {use}$"):
        build(small(f"data={data}", f"loss={loss}", "model=mlp", run_dir=tmp_path))


@pytest.mark.parametrize(
    ("data", "loss", "use"),
    [
        ("circles", "mse", {"bce"}),
        ("circles", "cross_entropy", {"bce"}),
        ("blobs", "bce", {"cross_entropy"}),
        ("line", "bce", {"huber", "l1", "mse"}),
    ],
)
def test_a_loss_for_other_data_is_refused_with_those_that_fit(
    data: str, loss: str, use: set[str], tmp_path: Path
) -> None:
    message = f"loss={loss} does not fit data={data}, which is a {TASK_OF[data]} task; use "
    with pytest.raises(ConfigError, match=message) as error:
        build(small(f"data={data}", f"loss={loss}", "model=mlp", run_dir=tmp_path))
    named = str(error.value).removeprefix(message).split(" or ")
    assert {name for name in shipped("loss") if f"loss={name}" in named} == use


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["optimized_metric=val/auc"],
            r"^optimized_metric=val/auc is not measured; allowed: train/loss, .*test/recall",
        ),
        (
            ["optimized_metric=val/loss", "trainer.limit_val_batches=0"],
            r"^optimized_metric=val/loss needs batches, trainer\.limit_val_batches is 0",
        ),
    ],
)
def test_a_metric_that_will_not_be_measured_is_refused(overrides: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        build(small(*overrides, run_dir=tmp_path))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["callbacks=checkpoint", "callbacks.checkpoint.monitor=val/f1"],
            r"^callbacks\.checkpoint\.monitor=val/f1 is not",
        ),
        (
            ["callbacks=early_stopping", "callbacks.early_stopping.monitor=test/loss"],
            r"monitor=test/loss is not measured",
        ),
        (
            ["callbacks=early_stopping", "+trainer.limit_val_batches=0", "optimized_metric=train/loss"],
            r"^callbacks\.early_stopping\.monitor=val/loss needs batches, trainer\.limit_val_batches is 0",
        ),
    ],
)
def test_a_monitor_that_will_not_be_measured_is_refused(overrides: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        build(compose_train(["logger=none", *overrides], run_dir=tmp_path))


def with_trainer(key: str, value: object, *overrides: str, run_dir: Path) -> DictConfig:
    cfg = small(*overrides, run_dir=run_dir)
    with open_dict(cfg):
        cfg.trainer[key] = value
    return cfg


def test_only_one_of_task_and_trainer_clips(tmp_path: Path) -> None:
    message = r"task\.gradient_clip_val=1 and trainer\.gradient_clip_val=2 both clip: leave one out"
    with pytest.raises(ConfigError, match=message):
        build(with_trainer("gradient_clip_val", 2, "task.gradient_clip_val=1", run_dir=tmp_path))


@pytest.mark.parametrize(
    ("overrides", "shown"),
    [
        (
            ["data.batch_size=20"],
            "data.batch_size=20 of 81 samples .* a last batch of one sample, .* data.drop_last=true",
        ),
        (
            ["data.batch_size=1"],
            "data.batch_size=1 of 81 samples .* batches of one sample, .* data.batch_size=2 or more",
        ),
        (["data.batch_size=20", "data.drop_last=true"], None),
        (["data.batch_size=27"], None),
        (["data.batch_size=null"], None),
        (["data.batch_size=20", "model.net.norm=layer"], None),
        (["data.batch_size=20", "model.net.hidden=[]"], None),
    ],
)
def test_a_batch_of_one_sample_is_refused_where_a_norm_needs_two(
    overrides: list[str], shown: str | None, tmp_path: Path
) -> None:
    cfg = small("model=mlp", "model.net.norm=batch", *overrides, run_dir=tmp_path)
    if shown is None:
        check_batches(cfg, 81)
    else:
        with pytest.raises(ConfigError, match=shown):
            check_batches(cfg, 81)
