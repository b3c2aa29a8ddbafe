"""A run directory that somebody else has made runs nothing, whichever command reads it."""

import copy
import json
import os
import pickle
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
import yaml
from omegaconf import DictConfig, OmegaConf

from src.compat.hydra import instantiate
from src.compat.optuna import check_pickles
from src.config.compose import compose_train
from src.config.errors import ConfigError
from src.config.stored import TRUSTED, trusted_modules
from src.draw import draw
from src.eval import evaluate
from src.report import report
from src.run.directory import RunDir
from src.run.trial import TrialLink, open_storage
from src.tasks.checkpoint import load_checkpoint
from src.train import train

STORED = Path(__file__).parent / "stored" / "run"


class Gadget:
    """Unpickled, it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, int]]:
        return os.mkdir, (str(self.canary), 0o755)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """Is there once something has run."""
    return tmp_path / "canary"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED, tmp_path / "run"))


def asked(run: Path, **more: Any) -> DictConfig:
    given = {"run": str(run), "checkpoint": "best", "overrides": [], "pictures": None, "trusted_modules": [], **more}
    return OmegaConf.create(given)


def put(run: Path, key: str, value: Any) -> None:
    """Put something into the stored configuration."""
    file = run / ".hydra" / "config.yaml"
    tree = yaml.safe_load(file.read_text())
    *above, last = key.split(".")
    node = tree
    for name in above:
        node = node.setdefault(name, {})
    node[last] = value
    file.write_text(yaml.safe_dump(tree))


def refused(run: Path, canary: Path, match: str = "") -> str:
    """Evaluate and draw; both must refuse, and leave nothing."""
    before = listing(run)
    messages = []
    for command in (evaluate, draw):
        with pytest.raises(ConfigError, match=match) as error:
            command(asked(run))
        messages.append(str(error.value))
    assert not canary.exists()
    assert listing(run) == before
    return messages[0]


def listing(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def touch(canary: Path) -> str:
    return f"mkdir {canary}"


def code(canary: Path) -> str:
    return f"__import__('os').mkdir({str(canary)!r})"


def pickled(canary: Path) -> str:
    path = canary.with_name("gadget.pkl")
    path.write_bytes(pickle.dumps(Gadget(canary)))
    return str(path)


def call(name: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"_target_": name, **({"_args_": list(args)} if args else {}), **kwargs}


Gadgets = dict[str, Callable[[Path], dict[str, Any]]]

GADGETS: Gadgets = {
    # those that were tried on this project
    "collect_env": lambda c: call("torch.utils.collect_env.run", touch(c)),
    "asyncio": lambda c: call("asyncio.run", call("asyncio.create_subprocess_shell", touch(c))),
    "pandas": lambda c: call("pandas.read_pickle", pickled(c)),
    "joblib": lambda c: call("joblib.load", pickled(c)),
    "torch.load": lambda c: call("torch.load", pickled(c), weights_only=False),
    "numpy.load": lambda c: call("numpy.load", pickled(c), allow_pickle=True),
    "open": lambda c: call("builtins.open", str(c), "w"),
    "write_text": lambda c: call("pathlib.Path.write_text", call("pathlib.Path", str(c)), "x"),
    "sympify": lambda c: call("sympy.sympify", code(c)),
    "distutils": lambda c: call("setuptools._distutils.spawn.spawn", ["mkdir", str(c)]),
    # commands
    "os.system": lambda c: call("os.system", touch(c)),
    "posix.system": lambda c: call("posix.system", touch(c)),
    "os.popen": lambda c: call("os.popen", touch(c)),
    "os.execv": lambda c: call("os.execv", "/bin/mkdir", ["mkdir", str(c)]),
    "os.spawnv": lambda c: call("os.spawnv", 0, "/bin/mkdir", ["mkdir", str(c)]),
    "subprocess.run": lambda c: call("subprocess.run", ["mkdir", str(c)]),
    "subprocess.Popen": lambda c: call("subprocess.Popen", ["mkdir", str(c)]),
    "subprocess.getoutput": lambda c: call("subprocess.getoutput", touch(c)),
    "pty.spawn": lambda c: call("pty.spawn", ["mkdir", str(c)]),
    "torch_subprocess": lambda c: call("torch.utils.collect_env.subprocess.Popen", ["mkdir", str(c)]),
    "elastic": lambda c: call("torch.distributed.elastic.multiprocessing.start_processes", "x", "mkdir", {0: [str(c)]}),
    "torchrun": lambda c: call("torch.distributed.run.main", ["--no-python", "mkdir", str(c)]),
    "cpp_extension": lambda c: call("torch.utils.cpp_extension.load_inline", "x", code(c)),
    "multiprocessing": lambda c: call("torch.multiprocessing.spawn", call("os.mkdir", str(c), _partial_=True)),
    # code
    "eval": lambda c: call("builtins.eval", code(c)),
    "exec": lambda c: call("builtins.exec", code(c)),
    "compile": lambda c: call("builtins.compile", code(c), "x", "exec"),
    "timeit": lambda c: call("timeit.timeit", code(c), number=1),
    "profile": lambda c: call("cProfile.run", code(c)),
    "runpy": lambda c: call("runpy.run_path", str(c.with_name("evil.py"))),
    "numexpr": lambda c: call("pandas.eval", code(c)),
    "fx": lambda c: call("torch.fx.graph_module._exec_with_source", code(c), {}),
    "named_tuple": lambda c: call("collections.namedtuple", "x", code(c)),
    "ctypes": lambda c: call("ctypes.CDLL", str(c)),
    "dataclass": lambda c: call("dataclasses.make_dataclass", "x", [code(c)]),
    # pickles
    "pickle": lambda c: call("pickle.load", call("builtins.open", pickled(c), "rb")),
    "pickle.loads": lambda c: call("pickle.loads", pickle.dumps(Gadget(c)).hex()),
    "dill": lambda c: call("dill.load", pickled(c)),
    "jit": lambda c: call("torch.jit.load", pickled(c)),
    "serialization": lambda c: call("torch.serialization.load", pickled(c), weights_only=False),
    "package": lambda c: call("torch.package.PackageImporter", pickled(c)),
    "hub": lambda c: call("torch.hub.load", str(c.parent), "evil", source="local"),
    "yaml": lambda c: call("yaml.unsafe_load", f"!!python/object/apply:os.mkdir [{c}]"),
    "from_checkpoint": lambda c: call("lightning.pytorch.LightningModule.load_from_checkpoint", pickled(c)),
    "task_checkpoint": lambda c: call("src.tasks.binary.BinaryClassification.load_from_checkpoint", pickled(c)),
    "cloud_io": lambda c: call("lightning.fabric.utilities.cloud_io._load", pickled(c)),
    # files
    "torch.save": lambda c: call("torch.save", {}, str(c)),
    "shutil": lambda c: call("shutil.copytree", str(c.parent / "run"), str(c)),
    "mkdir": lambda c: call("os.makedirs", str(c)),
    "memmap": lambda c: call("numpy.memmap", str(c), "uint8", "w+", shape=[1]),
    "savetxt": lambda c: call("numpy.savetxt", str(c), [1.0]),
    "logging": lambda c: call("logging.FileHandler", str(c)),
    "sqlite": lambda c: call("sqlite3.connect", str(c)),
    "summary_writer": lambda c: call("torch.utils.tensorboard.SummaryWriter", str(c)),
    "csv_logger": lambda c: call("lightning.fabric.loggers.csv_logs.CSVLogger", str(c)),
    "profiler": lambda c: call("lightning.pytorch.profilers.SimpleProfiler", str(c), "x"),
    "own_files": lambda c: call("src.run.files.write_atomically", call("pathlib.Path", str(c)), "x"),
    "own_files_alone": lambda c: call("src.run.files.write_atomically", str(c), "x"),
    "own_checkpoint": lambda c: call("src.tasks.checkpoint.save_checkpoint", str(c), {}),
    "own_process": lambda c: call("src.launch.ranks.run_as_command", touch(c), [], str(c)),
    # detours
    "instantiate": lambda c: call("hydra.utils.instantiate", {"_target_": "os.mkdir", "path": str(c)}),
    "own_build": lambda c: call("src.build.build_loss", {"loss": call("os.mkdir", str(c))}),
    "own_builder": lambda c: call("src.build.build_net", {"seed": 1, "model": {"net": call("os.mkdir", str(c))}}, None),
    "partial": lambda c: call("functools.partial", call("os.mkdir", _partial_=True), str(c)),
    "partial_flag": lambda c: call("os.mkdir", path=str(c), _partial_=True),
    "not_recursive": lambda c: {**call("torch.nn.Sequential", call("os.mkdir", str(c))), "_recursive_": False},
    "converted": lambda c: {**call("torch.nn.Sequential", call("os.mkdir", str(c))), "_convert_": "object"},
    "in_a_list": lambda c: call("torch.nn.Sequential", [{"x": [call("os.mkdir", str(c))]}]),
    "methodcaller": lambda c: call("operator.methodcaller", "mkdir", str(c)),
    "attribute": lambda c: call("torch.serialization.os.mkdir", str(c)),
    "attribute_of_class": lambda c: call("src.run.directory.Path.mkdir", str(c)),
    "private": lambda c: call("torch._utils_internal.os.mkdir", str(c)),
    "dunder": lambda c: call("torch.nn.Module.__init__.__globals__", str(c)),
    "examples": lambda c: call("lightning.pytorch.demos.mnist_datamodule.MNISTDataModule", str(c)),
    "module": lambda c: call("src.train", str(c)),
    "one_word": lambda c: call("exec", code(c)),
    "spaces": lambda c: call(" os.mkdir", str(c)),
    "no_text": lambda c: {"_target_": ["os.mkdir"], "_args_": [str(c)]},
    "a_mapping": lambda c: {"_target_": call("os.mkdir", str(c))},
}

# At which they are put, one after the other.
KEYS = ("model.net", "data", "loss", "optimizer", "scheduler", "task", "trainer", "callbacks.x", "logger.x")


def test_what_the_gadgets_do_where_nobody_looks(canary: Path) -> None:
    instantiate(call("torch.utils.collect_env.run", touch(canary)))
    assert canary.is_dir()


@pytest.mark.parametrize("name", GADGETS)
def test_a_class_that_a_strangers_configuration_names_is_not_called(name: str, run: Path, canary: Path) -> None:
    key = KEYS[list(GADGETS).index(name) % len(KEYS)]
    put(run, key, GADGETS[name](canary))
    assert f"{key}." in refused(run, canary, "is not used:")


def test_names_are_judged_before_anything_is_imported(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(run, "callbacks.x", {"_target_": "decimal.Decimal"})
    put(run, "model.net", {"_target_": "torch.nn.no_such_module.Net"})
    monkeypatch.setattr("importlib.import_module", lambda name, *_: pytest.fail(f"{name} was imported"))
    with pytest.raises(ConfigError, match=r"callbacks\.x\._target_: 'decimal\.Decimal' is in none"):
        RunDir(run).config()


@pytest.mark.parametrize(
    "key", [*KEYS, "model.net.hidden", "trainer.profiler", "suggested.x", "hydra.callbacks.x", "x"]
)
@pytest.mark.parametrize("name", ["collect_env", "os.system", "own_checkpoint"])
def test_it_is_not_called_at_any_key(key: str, name: str, run: Path, canary: Path) -> None:
    put(run, key, GADGETS[name](canary))
    refused(run, canary, f"{key}._target_: ")


@pytest.mark.parametrize(
    ("key", "target", "allowed"),
    [
        ("data", "torch.nn.modules.linear.Linear", "LightningDataModule"),
        ("model.net", "src.data.circles.CirclesDataModule", "Module"),
        ("loss", "torch.optim.sgd.SGD", "Module"),
        ("optimizer", "torch.optim.lr_scheduler.StepLR", "Optimizer"),
        ("scheduler", "src.tasks.losses.loss_of_samples", "LRScheduler"),
        ("task", "torch.nn.modules.linear.Linear", "LightningModule"),
        ("trainer", "lightning.pytorch.callbacks.EarlyStopping", "Trainer"),
        ("callbacks.x", "lightning.pytorch.loggers.CSVLogger", "Callback"),
        ("logger.x", "lightning.pytorch.callbacks.ModelCheckpoint", "Logger"),
    ],
)
def test_a_class_of_another_kind_is_refused_with_what_is_allowed(
    key: str, target: str, allowed: str, run: Path, canary: Path
) -> None:
    put(run, key, {"_target_": target})
    refused(run, canary, rf"{key}\._target_: {target} is .*; allowed: a {allowed}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.name", "${oc.env:HOME}"),
        ("data.noise", "${oc.create:'{_target_: os.mkdir}'}"),
        ("data", "${oc.create:'{_target_: os.mkdir}'}"),
        ("data.noise", "${oc.decode:'${oc.env:HOME}'}"),
        ("data.noise", "${unique:}"),
        ("data.noise", "${now:%Y}"),
        ("data.noise", "${hydra:runtime.cwd}"),
        ("data.noise", "${ oc.env:HOME}"),
        ("data.noise", "${o${model.name}:HOME}"),
        ("data.noise", "\\${oc.env:HOME}"),
        ("data.noise", "a ${seed} ${oc.env:HOME}"),
        ("loss._target_", "${oc.env:HOME}"),
        ("data.noise", "${"),
        ("data.noise", "${${seed}}"),
        ("data.noise", "${data.noise}"),
        ("data.noise", "${nowhere.to.be.found}"),
        ("data.noise", "${....seed}"),
    ],
)
def test_a_reference_leads_to_another_key_or_is_refused(key: str, value: str, run: Path, canary: Path) -> None:
    put(run, key, value)
    refused(run, canary, rf"config\.yaml is not used:\n  {key}: ")


def test_a_reference_that_two_others_make_is_refused(run: Path, canary: Path) -> None:
    put(run, "suggested.a", "$")
    put(run, "suggested.b", "{oc.env:HOME}")
    put(run, "data.noise", "${suggested.a}${suggested.b}")
    refused(run, canary, r"data\.noise: .* makes another reference")


def test_a_class_behind_a_reference_is_judged_where_it_arrives(run: Path, canary: Path) -> None:
    put(run, "suggested.net", call("os.mkdir", str(canary)))
    put(run, "model.net", "${suggested.net}")
    refused(run, canary, r"model\.net\._target_: 'os\.mkdir' is in none of the packages")
    put(run, "suggested.net", "os.mkdir")
    put(run, "model.net", {"_target_": "${suggested.net}", "_args_": [str(canary)]})
    refused(run, canary, r"model\.net\._target_: 'os\.mkdir' is in none of the packages")
    put(run, "suggested.net", "x")
    put(run, "model.net", "${loss}")
    put(run, "loss", "${trainer}")
    refused(run, canary, r"loss\._target_: lightning\.\S+Trainer is a class of another kind")


@pytest.mark.slow
def test_references_that_mean_gigabytes_are_refused(run: Path, canary: Path) -> None:
    put(run, "suggested.x0", {"a": 1, "b": 2})
    for i in range(1, 40):
        put(run, f"suggested.x{i}", {"a": f"${{suggested.x{i - 1}}}", "b": f"${{suggested.x{i - 1}}}"})
    refused(run, canary, "to more than any configuration holds")
    for i in range(40):
        put(run, f"suggested.x{i}", f"${{suggested.x{i - 1}}}" * 9 if i else "x" * 9)
    refused(run, canary, "is no word in a text|refers to more than")


def test_relative_references_and_texts_around_them_are_followed(run: Path) -> None:
    put(run, "data.noise", "${.factor}")
    put(run, "data.factor", "${..suggested.factor}")
    put(run, "suggested.factor", 0.8)
    put(run, "model.name", "a ${seed} b")
    cfg = RunDir(run).config()
    assert (cfg.data.noise, cfg.model.name) == (0.8, "a 42 b")


# Modules that a stranger has laid beside the configuration


def evil(folder: Path, canary: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evil_net.py").write_text(
        f"import os, torch\nos.mkdir({str(canary)!r})\nclass Net(torch.nn.Linear):\n    pass\n"
    )


def test_a_module_of_the_current_folder_is_not_imported(
    run: Path, canary: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    evil(tmp_path / "here", canary)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend("")
    put(run, "model.net", {"_target_": "evil_net.Net", "in_features": 2, "out_features": 1})
    refused(run, canary, r"evil_net\.Net' is in none of the packages.*trusted_modules=\[evil_net\]")
    assert "evil_net" not in sys.modules


def test_a_module_of_the_run_directory_is_not_imported_even_where_its_name_is_trusted(
    run: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil(run, canary)
    monkeypatch.chdir(run)
    monkeypatch.syspath_prepend(str(run))
    put(run, "model.net", {"_target_": "evil_net.Net", "in_features": 2, "out_features": 1})
    with pytest.raises(ConfigError, match="lies in the run directory itself"):
        evaluate(asked(run, trusted_modules=["evil_net"]))
    assert not canary.exists()


def test_a_run_below_this_projects_own_package_does_not_bring_modules(
    run: Path, canary: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import src

    monkeypatch.setattr(src, "__path__", [*src.__path__, str(tmp_path)])
    evil(run, canary)
    put(run, "model.net", {"_target_": "src.run.evil_net.Net", "in_features": 2, "out_features": 1})
    monkeypatch.setattr("importlib.util.find_spec", lambda _: src.__spec__)
    monkeypatch.setattr(src.__spec__, "submodule_search_locations", list(src.__path__))
    with pytest.raises(ConfigError, match="lies in the run directory itself"):
        RunDir(run).config()


# What the user says


def test_a_package_that_the_user_trusts_is_used(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(run, "loss", {"_target_": "tests.test_own_code.OwnLoss"})
    with pytest.raises(ConfigError, match=r"trusted_modules=\[tests\]"):
        evaluate(asked(run))
    assert evaluate(asked(run, trusted_modules=["tests"])).metrics["test/loss"] > 0
    assert evaluate(asked(run, trusted_modules="tests.test_own_code")).metrics["test/loss"] > 0
    with pytest.raises(ConfigError, match="is in none of the packages"):
        evaluate(asked(run, trusted_modules=["tests.test_own"]))
    monkeypatch.setenv(TRUSTED, "elsewhere, tests")
    assert evaluate(asked(run)).metrics["test/loss"] > 0


def test_a_trusted_package_brings_classes_of_the_right_kind_alone(run: Path, canary: Path) -> None:
    put(run, "loss", {"_target_": "tests.test_stranger.touch", "canary": str(canary)})
    with pytest.raises(ConfigError, match="is a function that does not say it makes the right kind"):
        evaluate(asked(run, trusted_modules=["tests"]))
    put(run, "loss", {"_target_": "tests.test_stranger.os.mkdir", "path": str(canary)})
    with pytest.raises(ConfigError, match="cannot be imported"):
        evaluate(asked(run, trusted_modules=["tests"]))
    assert not canary.exists()


def test_a_resolver_that_the_user_trusts_is_called(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME_OF_MODEL", "mine")
    put(run, "model.name", "${oc.env:NAME_OF_MODEL}")
    assert RunDir(run).config(trusted=["oc.env"]).model.name == "mine"
    put(run, "loss._target_", "${oc.env:NAME_OF_MODEL}")
    with pytest.raises(ConfigError, match=r"loss\._target_"):
        RunDir(run).config(trusted=["oc.env"])


@pytest.mark.parametrize("given", [3, ["a b"], ["os; x"], [3], ["/x"], [""]])
def test_a_trusted_module_is_a_name(given: Any) -> None:
    with pytest.raises(ConfigError, match=r"trusted_modules.*allowed: "):
        trusted_modules(given)


def test_ones_own_override_may_name_anything(run: Path) -> None:
    overrides = ["loss._target_=tests.test_own_code.OwnLoss"]
    assert evaluate(asked(run, overrides=overrides)).metrics["test/loss"] > 0


def test_a_factory_of_this_project_is_no_stranger(run: Path) -> None:
    node = {
        "_target_": "src.tasks.schedulers.sequential",
        "_partial_": True,
        "milestones": [10],
        "schedulers": [
            {"_target_": "torch.optim.lr_scheduler.ConstantLR", "_partial_": True},
            {"_target_": "torch.optim.lr_scheduler.ExponentialLR", "_partial_": True, "gamma": 0.9},
        ],
    }
    put(run, "scheduler", node)
    before = evaluate(asked(run)).metrics
    put(run, "scheduler", {})
    assert evaluate(asked(run)).metrics == before


# The other commands


@pytest.mark.slow
def test_a_report_of_a_strangers_sweep_calls_nothing(tmp_path: Path, canary: Path) -> None:
    for i, name in enumerate(GADGETS):
        run = Path(shutil.copytree(STORED, tmp_path / "sweep" / str(i)))
        put(run, KEYS[i % len(KEYS)], GADGETS[name](canary))
    (tmp_path / "sweep" / "multirun.yaml").write_text(yaml.safe_dump({"hydra": GADGETS["os.system"](canary)}))
    report(OmegaConf.create({"sweep": str(tmp_path / "sweep"), "metric": None}))
    assert not canary.exists()


def test_a_repeated_training_uses_its_own_configuration_alone(tmp_path: Path, canary: Path) -> None:
    cfg = compose_train(["logger=none", "callbacks=none", "trainer.max_epochs=1"], run_dir=tmp_path / "mine")
    train(copy.deepcopy(cfg))
    put(tmp_path / "mine", "callbacks.x", GADGETS["collect_env"](canary))
    with pytest.raises(ConfigError, match=r"holds a run of another configuration:\n  callbacks\.x"):
        train(cfg)
    assert not canary.exists()


def test_a_command_to_copy_is_one_of_this_project(tmp_path: Path) -> None:
    from src.analysis.page.origin import commands

    shutil.copytree(STORED, tmp_path / "0")
    stored = {"hydra": {"overrides": {"hydra": [], "task": []}, "job": {"name": "train; mkdir x"}}}
    (tmp_path / "multirun.yaml").write_text(yaml.safe_dump(stored))
    assert commands([tmp_path], []) == []


@pytest.mark.parametrize("save", [torch.save, lambda tree, path: path.write_bytes(pickle.dumps(tree, protocol=2))])
def test_a_checkpoint_that_would_run_something_is_refused_without_advice(
    save: Callable[[Any, Path], object], tmp_path: Path, canary: Path
) -> None:
    path = tmp_path / "best.ckpt"
    save({"state_dict": {}, "more": Gadget(canary)}, path)
    with pytest.raises(
        ConfigError, match=r"best\.ckpt cannot be read as a checkpoint.*(asks for posix\.mkdir|not a zip file)"
    ) as error:
        load_checkpoint(path)
    assert "weights_only" not in str(error.value)
    assert "likely" not in str(error.value)
    assert not canary.exists()


# Searches


def link(run: Path, **changes: Any) -> None:
    given = {"storage": "x", "study": "s", "number": 0, "monitor": "val/loss", "pruner": {"_target_": "NopPruner"}}
    (run / "trial.json").write_text(json.dumps({**given, **changes}))


@pytest.mark.parametrize("storage", ["sqlite:///{}", "journal://{}"])
def test_a_strangers_trial_makes_no_database(storage: str, tmp_path: Path, canary: Path) -> None:
    link(tmp_path, storage=storage.format(canary))
    found = TrialLink.read(tmp_path)
    assert found is not None
    with pytest.raises(ConfigError, match="there is no such file"):
        open_storage(found.storage, is_new=False)
    assert not canary.exists()


def test_a_strangers_trial_names_its_storage_as_searches_do(tmp_path: Path, canary: Path) -> None:
    link(tmp_path, storage=f"sqlite+pysqlite:///{canary}")
    with pytest.raises(ConfigError, match=r"trial\.json cannot be read: storage is written as no search does"):
        TrialLink.read(tmp_path)


def test_a_database_with_programs_of_its_own_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    optuna.create_study(storage=open_storage(f"sqlite:///{path}"), study_name="s")
    with sqlite3.connect(path) as database:
        database.execute("CREATE TRIGGER t AFTER INSERT ON trials BEGIN DELETE FROM studies; END")
    database.close()
    with pytest.raises(ConfigError, match=r"study\.db cannot be opened: it holds trigger"):
        open_storage(f"sqlite:///{path}")


def test_a_state_of_cma_es_that_would_run_something_is_refused(canary: Path) -> None:
    study = optuna.create_study()
    study.add_trial(
        optuna.trial.create_trial(
            value=1.0, system_attrs={"cma:optimizer:0": pickle.dumps(Gadget(canary)).hex(), "cma:generation": 1}
        )
    )
    with pytest.raises(pickle.UnpicklingError, match=r"asks for posix\.mkdir"):
        check_pickles(study.get_trials())
    assert not canary.exists()


@pytest.mark.parametrize("options", [{}, {"with_margin": True}, {"use_separable_cma": True}, {"lr_adapt": True}])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_state_of_cma_es_that_optuna_has_written_is_read(options: dict[str, bool]) -> None:
    sampler = optuna.samplers.CmaEsSampler(seed=1, n_startup_trials=1, **options)  # type: ignore[arg-type]
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: trial.suggest_float("a", 0, 1) + trial.suggest_float("b", 0, 1), n_trials=15)
    assert any("optimizer" in key for trial in study.get_trials() for key in trial._system_attrs)
    check_pickles(study.get_trials())
