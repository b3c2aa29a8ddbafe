"""Which pictures a run leaves, and that drawing them changes nothing."""

from dataclasses import replace
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from src.build import build
from src.callbacks.metrics_csv import MetricsCSV
from src.callbacks.pictures import FinalPictures
from src.config.compose import compose_train
from src.config.errors import ConfigError
from src.data.base import InMemoryDataModule
from src.data.spec import DataSpec
from src.pictures.catalogue import PICTURES
from src.tasks.base import Task
from tests.data.test_sources import blobs, circles, line
from tests.slow import slow
from tests.tasks.runs import GivenData, generator_states, numbers_spec, random_parts, small
from tests.tasks.test_metrics import make

# What conf/callbacks/pictures.yaml asks for.
DEFAULT = ("boundary", "probabilities", "predictions", "residuals", "confusion", "calibration", "curves")


def drawn(data: InMemoryDataModule, path: Path, *, tensorboard: bool = False) -> tuple[Task, pl.Trainer]:
    """Test a fresh network on data, with pictures."""
    torch.manual_seed(0)
    spec: DataSpec = data.spec
    task = make(spec)
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=[TensorBoardLogger(path, name="tensorboard", version=""), MetricsCSV(str(path))]
        if tensorboard
        else False,
        callbacks=[FinalPictures(name="a model", draw=DEFAULT)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=path,
    )
    trainer.test(task, datamodule=data, verbose=False)
    return task, trainer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "names"),
    [
        (circles(n_samples=100), ["boundary", "calibration", "confusion", "probabilities"]),
        (blobs(n_samples=100), ["boundary", "calibration", "confusion", "probabilities"]),
        (blobs(n_samples=100, n_features=3), ["calibration", "confusion"]),
        (blobs(n_samples=100, n_features=1), ["calibration", "confusion"]),
        (line(), ["predictions", "residuals"]),
        (GivenData(random_parts(numbers_spec(1, 2)), numbers_spec(1, 2)), ["residuals"]),
    ],
    ids=["circles", "blobs", "blobs in 3-d", "blobs in 1-d", "line", "two inputs"],
)
def test_pictures_depend_on_the_shape_of_the_data(data: InMemoryDataModule, names: list[str], tmp_path: Path) -> None:
    drawn(data, tmp_path)
    files = sorted((tmp_path / "plots").glob("*"))
    assert [path.name for path in files] == [f"{name}.png" for name in names]
    for path in files:
        with Image.open(path) as image:
            image.verify()
            assert image.format == "PNG"
            assert min(image.size) > 100


def test_tensorboard_gets_the_same_pictures(tmp_path: Path) -> None:
    _, trainer = drawn(circles(n_samples=100), tmp_path, tensorboard=True)
    for logger in trainer.loggers:
        logger.finalize("success")
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert sorted(events.Tags()["images"]) == ["boundary", "calibration", "confusion", "probabilities"]
    for name in ("boundary", "calibration", "confusion", "probabilities"):
        (image,) = events.Images(name)
        assert image.encoded_image_string.startswith(b"\x89PNG")
        assert min(image.width, image.height) > 100


@pytest.mark.slow
@pytest.mark.parametrize("training", [True, *slow(False)])  # noqa: FBT003 - a case
def test_drawing_changes_nothing(*, training: bool, tmp_path: Path) -> None:
    task, trainer = drawn(circles(n_samples=100), tmp_path)
    task.net.train(training)
    weights = {name: value.clone() for name, value in task.state_dict().items()}
    before = generator_states()
    FinalPictures(name="again", draw=["boundary", "folds", "units"]).on_test_end(trainer, task)
    assert task.net.training == training
    assert all(torch.equal(value, weights[name]) for name, value in task.state_dict().items())
    assert all(not p.requires_grad or p.grad is None for p in task.net.parameters())
    assert next(task.net.parameters()).device == torch.device("cpu")
    assert generator_states() == before


def test_the_configuration_asks_for_what_these_tests_do_and_can_ask_for_more() -> None:
    assert tuple(compose_train([]).callbacks.pictures.draw) == DEFAULT
    assert FinalPictures(name="", draw="folds").draw == ["folds"]
    with pytest.raises(ConfigError, match=r"callbacks\.pictures\.draw holds 'fold', .* did you mean folds\?"):
        FinalPictures(name="", draw=["boundary", "fold"])


def test_learning_curves_are_drawn_of_what_the_run_has_written(tmp_path: Path) -> None:
    cfg = small("model=mlp", "logger=csv", "trainer.max_epochs=3", run_dir=tmp_path)
    built = build(cfg)
    built.trainer.callbacks.append(FinalPictures(name="short", draw=["curves"]))  # type: ignore[attr-defined]
    built.trainer.fit(built.task, datamodule=built.datamodule)
    built.trainer.test(built.task, datamodule=built.datamodule, verbose=False)
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["curves.png"]


def test_only_the_first_process_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl.Trainer, "is_global_zero", False)
    drawn(circles(n_samples=100), tmp_path)
    assert not (tmp_path / "plots").exists()


def test_half_precision_can_be_drawn(tmp_path: Path) -> None:
    cfg = small("model=mlp", "data=line", "trainer.precision=bf16-true", "trainer.max_epochs=1", run_dir=tmp_path)
    built = build(cfg)
    built.trainer.callbacks.append(FinalPictures(name="half", draw=["predictions"]))  # type: ignore[attr-defined]  # untyped there
    built.trainer.fit(built.task, datamodule=built.datamodule)
    built.trainer.test(built.task, datamodule=built.datamodule, verbose=False)
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["predictions.png"]


def test_a_picture_that_cannot_be_drawn_is_told_and_the_others_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data = circles(n_samples=60)
    spec = replace(data.spec, class_names=("$\\frac{$", "inner"))
    monkeypatch.setattr(type(data), "spec", spec)
    monkeypatch.setitem(PICTURES, "probabilities", PICTURES["probabilities"]._replace(draw=fails))
    drawn(data, tmp_path)
    assert "the picture probabilities cannot be drawn: of nothing" in caplog.text
    assert sorted(file.name for file in (tmp_path / "plots").iterdir()) == [
        "boundary.png",
        "calibration.png",
        "confusion.png",
    ]


def fails(_: object) -> Figure:
    raise ValueError("of nothing")
