"""Pictures that the report shows of jobs that have drawn none."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from src.analysis.finish import finish_sweep
from src.run.directory import RunDir
from src.run.result import Metric, Result
from src.sweep.pictures import draw_for_report
from src.vmap.train import StackOptions, train_stack
from tests.vmap.stacked_jobs import make_jobs

DRAWING = ("callbacks=default", "trainer.max_epochs=1", "logger=csv")


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., None]:
    """Train jobs as a stack; their losses are set, so that it is known who is in the middle."""

    def train(*common: str, each: list[str], losses: list[float]) -> None:
        jobs = make_jobs([*DRAWING, *common], [(own,) for own in each], tmp_path)
        train_stack(jobs, StackOptions())
        for job, loss in zip(jobs, losses, strict=True):
            found = RunDir(job.run_dir).result()
            assert found is not None
            fields = {**vars(found), "metrics": {"val/loss": loss}, "optimized_metric": Metric("val/loss", loss)}
            Result(**fields).write(RunDir(job.run_dir).result_file)

    return train


def drawn(sweep_dir: Path) -> set[str]:
    return {path.relative_to(sweep_dir).as_posix() for path in sweep_dir.glob("*/plots/*")}


@pytest.mark.slow
def test_of_few_jobs_the_best_the_middle_and_the_worst_are_drawn_once(
    train: Callable[..., None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    train("model=circle_v1", each=[f"seed={i}" for i in range(5)], losses=[0.3, 0.1, 0.2, 0.5, 0.6])
    finish_sweep(tmp_path, draw=draw_for_report)
    assert drawn(tmp_path) == {f"{number}/plots/boundary.png" for number in (1, 0, 4)}
    assert "3 pictures drawn for the report" in caplog.text
    with Image.open(tmp_path / "0" / "plots" / "boundary.png") as image:
        image.verify()
    assert (tmp_path / "report.html").read_text().count("data:image/webp") == 3
    caplog.clear()
    finish_sweep(tmp_path, draw=draw_for_report)
    assert "drawn" not in caplog.text


@pytest.mark.slow
def test_other_data_have_other_pictures(train: Callable[..., None], tmp_path: Path) -> None:
    train("data=line", "model=line", each=["optimizer.lr=0.01", "optimizer.lr=0.02"], losses=[0.3, 0.1])
    finish_sweep(tmp_path, draw=draw_for_report)
    assert drawn(tmp_path) == {"0/plots/predictions.png", "1/plots/predictions.png"}


def test_only_what_a_job_was_to_draw_is_drawn(train: Callable[..., None], tmp_path: Path) -> None:
    train("model=circle_v1", "callbacks.pictures.draw=[confusion]", each=["seed=1", "seed=2"], losses=[0.3, 0.1])
    finish_sweep(tmp_path, draw=draw_for_report)
    assert drawn(tmp_path) == {"0/plots/confusion.png"}


def test_without_the_callback_nothing_is_drawn(train: Callable[..., None], tmp_path: Path) -> None:
    train("model=circle_v1", "callbacks.pictures=null", each=["seed=1", "seed=2"], losses=[0.3, 0.1])
    finish_sweep(tmp_path, draw=draw_for_report)
    assert drawn(tmp_path) == set()


@pytest.mark.slow
def test_a_middle_job_that_cannot_be_drawn_is_a_warning_and_the_next_stands_in_its_place(
    train: Callable[..., None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train("model=circle_v1", each=[f"seed={i}" for i in range(4)], losses=[0.3, 0.1, 0.21, 0.22])
    (tmp_path / "2" / "checkpoints" / "best.ckpt").write_bytes(b"half a checkpoint")
    finish_sweep(tmp_path, draw=draw_for_report)
    assert drawn(tmp_path) == {f"{number}/plots/boundary.png" for number in (1, 3, 0)}
    assert f"{tmp_path}/2/plots/boundary.png cannot be drawn: DamagedCheckpointError: " in caplog.text


@pytest.mark.slow
def test_a_worst_job_that_cannot_be_drawn_leaves_its_place_empty(train: Callable[..., None], tmp_path: Path) -> None:
    train("model=circle_v1", each=[f"seed={i}" for i in range(4)], losses=[0.3, 0.1, 0.21, 0.22])
    (tmp_path / "0" / "checkpoints" / "best.ckpt").write_bytes(b"half a checkpoint")
    finish_sweep(tmp_path, draw=draw_for_report)
    assert drawn(tmp_path) == {f"{number}/plots/boundary.png" for number in (1, 2)}
