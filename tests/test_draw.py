"""Pictures of a finished run, from its directory alone."""

import shutil
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from src.config.compose import CONF_DIR, compose_train
from src.config.errors import ConfigError
from src.draw import draw
from src.pictures.catalogue import PICTURES
from src.train import train

QUIET = ("logger=csv", "trainer=cpu", "trainer.max_epochs=20", "optimizer=adam", "~callbacks.progress")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    train(compose_train([*QUIET, "~callbacks.summary", "callbacks.pictures.draw=[boundary]"], run_dir=path))
    return path


def asked(run: Path, pictures: object = None, checkpoint: str | None = None) -> DictConfig:
    cfg = OmegaConf.create({"run": str(run), "checkpoint": checkpoint, "pictures": pictures})
    assert isinstance(cfg, DictConfig)
    return cfg


@pytest.mark.slow
def test_all_that_fit_are_drawn_into_a_moved_run_directory_and_nothing_else_changes(
    trained: Path, tmp_path: Path
) -> None:
    moved = shutil.copytree(trained, tmp_path / "elsewhere")
    before = {path: path.read_bytes() for path in moved.rglob("*") if path.is_file()}
    files = draw(asked(moved))
    names = ("boundary", "confusion", "calibration", "probabilities", "curves", "folds", "units", "activations")
    assert {path.name for path in files} == {f"{name}.png" for name in names}
    for path in files:
        with Image.open(path) as image:
            image.verify()
    after = {path: path.read_bytes() for path in moved.rglob("*") if path.is_file()}
    assert {path: data for path, data in after.items() if path in before} == before
    assert set(after) == set(before) | set(files)


@pytest.mark.slow
def test_the_picture_is_the_one_that_training_drew(trained: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(trained, tmp_path / "elsewhere")
    drawn = (moved / "plots" / "boundary.png").read_bytes()
    (moved / "plots" / "boundary.png").unlink()
    (file,) = draw(asked(moved, "boundary"))
    assert file.read_bytes() == drawn
    # other weights, another picture
    (file,) = draw(asked(moved, "boundary", checkpoint=str(_untrained(moved))))
    assert file.read_bytes() != drawn


def _untrained(run: Path) -> Path:
    """A checkpoint of the same network with other weights."""
    import torch

    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    state["state_dict"] = {name: -value for name, value in state["state_dict"].items()}
    torch.save(state, run / "other.ckpt")
    return run / "other.ckpt"


def test_a_run_without_validation_is_drawn_with_its_last_weights(trained: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(trained, tmp_path / "elsewhere")
    (moved / "checkpoints" / "best.ckpt").unlink()
    assert [path.name for path in draw(asked(moved, ["folds"]))] == ["folds.png"]


@pytest.mark.slow
def test_saved_frames_become_a_gif(trained: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(trained, tmp_path / "elsewhere")
    (moved / "plots" / "frames").mkdir()
    for i in range(5):
        Image.new("RGB", (60, 40), (50 * i, 0, 0)).save(moved / "plots" / "frames" / f"epoch_{10 * i:06d}.png")
    (file,) = draw(asked(moved, "gif"))
    with Image.open(file) as film:
        assert (file.name, film.format, getattr(film, "n_frames", 1)) == ("training.gif", "GIF", 5)


def test_what_does_not_fit_is_refused_with_what_it_needs(trained: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"pictures=residuals cannot be drawn of run=.*: it needs a regression\n"
    ) as error:
        draw(asked(trained, ["residuals", "boundary", "gif"]))
    assert "pictures=gif cannot be drawn" in str(error.value)
    assert "callbacks.boundary_frames.save=true" in str(error.value)
    assert "boundary cannot" not in str(error.value)


def test_an_unknown_picture_and_a_directory_without_a_run_are_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pictures holds 'boundry', which is no picture; did you mean boundary"):
        draw(asked(trained, ["boundry"]))
    with pytest.raises(ConfigError, match="is not a run directory"):
        draw(asked(tmp_path))


def test_the_file_of_options_names_every_picture() -> None:
    text = (CONF_DIR / "draw.yaml").read_text()
    assert all(name in text for name in (*PICTURES, "gif"))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "begins"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pictures_for_a_paper_are_drawn_in_lines(kind: str, begins: bytes, trained: Path, tmp_path: Path) -> None:
    cfg = OmegaConf.merge(asked(trained, ["boundary", "curves"]), {"format": kind, "folder": str(tmp_path)})
    assert isinstance(cfg, DictConfig)
    files = draw(cfg)
    assert [file.name for file in files] == [f"boundary.{kind}", f"curves.{kind}"]
    assert all(file.read_bytes().startswith(begins) for file in files)


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="format=jpg: allowed: png, svg, pdf"):
        draw(OmegaConf.create({"run": str(tmp_path), "pictures": None, "checkpoint": None, "format": "jpg"}))
