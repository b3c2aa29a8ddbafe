"""The typo check: what it says about each kind of mistake."""

import importlib.util
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from src.config.compose import CONF_DIR, compose_train
from src.config.errors import ConfigError, suggest
from src.config.keys import INSTEAD, RENAMED
from src.config.schema import check, unknown
from tests.waiting import completed


def test_checking_imports_no_torch() -> None:
    code = """
        import sys
        from src.config.compose import compose_train
        from src.config.signature import parameters
        assert "lr" in parameters("torch.optim.sgd.SGD")
        compose_train()
        loaded = {"torch", "lightning", "sklearn", "matplotlib", "numpy"} & set(sys.modules)
        assert not loaded, loaded
    """
    done = completed(sys.executable, "-c", dedent(code))
    assert done.returncode == 0, done.stderr


def test_suggest_lists_everything_when_nothing_is_near() -> None:
    assert suggest("lrr", ["lr", "momentum"], prefix="optimizer.") == "did you mean optimizer.lr?"
    assert suggest("zzz", ["lr", "momentum"]) == "allowed: lr, momentum"
    assert suggest("zzz", []) == "allowed: none"


def test_unknown_distinguishes_what_is_there() -> None:
    cfg = OmegaConf.create({"a": {"b": [1], "c": "${a.b}", "d": 1}})
    assert [unknown(cfg, key) for key in ("a.b", "a.b[0]", "a.c.x", "a")] == [None] * 4
    assert unknown(cfg, "a.d.x") == "a.d is a single value"
    assert unknown(cfg, "a.bb") == "did you mean a.b?"


def config(**changes: Any) -> DictConfig:
    """A root that is right but for ``changes``."""
    node = {"_target_": "toy.base.Base", "noise": 0.1, "n_samples": 10}
    root: dict[str, Any] = {
        "task": dict(node),
        "loss": dict(node),
        "data": dict(node),
        "suggested": {"lr": 0.1, "max_epochs": 10},
        "model": {"name": "toy", "task": None, "net": dict(node)},
        "optimizer": {**node, "_partial_": True},
        "scheduler": {},
        "trainer": {**node, "n_samples": "${suggested.max_epochs}"},
        "callbacks": {"early_stopping": dict(node), "off": None},
        "logger": None,
        "seed": 42,
        "compile": False,
        "evaluate": "best",
        "optimized_metric": "val/loss",
        "sweep": {"dry_run": False},
        "run_dir": "${hydra:runtime.output_dir}",
    }
    cfg = OmegaConf.create(root)
    for key, value in changes.items():
        OmegaConf.update(cfg, key.replace("__", "."), value)
    return cfg


def run_check(cfg: DictConfig, *overrides: str, conf_dir: Path = Path("conf"), **choices: str) -> None:
    check(cfg, choices=choices, overrides=overrides, conf_dir=conf_dir)


@pytest.mark.usefixtures("toy")
def test_a_right_configuration_passes() -> None:
    run_check(config())
    run_check(config(seed=0, callbacks={}, logger={}, scheduler=None, evaluate="last", optimized_metric="test/f1"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data__noize": 1}, r"^data.noize: unknown key, not a parameter of Base; did you mean data.noise\?$"),
        ({"modle": 1}, r"modle: unknown key; did you mean model\?"),
        ({"model__nett": 1}, r"model.nett: unknown key; did you mean model.net\?"),
        ({"suggested__epochs": 1}, r"suggested.epochs: unknown key; did you mean suggested.max_epochs\?"),
        ({"model__net__nois": 1}, r"model.net.nois: .* did you mean model.net.noise\?"),
        ({"data__noise": {"_target_": "toy.base.Base", "nois": 1}}, r"data.noise.nois: .* data.noise.noise\?"),
        ({"data__noise": [{"_target_": "toy.base.Base", "nois": 1}]}, r"data.noise\[0\].nois: unknown key"),
        ({"callbacks__early_stoping": {"noise": 1}}, r"no _target_; did you mean callbacks.early_stopping\?"),
        ({"scheduler": {"gamma": 1}}, r"scheduler: scheduler has no _target_; options of scheduler: "),
        ({"optimizer": None}, r"optimizer: optimizer has no _target_; options of optimizer: .*sgd"),
        ({"data__noise": "???"}, r"data.noise: no value; give data.noise="),
        ({"seed": "???"}, r"seed: no value; give seed="),
        ({"data___target_": "toy.base.Bsae"}, r"data._target_: toy.base.Bsae does not exist.* did you mean Base\?"),
        ({"data__noise": "${suggested.lrr}"}, r"data.noise: \$\{suggested.lrr\} leads nowhere; .* suggested.lr\?"),
        ({"seed": -1}, "seed: got -1; allowed: a whole number from 0 to 4294967295"),
        ({"seed": 2**32}, "seed: got 4294967296"),
        ({"seed": True}, "seed: got True"),
        ({"seed": None}, "seed: got None"),
        ({"compile": 1}, "compile: got 1; allowed: true or false"),
        ({"evaluate": "bets"}, "evaluate: got 'bets'; allowed: best or last"),
        ({"optimized_metric": "loss"}, "optimized_metric: got 'loss'; allowed: split/name"),
        ({"optimized_metric": 3}, "optimized_metric: got 3"),
    ],
)
@pytest.mark.usefixtures("toy")
def test_each_mistake_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_check(config(**changes))


@pytest.mark.usefixtures("toy")
def test_all_mistakes_are_listed_once() -> None:
    with pytest.raises(ConfigError) as error:
        run_check(config(data__noize=1, seed="${nothing}", evaluate=1))
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == ["data.noize", "seed", "evaluate"]


@pytest.mark.usefixtures("toy")
def test_a_target_made_of_references_is_left_alone() -> None:
    run_check(config(data___target_="toy.${model.name}", data__anything=1))


@pytest.mark.usefixtures("toy")
def test_missing_extra_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    node = {"_target_": "lightning.pytorch.loggers.mlflow.MLFlowLogger"}
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "mlflow" else find_spec(name))
    with pytest.raises(ConfigError, match=r"logger=mlflow needs the package mlflow: pip install -e .\[mlflow\]"):
        run_check(config(logger={"mlflow": node}), logger="mlflow")


@pytest.mark.parametrize(
    "line", ["+data.noize=1", "++data.noize=1", "+data={noize: 1}", "+data.noize.x=1", "data.noize=1"]
)
@pytest.mark.usefixtures("toy")
def test_an_override_is_named_as_origin(line: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(ConfigError) as error:
        run_check(config(data__noize=1), "data=toy", line, conf_dir=tmp_path)
    assert f"data.noize (command line: {line}): unknown key" in str(error.value)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
    return folder


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"typo": 1}, "typo (conf/train.yaml, line 5)"),
        ({"data__typo": 1}, "data.typo (conf/data/toy.yaml, line 4)"),
        ({"task__typo": 1}, "task.typo (conf/task/loop.yaml, line 2)"),
        ({"trainer__typo": 1}, "trainer.typo (conf/experiment/try.yaml, line 4)"),
        ({"loss__typo": 1}, "loss.typo:"),
        ({"seed": "x"}, "seed (conf/experiment/try.yaml, line 5)"),
    ],
)
@pytest.mark.usefixtures("toy")
def test_the_file_and_line_are_named_as_origin(changes: dict[str, Any], place: str, tmp_path: Path) -> None:
    files = {
        "train": "defaults:\n  - _self_\n  - task: toy\n  - data: toy\ntypo: 1\nseed: 1\n",
        "data/toy": "# @package _global_\ndata:\n  a: 1\n  typo: 1\n",
        "task/loop": "# why\ntypo: 1\n",
        "task/toy": "defaults:\n  - loop\n  - _self_\nb: 1\n",
        "experiment/try": "# @package _global_\ntrainer:\n  max_epochs: 3\n  typo: 1\nseed: x\n",
    }
    conf_dir = write(tmp_path / "conf", files)
    with pytest.raises(ConfigError) as error:
        run_check(config(**changes), "+experiment=try", conf_dir=conf_dir)
    assert place in str(error.value)


@pytest.mark.usefixtures("toy")
def test_no_origin_is_given_where_the_files_do_not_compose(tmp_path: Path) -> None:
    conf_dir = write(tmp_path / "conf", {"train": "defaults:\n  - data: gone\n"})
    with pytest.raises(ConfigError, match=r"^typo: unknown key"):
        run_check(config(typo=1), conf_dir=conf_dir)


@pytest.fixture(scope="module")
def composed() -> DictConfig:
    return compose_train()


@pytest.mark.parametrize("key", INSTEAD)
def test_what_other_templates_call_by_this_key_is_answered_with_what_does_it_here(
    key: str, composed: DictConfig
) -> None:
    """Or what a trainer does that takes the steps, such as clipping, which the task does itself."""
    cfg = composed.copy()
    for asked in (key, f"{key}.below"):
        assert unknown(cfg, asked) == INSTEAD[key]
        assert unknown(cfg, asked, can_add=True) == INSTEAD[key]
    # where it is there, it is no unknown key
    OmegaConf.update(cfg, key, 1, force_add=True)
    assert unknown(cfg, key) is None


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_key_of_an_earlier_version_is_answered_with_its_name_of_today(old: str, new: str) -> None:
    launcher = OmegaConf.load(CONF_DIR / "hydra" / "launcher" / "vmap.yaml")
    tree = {"hydra": {"launcher": OmegaConf.to_container(launcher)}}
    assert unknown(tree, old) == f"it is called {new} now"
    # and that is a key
    assert unknown(tree, new) is None
