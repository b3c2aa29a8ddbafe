"""What one model meets while it is recorded is its own failure, and its directory says so."""

import math
from pathlib import Path

import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from src.config.errors import ConfigError
from src.config.keys import NOT_STORED
from src.sweep.jobs import Job
from src.vmap.record import Outcome
from src.vmap.run import job_return
from src.vmap.train import StackOptions, train_stack
from tests.vmap.stacked_jobs import make_jobs, result_of, train_alone

SEEDS = [("seed=0",), ("seed=1",), ("seed=2",)]
DRAWN = ("model=circle_v1", "callbacks=default", "trainer.max_epochs=2", "callbacks.pictures.draw=[confusion]")
ALL = StackOptions(pictures=True)


def in_the_way(job: Job, name: str) -> None:
    """A file where a job is to make a folder."""
    job.run_dir.mkdir(parents=True)
    (job.run_dir / name).write_text("")


def told(outcome: Outcome) -> JobReturn:
    """What a sweeper hears."""
    outcome.job.hydra_cfg.hydra.job.name = "train"
    return job_return(outcome)


def assert_only_the_second_fails(jobs: list[Job], kind: type[Exception], message: str) -> None:
    outcomes = train_stack(jobs, ALL)
    assert [outcome.status for outcome in outcomes] == ["completed", "failed", "completed"]
    assert type(outcomes[1].error) is kind
    failed = result_of(jobs[1].run_dir)
    assert failed["status"] == "failed"
    assert failed["error"]["type"] == kind.__name__
    assert message in failed["error"]["message"]
    assert "Traceback" in failed["error"]["traceback"]
    for i in (0, 2):
        assert result_of(jobs[i].run_dir)["status"] == "completed"
        assert (jobs[i].run_dir / "plots" / "confusion.png").is_file()
    returned = told(outcomes[1])
    assert returned.status == JobStatus.COMPLETED
    assert math.isnan(returned.return_value)


def test_a_picture_that_there_is_not_fails_its_model(tmp_path: Path) -> None:
    each = [("seed=0",), ("seed=1", "callbacks.pictures.draw=[confusing]"), ("seed=2",)]
    jobs = make_jobs(DRAWN, each, tmp_path)
    assert_only_the_second_fails(jobs, ConfigError, "'confusing', which is no picture; did you mean confusion?")


@pytest.mark.parametrize("name", ["plots", "checkpoints"])
def test_a_folder_that_cannot_be_made_fails_its_model(name: str, tmp_path: Path) -> None:
    jobs = make_jobs(DRAWN, SEEDS, tmp_path)
    in_the_way(jobs[1], name)
    assert_only_the_second_fails(jobs, FileExistsError, f"1/{name}")


def test_a_name_that_is_no_formula_is_drawn_all_the_same(tmp_path: Path) -> None:
    # matplotlib would read a title between dollars as one
    jobs = make_jobs(DRAWN, [("seed=0",), ("seed=1", "model.name='$x^$'"), ("seed=2",)], tmp_path)
    assert [outcome.status for outcome in train_stack(jobs, ALL)] == ["completed"] * 3
    assert all((job.run_dir / "plots" / "confusion.png").is_file() for job in jobs)


@pytest.mark.slow
def test_a_failed_model_is_trained_again_once_its_cause_is_gone(tmp_path: Path) -> None:
    jobs = make_jobs(DRAWN, SEEDS, tmp_path)
    in_the_way(jobs[1], "plots")
    train_stack(jobs, ALL)
    (jobs[1].run_dir / "plots").unlink()
    assert [outcome.status for outcome in train_stack(jobs, ALL)] == ["completed"] * 3
    assert (jobs[1].run_dir / "plots" / "confusion.png").is_file()


@pytest.mark.parametrize("name", ["", "result.json/inside"])
def test_what_cannot_be_recorded_is_told_to_the_sweeper(name: str, tmp_path: Path) -> None:
    jobs = make_jobs(DRAWN, SEEDS, tmp_path)
    blocked = jobs[1].run_dir / name
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("")
    outcomes = train_stack(jobs, StackOptions())
    assert [outcome.status for outcome in outcomes] == ["completed", "failed", "completed"]
    returned = told(outcomes[1])
    # a sweep ends with this error, since no directory tells it
    assert returned.status == JobStatus.FAILED
    with pytest.raises((OSError, ConfigError), match=str(tmp_path / "1")):
        _ = returned.return_value


def tags(run_dir: Path) -> dict[str, object]:
    read = EventAccumulator(str(run_dir / "tensorboard"))
    read.Reload()
    found: dict[str, object] = dict(read.Tags())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("data", ["data=circles", "data=line"])
def test_tensorboard_has_the_pictures_where_all_are_drawn(data: str, tmp_path: Path) -> None:
    model = "model=line" if data == "data=line" else "model=circle_v1"
    common = (data, model, "callbacks=default", "logger=tensorboard", "trainer.max_epochs=2")
    jobs = make_jobs([*common, "callbacks.progress=null", "callbacks.summary=null"], SEEDS[:2], tmp_path / "together")
    train_stack(jobs, ALL)
    train_alone(jobs, tmp_path / "alone")
    for job in jobs:
        alone = tmp_path / "alone" / str(job.number)
        found, expected = tags(job.run_dir), tags(alone)
        images, expected_images = set(found.pop("images")), set(expected.pop("images"))  # type: ignore[call-overload]
        # what is drawn while a network learns
        assert expected_images - images == {"train/predictions" if data == "data=line" else "train/boundary"}
        assert images <= expected_images
        assert {kind: set(names) if isinstance(names, list) else names for kind, names in found.items()} == {
            kind: set(names) if isinstance(names, list) else names for kind, names in expected.items()
        }
        for name in images:
            assert (job.run_dir / "plots" / f"{name}.png").read_bytes()
        assert {path.name for path in (job.run_dir / "plots").iterdir()} == {f"{name}.png" for name in images}


def test_a_job_stores_where_it_was_to_go_as_it_was_asked(tmp_path: Path) -> None:
    jobs = make_jobs(["model=circle_v1", "trainer.max_epochs=1"], SEEDS[:2], tmp_path)
    asked = [Job.of(job.number, job.overrides, job.cfg, job.hydra_cfg, "${hydra:runtime.output_dir}") for job in jobs]
    train_stack(asked, StackOptions())
    for job in asked:
        stored = OmegaConf.to_container(OmegaConf.load(job.run_dir / ".hydra" / "config.yaml"), resolve=False)
        kept = {name: value for name, value in job.asked.items() if name not in NOT_STORED}
        assert stored == {**kept, "run_dir": "${hydra:runtime.output_dir}"}
        assert job.cfg.run_dir == str(job.run_dir)


@pytest.mark.parametrize("common", [("model=circle_v1",), ("data=blobs", "model=blob"), ("data=line", "model=line")])
def test_models_measured_together_are_recorded_as_those_that_measure_by_themselves(
    common: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (*common, "callbacks=checkpoint", "trainer.max_epochs=2")
    together = make_jobs(given, [*SEEDS, ("seed=3", "evaluate=last")], tmp_path / "together")
    train_stack(together, StackOptions())

    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("src.vmap.record.measure_models", full)
    apart = make_jobs(given, [*SEEDS, ("seed=3", "evaluate=last")], tmp_path / "apart")
    train_stack(apart, StackOptions())
    own = ("metrics", "per_class", "weights", "optimized_metric", "hints", "status")
    for first, second in zip(together, apart, strict=True):
        found, expected = result_of(first.run_dir), result_of(second.run_dir)
        assert {name: found.get(name) for name in own} == {name: expected.get(name) for name in own}
