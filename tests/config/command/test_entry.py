"""Entry points: what stays as Hydra has it, and what is ours."""

import os
import re
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from src.config.command.entry import entry
from src.config.resolvers import register_resolvers
from tests.config.tree import Run


def test_the_job_sees_the_environment_of_the_user(start: Run) -> None:
    seen: list[str | None] = []
    start(function=lambda _: seen.append(os.environ.get("HYDRA_FULL_ERROR")))
    assert seen == [None]
    assert "HYDRA_FULL_ERROR" not in os.environ


def test_ctrl_c_ends_with_status_130_and_one_line(start: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def job(_: DictConfig) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        start(function=job)
    assert stop.value.code == 130
    assert capsys.readouterr().err == "Interrupted\n"


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["--help"], "Configuration:"),
        (["--cfg", "job"], "seed: 42"),
        (["--cfg", "job", "-p", "data", "data=large"], "size: 10"),
        (["--hydra-help"], "Hydra"),
    ],
)
def test_flags_work_as_in_hydra(argv: list[str], shown: str, start: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) if argv[0] == "--hydra-help" else pytest.MonkeyPatch.context():
        start(*argv)
    assert shown in capsys.readouterr().out


def test_a_configuration_passes_straight_through(conf: Path) -> None:
    def double(cfg: DictConfig) -> int:
        """Twice x."""
        return int(cfg.x) * 2

    main = entry("train", conf_dir=conf)(double)
    assert main(OmegaConf.create({"x": 2})) == 4
    assert main.__name__ == "double"
    assert main.__doc__ == "Twice x."


def test_unique_is_stable_within_a_run_and_a_sweep_and_differs_between(start: Run) -> None:
    dirs: list[str] = []

    def job(cfg: DictConfig) -> None:
        assert cfg.run_dir == str(Path(cfg.run_dir)) == cfg.run_dir
        dirs.append(cfg.run_dir)

    start(function=job)
    start(function=job)
    start("-m", "seed=1,2", function=job)
    made = [Path(each) for each in dirs]
    assert all(each.is_dir() for each in made)
    assert made[0] != made[1]
    assert made[2].parent == made[3].parent
    assert re.fullmatch(r"\d{4}_[0-9a-f]{6}", made[0].name)
    assert len(list(made[0].parent.iterdir())) == 2
    assert len(list(made[2].parents[1].iterdir())) == 1


def test_unique_does_not_follow_the_seed() -> None:
    import random

    register_resolvers()
    drawn = set()
    for _ in range(2):
        random.seed(0)
        state = random.getstate()
        cfg = OmegaConf.create({"a": "${unique:}", "b": "${unique:}"})
        drawn.add(cfg.a)
        assert cfg.a == cfg.b
        assert random.getstate() == state
    assert len(drawn) == 2


def test_command_line_restores_argv(start: Run) -> None:
    start("run=x", "data.size=3", name="eval")
    assert sys.argv == ["thing.py", "run=x", "data.size=3"]
