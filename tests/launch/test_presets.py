"""The options of hydra/launcher, as a command finds them."""

import importlib.util
from pathlib import Path

import pytest
import yaml
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher

from hydra_plugins.tolerant_launchers import launchers
from hydra_plugins.tolerant_launchers.launchers import OwnPresets
from src.config.command.explain import Source
from src.config.compose import CONF_DIR
from src.config.errors import ConfigError

PRESETS = ("joblib", "submitit_local", "submitit_slurm", "ray")
CLASSES = ["JoblibLauncher", "SubmititLocalLauncher", "SubmititSlurmLauncher", "RayLauncher"]


@pytest.mark.parametrize(("name", "kind"), list(zip(PRESETS, CLASSES, strict=True)))
def test_an_option_is_its_file_and_makes_its_launcher(name: str, kind: str) -> None:
    # plugins of Hydra's with the same options may be installed; a warning about them would be an error here
    cfg = Source("train", CONF_DIR).compose([f"hydra/launcher={name}"])
    written = yaml.safe_load((CONF_DIR / "hydra" / "launcher" / f"{name}.yaml").read_text())
    assert set(cfg.hydra.launcher) == set(written)
    made = Plugins.instance()._instantiate(cfg.hydra.launcher)
    assert isinstance(made, Launcher)
    assert type(made).__name__ == kind


def test_options_of_other_plugins_give_way() -> None:
    for name in PRESETS:
        ConfigStore.instance().store(group="hydra/launcher", name=name, node={"_target_": "another"}, provider="other")
    OwnPresets().manipulate_search_path(None)  # type: ignore[arg-type]  # it looks at no path
    left = ConfigStore.instance().repo["hydra"]["launcher"]
    assert not {f"{name}.yaml" for name in PRESETS} & set(left)
    assert "basic.yaml" in left


def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cfg = Source("train", CONF_DIR).compose(["hydra/launcher=submitit_slurm", f"hydra.sweep.dir={tmp_path}"])
    launcher = Plugins.instance()._instantiate(cfg.hydra.launcher)
    assert isinstance(launcher, Launcher)
    launcher.setup(hydra_context=None, task_function=None, config=cfg)  # type: ignore[arg-type]
    found = importlib.util.find_spec
    monkeypatch.setattr(launchers, "find_spec", lambda name: None if name == "submitit" else found(name))
    with pytest.raises(ConfigError, match=r"hydra/launcher=submitit_slurm needs the package submitit: .*\[sweeps\]"):
        launcher.launch([["seed=1"]], 0)
