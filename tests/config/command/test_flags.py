"""Flags of Hydra that are answered with another command."""

import pickle
import re
from pathlib import Path

import pytest

from src.config.command.flags import refuse_flags, refuse_unknown_root, with_flags_first
from src.config.compose import CONF_DIR
from src.config.errors import ConfigError


def refuse(*argv: str, name: str = "train") -> None:
    refuse_flags(argv, name=name, conf_dir=CONF_DIR)


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("the pickle was read",))


@pytest.mark.parametrize("flag", ["--experimental-rerun={}", "--exp={}"])
def test_a_stored_job_is_not_unpickled_and_its_command_is_told(flag: str, tmp_path: Path) -> None:
    file = tmp_path / ".hydra" / "config.pickle"
    file.parent.mkdir()
    file.write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(ConfigError, match=r"python -m src\.train with the overrides in \.hydra/overrides\.yaml"):
        refuse(flag.format(file))
    (file.parent / "overrides.yaml").write_text("- model=mlp\n- model.net.hidden=[8, 8]\n")
    with pytest.raises(
        ConfigError, match=r"same run is: python -m src\.train model=mlp 'model\.net\.hidden=\[8, 8\]'$"
    ):
        refuse(flag.format(file))


@pytest.mark.parametrize(
    ("name", "argv", "command"),
    [
        ("train", ("--config-name", "draw", "run=x"), "python -m src.draw run=x"),
        ("train", ("run=x", "-cn", "eval.yaml"), "python -m src.eval run=x"),
        ("train", ("--config-name=report",), "python -m src.report"),
        ("draw", ("-m", "--config-n=train", "seed=1,2"), "python -m src.train -m seed=1,2"),
    ],
)
def test_the_file_of_another_command_is_answered_with_that_command(
    name: str, argv: tuple[str, ...], command: str
) -> None:
    with pytest.raises(ConfigError, match=r"--config-name=\w+: conf/\w+\.yaml belongs to another command") as refused:
        refuse(*argv, name=name)
    assert str(refused.value).endswith(f": {command}")


@pytest.mark.parametrize(
    "argv", [("--config-name", "train"), ("-cn=train.yaml",), ("--config-name=own",), ("--cfg", "job")]
)
def test_other_files_and_flags_are_left_to_hydra(argv: tuple[str, ...]) -> None:
    refuse(*argv)


@pytest.mark.parametrize(
    ("asked", "hint"), [("trian", "did you mean train?"), ("zzz", "allowed: train"), ("wavs.yaml", "allowed: train")]
)
def test_a_root_file_that_is_not_there_is_answered_with_the_nearest(asked: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"no such file in conf; {hint}")):
        refuse_unknown_root([f"--config-name={asked}"], name="train", conf_dir=CONF_DIR)
    refuse_unknown_root(["--config-name=train", "seed=1"], name="train", conf_dir=CONF_DIR)
    refuse_unknown_root(["--config-path=/elsewhere", f"-cn={asked}"], name="train", conf_dir=CONF_DIR)


def test_the_flag_of_a_sweep_may_stand_anywhere() -> None:
    assert with_flags_first(["seed=1,2", "-m", "model=mlp", "--cfg", "job"]) == [
        *("-m", "seed=1,2", "model=mlp", "--cfg", "job")
    ]
    assert with_flags_first(["seed=1"]) == ["seed=1"]
