"""What happens before Hydra makes the directory of a single run."""

from pathlib import Path

import pytest
from hydra.types import RunMode
from omegaconf import DictConfig

from src.config.command.entry import RefusedError
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


def test_a_run_directory_may_be_named_after_values_of_the_run(tmp_path: Path) -> None:
    cfg = single(f"hydra.run.dir='{tmp_path}/${{model.name}}_${{seed}}'")
    BeforeRun().on_run_start(cfg)
    assert cfg.hydra.run.dir == f"{tmp_path}/circle_v2_42"


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


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["hydra/launcher=joblib", "hydra.launcher.n_jobs=0"],
            "hydra.launcher.n_jobs .*: got 0; allowed: a whole number",
        ),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=many"], "hydra.launcher.n_jobs .*: got 'many'"),
        (["hydra/launcher=joblib", "+hydra.launcher.jobs=2"], "hydra.launcher.jobs .*: unknown key, .*n_jobs"),
        (
            ["hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=1.5"],
            "timeout_min .*: got 1.5; allowed: a whole",
        ),
        (["hydra/launcher=ray", "hydra.launcher.ray.remote.num_cpus=-1"], "ray.remote.num_cpus .*: got -1"),
        (
            ["hydra/launcher=vmap", "hydra.launcher.memory_gb=nan"],
            "memory_gb .*: got nan; allowed: null or a number greater",
        ),
        (
            ["hydra/launcher=vmap", "hydra.launcher.engines.joblib.n_jobs=0"],
            "hydra.launcher.engines.joblib.n_jobs .*: got",
        ),
        (
            ["hydra.sweeper.max_batch_size=0"],
            "hydra.sweeper.max_batch_size .*: got 0; allowed: null or a whole number of",
        ),
        (
            ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=x"],
            "hydra.sweeper.n_trials .*: got 'x'; allowed: a whole number",
        ),
        (
            ["hydra/sweeper=optuna", "hydra.sweeper.sampler.seed=-1"],
            "hydra.sweeper.sampler.seed .*: got -1; allowed: null",
        ),
        (["hydra.sweep.dir=''"], "hydra.sweep.dir .*: got ''; allowed: a directory of its own"),
    ],
)
def test_wrong_values_of_sweeper_and_launcher_are_refused(overrides: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=said):
        BeforeRun().on_multirun_start(composed(f"hydra.sweep.dir={tmp_path}/sweep", *overrides))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("launcher", ["joblib", "ray", "submitit_local", "submitit_slurm", "vmap"])
def test_launchers_as_they_are_shipped_pass(launcher: str, tmp_path: Path) -> None:
    BeforeRun().on_multirun_start(composed(f"hydra/launcher={launcher}", f"hydra.sweep.dir={tmp_path}/sweep"))


@pytest.mark.parametrize("line", ["hydra.run.dir=''", "hydra.run.dir=.", "run_dir=''"])
def test_a_run_without_a_directory_of_its_own_is_refused(line: str) -> None:
    with pytest.raises(RefusedError, match=r"dir \(command line: .*\): got '.?'; allowed: a directory of its own"):
        BeforeRun().on_run_start(single(line))
