"""What happens before Hydra makes the directory of a single run."""

from pathlib import Path

import pytest
from hydra.types import RunMode
from omegaconf import DictConfig

from src.config.entry import RefusedError
from src.config.errors import ConfigError
from src.sweep.before_run import BeforeRun
from tests.sweep.configs import composed

pytestmark = pytest.mark.usefixtures("hydra")


def single(*overrides: str) -> DictConfig:
    return composed(*overrides, mode=RunMode.RUN)


def test_a_mistake_is_carried_past_hydra(tmp_path: Path) -> None:
    config = single("+data.noize=1", f"hydra.run.dir={tmp_path}/run")
    with pytest.raises(RefusedError, match=r"did you mean data\.noise") as refused:
        BeforeRun().on_run_start(config)
    assert isinstance(refused.value.error, ConfigError)
    assert not isinstance(refused.value, Exception)
    assert not list(tmp_path.iterdir())


def test_a_run_that_could_never_end_is_refused(tmp_path: Path) -> None:
    config = single("trainer=ddp", "trainer.num_nodes=2", f"hydra.run.dir={tmp_path}/run")
    with pytest.raises(RefusedError, match="needs processes on all nodes"):
        BeforeRun().on_run_start(config)


def test_what_can_run_passes(tmp_path: Path) -> None:
    config = single(f"hydra.run.dir={tmp_path}/run")
    BeforeRun().on_run_start(config)
    assert not list(tmp_path.iterdir())
    assert "hydra" in config


def test_a_dry_run_checks_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = single("model=blob", f"hydra.run.dir={tmp_path}/run", "sweep.dry_run=true")
    with pytest.raises(SystemExit) as end:
        BeforeRun().on_run_start(config)
    assert end.value.code == 1
    assert "model=blob does not fit data=circles" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sweeper", ["grid", "optuna"])
def test_our_sweepers_are_guarded(sweeper: str, tmp_path: Path) -> None:
    BeforeRun().on_multirun_start(composed(f"hydra/sweeper={sweeper}", f"hydra.sweep.dir={tmp_path}/sweep"))


def test_a_sweeper_that_says_nothing_of_failures_is_refused(tmp_path: Path) -> None:
    config = composed("hydra/sweeper=basic", f"hydra.sweep.dir={tmp_path}/sweep")
    with pytest.raises(RefusedError, match=r"hydra/sweeper=basic: .* use hydra/sweeper=grid"):
        BeforeRun().on_multirun_start(config)
    assert not list(tmp_path.iterdir())
