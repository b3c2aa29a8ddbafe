"""Configurations for notebooks and tests."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.version import getbase
from omegaconf import OmegaConf

from src.compat.hydra import version_base
from src.config.compose import CONF_DIR, compose_train
from src.config.errors import ConfigError


def test_compose_train_needs_no_hydra_application(tmp_path: Path) -> None:
    cfg = compose_train(["data=line", "seed=3"], run_dir=tmp_path / "run")
    assert cfg.run_dir == str(tmp_path / "run")
    assert cfg.seed == 3
    assert "hydra" not in cfg
    OmegaConf.to_container(cfg, resolve=True)


def test_compose_train_picks_a_new_directory_and_makes_none() -> None:
    first, second = (Path(compose_train().run_dir) for _ in range(2))
    assert first != second
    assert not first.exists()


def test_compose_train_leaves_an_initialised_hydra_alone(conf: Path) -> None:
    with initialize_config_dir(str(conf), **version_base()):
        compose_train()
        with pytest.raises(ConfigError, match=r"data.noize \(command line: \+data.noize=1\)"):
            compose_train(["+data.noize=1"])
        assert GlobalHydra.instance().is_initialized()
        assert compose("train").data._target_ == "thing.Thing"
    # from Hydra 1.4 on there is one behaviour, whoever asks
    with initialize_config_dir(str(conf), **dict.fromkeys(version_base(), "1.2")):
        before = str(getbase())
        assert before == "1.2" or not version_base()
        compose_train()
        assert str(getbase()) == before
    assert not GlobalHydra.instance().is_initialized()


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("data.noize=1", r"did you mean data.noise\?"),
        ("model=circle_v9", r"did you mean circle_v\d\? options of model: blob"),
        ("trainer.max_epoch=1", r"did you mean trainer.max_epochs\?"),
        ("+optimizer.lrr=1", r"not a parameter of SGD; did you mean optimizer.lr\?"),
        ("data.noise=[", "no viable alternative"),
    ],
)
def test_compose_train_raises_what_the_command_line_shows(line: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        compose_train([line])


def test_a_typo_beside_options_of_another_folder_is_answered_with_the_nearest_key(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    text = (CONF_DIR / "data" / "circles.yaml").read_text()
    (tmp_path / "data" / "hoops.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"data\.nois .*did you mean data\.noise\?"):
        compose_train([f"hydra.searchpath=[file://{tmp_path}]", "data=hoops", "data.nois=0.1"])
