"""Pictures during training: where they go, of which data there are some, and that a run does not notice them."""

from pathlib import Path

import pytest
import torch
from omegaconf import open_dict
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from src.build import Built, build
from src.callbacks.frames import Frames, drawer
from src.pictures.subject import Subject
from tests.data.test_sources import blobs
from tests.tasks.runs import GivenData, generator_states, numbers_spec, random_parts, small
from tests.tasks.test_metrics import make


def with_frames(*overrides: str, run_dir: Path, save: bool = False) -> Built:
    cfg = small("trainer.max_epochs=9", *overrides, run_dir=run_dir)
    with open_dict(cfg):
        cfg.callbacks.boundary_frames = {
            "_target_": "src.callbacks.frames.Frames",
            "every_n_epochs": 4,
            "save": save,
        }
    built = build(cfg)
    built.trainer.fit(built.task, datamodule=built.datamodule)
    for logger in built.loggers:
        logger.finalize("success")
    return built


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choices", "tag"),
    [
        (("data=circles",), "train/boundary"),
        (("data=blobs", "model=mlp"), "train/boundary"),
        (("data=line", "model=mlp"), "train/predictions"),
    ],
)
def test_tensorboard_and_disk_hold_the_same_frames(choices: tuple[str, ...], tag: str, tmp_path: Path) -> None:
    with_frames(*choices, "logger=tensorboard", run_dir=tmp_path, save=True)
    events = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    images = {image.step: image for image in events.Images(tag)}
    assert list(images) == [0, 4, 8]
    for epoch, image in images.items():
        file = tmp_path / "plots" / "frames" / f"epoch_{epoch:06d}.png"
        assert file.read_bytes() == image.encoded_image_string
        with Image.open(file) as picture:
            assert picture.size == (image.width, image.height)
            # on a wall
            assert picture.width >= 700
    assert len({image.encoded_image_string for image in images.values()}) == 3
    assert len(list((tmp_path / "plots" / "frames").iterdir())) == 3


def test_nothing_is_drawn_that_nobody_looks_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.callbacks.frames.drawer", lambda *_, **__: pytest.fail("drawn"))
    with_frames(run_dir=tmp_path)
    assert not (tmp_path / "plots").exists()


@pytest.mark.slow
def test_a_run_comes_out_the_same_with_frames_and_without(tmp_path: Path) -> None:
    dropout = ["model=mlp", "optimizer=adam", "data.batch_size=64"]
    built = with_frames(*dropout, run_dir=tmp_path / "with", save=True)
    plain = build(small("trainer.max_epochs=9", *dropout, run_dir=tmp_path / "without"))
    plain.trainer.fit(plain.task, datamodule=plain.datamodule)
    pairs = zip(built.task.net.parameters(), plain.task.net.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_drawing_changes_nothing(tmp_path: Path) -> None:
    built = with_frames(run_dir=tmp_path)
    built.task.net.train()
    states = generator_states()
    frames = Frames(every_n_epochs=None, save=True)
    frames.show(built.trainer, built.task)
    assert generator_states() == states
    assert built.task.net.training


@pytest.mark.parametrize("choices", [("data=circles",), ("data=line", "model=mlp")])
def test_a_network_that_has_diverged_can_be_drawn(choices: tuple[str, ...], tmp_path: Path) -> None:
    built = with_frames(*choices, run_dir=tmp_path)
    draw = drawer(Subject(built.task, built.datamodule))
    assert draw is not None
    before = draw("epoch 8")
    with torch.no_grad():
        for parameter in built.task.net.parameters():
            parameter.fill_(torch.nan)
    assert (draw("epoch 8") != before).any()


@pytest.mark.parametrize(
    "data", [blobs(n_features=3), GivenData(random_parts(numbers_spec(1, 2)), numbers_spec(1, 2))], ids=["3-d", "2-d"]
)
def test_other_shapes_have_no_such_picture(data: GivenData) -> None:
    assert drawer(Subject(make(data.spec), data)) is None


def test_only_the_first_process_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = with_frames(run_dir=tmp_path)
    monkeypatch.setattr(type(built.trainer), "is_global_zero", False)
    Frames(every_n_epochs=None, save=True).show(built.trainer, built.task)
    assert not (tmp_path / "plots").exists()
