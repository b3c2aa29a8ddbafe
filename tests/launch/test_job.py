"""A job as it runs in another process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from src.config.compose import CONF_DIR
from src.config.origins import hydra_at
from src.launch.job import JobDiedError, JobSpec, Sweep


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Sweep]:
    """A sweep over seeds, whose jobs give back what they were told."""
    state = Singleton.get_state()
    with hydra_at(CONF_DIR):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration(
            "train", [f"hydra.sweep.dir={tmp_path / 'sweep'}"], run_mode=RunMode.MULTIRUN
        )
        yield Sweep(HydraContext(config_loader=loader, callbacks=Callbacks()), told, config, cwd=tmp_path)
    Singleton.set_state(state)


def told(cfg: DictConfig) -> dict[str, Any]:
    hydra = HydraConfig.get()
    return {"seed": cfg.seed, "run_dir": cfg.run_dir, "id": hydra.job.id, "num": hydra.job.num, "cwd": str(Path.cwd())}


def test_a_job_runs_in_its_directory_with_its_values(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # undone afterwards
    monkeypatch.chdir(Path.cwd())
    result: JobReturn = sweep.run(JobSpec(3, ("seed=7",)), job_id="a_3")
    directory = str(tmp_path / "sweep" / "3")
    assert result.status == JobStatus.COMPLETED
    assert result.return_value == {"seed": 7, "run_dir": directory, "id": "a_3", "num": 3, "cwd": str(tmp_path)}
    assert result.overrides == ["seed=7"]


def test_jobs_are_numbered_and_listed(sweep: Sweep, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        jobs = sweep.announce([["seed=7"], ["seed=8", "hydra.job.name=x"]], first=5)
    assert [job.number for job in jobs] == [5, 6]
    assert "#6 : seed=8" in caplog.text
    assert "hydra" not in caplog.messages[-1]
    assert (tmp_path / "sweep").is_dir()


def test_a_job_that_died_is_returned_with_its_overrides(caplog: pytest.LogCaptureFixture) -> None:
    result = JobSpec(2, ("seed=7",)).died("its node burnt down")
    assert "job 2 (seed=7) died: its node burnt down" in caplog.text
    assert result.status == JobStatus.FAILED
    with pytest.raises(JobDiedError, match="job 2: its node burnt down"):
        _ = result.return_value
