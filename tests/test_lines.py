"""Whatever a command line gives a key: it is refused in words that help, or it runs.

What was refused leaves nothing that stands in the way of the corrected command in the same directory.
"""

import contextlib
import functools
import io
import logging
import os
import pickle
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf, open_dict

from src.build import build
from src.compat.hydra import apply_overrides
from src.compat.quiet import quiet_lightning
from src.config.command.explain import Source, parse
from src.config.compose import CONF_DIR
from src.config.errors import ConfigError
from src.config.keys import flatten
from src.config.schema import problems
from src.launch.ranks import wants_many
from src.run.directory import RunDir
from src.tasks.finite import NonFiniteLossError
from src.train import main, train
from tests.shipped import groups

TRAIN = Source("train", CONF_DIR)

# Options whose keys are tried; together all that are shipped and need no further package and no GPU.
CHOICES: tuple[tuple[str, ...], ...] = (
    (),
    ("model=mlp", "optimizer=adam", "scheduler=step", "callbacks=early_stopping", "trainer=cpu"),
    ("data=blobs", "model=blob", "optimizer=lbfgs", "scheduler=cosine", "callbacks=histograms", "logger=tensorboard"),
    ("data=line", "model=line", "loss=huber", "optimizer=rmsprop", "scheduler=plateau", "debug=limit", "logger=csv"),
    ("model=circle_v0", "loss=brier", "optimizer=adamw", "scheduler=warmup_cosine", "debug=profiler"),
    ("data=line", "model=mlp", "loss=mse", "callbacks=none", "logger=none", "debug=overfit"),
    ("model=circle_v1", "logger=csv", "debug=breakpoint"),
    ("data=blobs", "model=mlp", "loss=cross_entropy", "logger=csv", "debug=detect_anomaly"),
    ("data=line", "model=line", "loss=l1", "logger=csv", "debug=fast_dev_run"),
    ("data=circles", "model=circle_v1", "loss=bce", "optimizer=sgd", "scheduler=none", "callbacks=default"),
    ("model=circle_v2", "logger=default", "trainer=ddp"),
    ("data=moons", "model=mlp", "logger=csv", "debug=breakpoint"),
    ("data=xor", "model=mlp", "optimizer=adam", "callbacks=none"),
    ("data=gauss", "model=mlp", "loss=of_data", "logger=csv"),
    ("data=spirals", "model=mlp", "optimizer=adam", "logger=none"),
    ("data=checkerboard", "model=mlp", "callbacks=none", "logger=csv"),
    ("data=plane", "model=mlp", "loss=mse", "logger=none"),
    ("data=multi_gauss", "model=mlp", "loss=l1", "logger=csv"),
    ("data=sine", "model=mlp", "loss=huber", "logger=csv"),
    ("data=iris", "model=mlp", "task=of_data", "features=squares", "callbacks=none"),
    ("data=wine", "model=mlp", "loss=of_data", "features=sines", "logger=none"),
    ("data=breast_cancer", "model=mlp", "features=fourier", "logger=csv"),
    ("data=digits", "model=mlp", "features=none", "callbacks=none", "logger=csv"),
    ("data=diabetes", "model=mlp", "features=polynomial", "logger=none"),
    ("data=table", "data.path='sklearn:iris'", "data.target=target", "model=mlp", "features=playground", "logger=csv"),
    ("task=binary", "logger=csv"),
    ("data=line", "task=regression", "model=line", "logger=none"),
    ("data=blobs", "task=multiclass", "model=mlp", "callbacks=none"),
)

# Sweepers and launchers, of which a dry run is asked; those that run jobs here also run the corrected command.
SWEEPS: tuple[tuple[str, ...], ...] = (
    ("hydra/sweeper=grid",),
    ("hydra/launcher=vmap",),
    ("hydra/launcher=joblib",),
    ("hydra/launcher=submitit_local",),
    ("hydra/launcher=submitit_slurm",),
    ("hydra/sweeper=optuna", "hydra/sweeper/sampler=tpe", "hydra/sweeper/pruner=median"),
    ("hydra/sweeper=optuna", "hydra/sweeper/sampler=cmaes", "hydra/sweeper/pruner=hyperband"),
    ("hydra/sweeper=optuna", "hydra/sweeper/sampler=nsgaii"),
    ("hydra/sweeper=optuna", "hydra/sweeper/sampler=random", "hydra/launcher=vmap"),
    ("hydra/sweeper=optuna", "hydra/sweeper/sampler=grid"),
)

# What people write, and what nobody means.
WORDS = (
    *("0", "1", "-1", "2", "3", "0.5", "1.0", "1.5", "-0.1", "1e-3", "1e12", "1e39", "100000000000000000000"),
    *("9" * 400, "nan", "inf", "-inf", "null", "true", "false", "True", "abc", "''", "'1e-3'", "'3'", "None", "auto"),
    *("val/loss", "val/accuracy", "max", "sum", "relu", "[]", "[1]", "[0]", "[8,8]", "[0.9,0.99]", "[a,b]", "[[1]]"),
    *("[null]", "{}", "{a: 1}", "{_target_: nowhere.Thing}", "${seed}", "${nowhere}", "${suggested.lr}", "???"),
    *("'a b'", "é"),
)
values = (
    st.sampled_from(WORDS)
    | st.integers().map(str)
    | st.floats().map(str)
    | st.integers(-2, 2000).map(str)
    | st.floats(0, 1).map(str)
    | st.lists(st.integers(-1, 20), max_size=3).map(lambda numbers: str(numbers).replace(" ", ""))
)

# Parameters that the YAML files leave out.
MORE = (
    *("+trainer.limit_val_batches", "+trainer.overfit_batches", "+trainer.deterministic", "+trainer.max_steps"),
    *("+trainer.min_epochs", "+trainer.val_check_interval", "+loss.reduction", "+optimizer.maximize"),
    *("+scheduler.last_epoch", "+optimizer.foreach", "+trainer.inference_mode", "+trainer.barebones"),
)

# How a refusal says what is allowed, or what to do.
ALLOWED = (
    r"allowed: |unknown key|not a parameter|leads nowhere|no value; |does not exist|no _target_|needs the package"
    r"|must |choose |use |needs |leave it out|is a single value|Choose |does not fit|not an option"
    r"|belongs to|no viable|mismatched|token recognition|extraneous|expected |should be |has to "
    r"|is there already; write |quote it|[a-z_]+=\S+ (?:shows|writes|adds|is|chooses|records|leaves) |\(given: |try "
)


@functools.cache
def tree(choices: tuple[str, ...]) -> tuple[bytes, tuple[str, ...], dict[str, Any]]:
    """A configuration, pickled; its keys, with parameters that the YAML leaves out; and its values by key."""
    cfg = TRAIN.compose([*choices, "hydra.run.dir=somewhere"])
    with open_dict(cfg):
        del cfg["hydra"]
    # in the folder of a line
    cfg.run_dir = "somewhere"
    more = [key for key in MORE if isinstance(OmegaConf.select(cfg, f"{key.split('.')[0][1:]}._target_"), str)]
    return pickle.dumps(cfg), (*flatten(cfg), *more, "model.net", "data", "suggested"), flatten(cfg, resolve=True)


@st.composite
def lines(draw: st.DrawFn) -> tuple[tuple[str, ...], list[str]]:
    """Choices of options, and values for a few keys."""
    choices = draw(st.sampled_from(CHOICES))
    return choices, draw(overrides(tree(choices)[1], tree(choices)[2]))


@st.composite
def overrides(draw: st.DrawFn, keys: Sequence[str], stored: dict[str, Any]) -> list[str]:
    """Values for one or two of these keys, or their removal."""
    chosen = draw(st.lists(st.sampled_from(keys), min_size=1, max_size=2, unique=True))
    if draw(st.integers(0, 19)) == 0:
        return [f"~{key.lstrip('+')}" for key in chosen]
    # two of three values may well be right
    return [f"{key}={draw(draw(st.sampled_from([values, *[neighbours(stored.get(key))] * 2])))}" for key in chosen]


def neighbours(value: Any) -> st.SearchStrategy[str]:
    """What one may well give instead of a value."""
    if isinstance(value, bool):
        return st.sampled_from(["true", "false"])
    if isinstance(value, int):
        return st.integers(1, 2 * abs(value) + 1).map(str)
    if isinstance(value, float):
        return st.floats(0.001, 0.999).map(str)
    if isinstance(value, str):
        return st.just(f"'{value}'")
    return st.just(str(value).replace(" ", "").replace("None", "null"))


def run(choices: tuple[str, ...], given: list[str], run_dir: Path) -> Exception | None:
    """Run a command line in this process; what has ended it, None if it came to its end.

    Hydra's own composing takes a hundred times as long as what is done here instead. Values that are right may ask for
    weeks of training: once they are known to be, what they ask for is cut down to two epochs of a few samples.
    """
    try:
        cfg: DictConfig = pickle.loads(tree(choices)[0])
        cfg.run_dir = str(run_dir)
        apply_overrides(cfg, parse(given))
        found = problems(cfg, choices={}, conf_dir=CONF_DIR)
        if found:
            raise ConfigError("\n".join(f"{key}: {text}" for key, text in found.items()))
        cfg.compile = False
        with warnings.catch_warnings(), quiet_lightning():
            # Lightning warns of much that it does
            warnings.simplefilter("ignore")
            build(cfg)
            if not wants_many(cfg.trainer):
                train(cut(cfg, given), overrides=given)
    except Exception as error:
        return error
    return None


def cut(cfg: DictConfig, given: Sequence[str]) -> DictConfig:
    """The same run with less to do: shorter, and without pictures that nobody has asked for."""
    trainer, data, optimizer = cfg.trainer, cfg.data, cfg.optimizer
    trainer.max_epochs = min(trainer.max_epochs or 2, 2) if trainer.max_epochs != -1 else 2
    for name in {"n_samples", "n_val"} & data.keys():
        data[name] = min(data[name], 40)
    if "step" in data and (data.end - data.start) / data.step > 1000:
        data.step = (data.end - data.start) / 50
    for name in {"max_iter", "max_eval", "history_size"} & optimizer.keys():
        optimizer[name] = min(optimizer[name] or 20, 20)
    for name in cfg.callbacks:
        if name in _SHOWY and not any(f"callbacks.{name}" in line for line in given):
            cfg.callbacks[name] = None
    return cfg


_SHOWY = ("pictures", "boundary_frames", "precision_recall", "model_graph", "summary", "progress")


def said(error: Exception, given: Sequence[str]) -> str:
    """What a user reads of it, with all that a refusal tells."""
    text = TRAIN.explain(error, given)
    # anything else would be a traceback
    if text is None:
        raise error
    if isinstance(error, NonFiniteLossError):
        assert "last finite value" in text
        return text
    names = [line.lstrip("+~").partition("=")[0] for line in given]
    assert any(name in text or name.rpartition(".")[2] in text for name in names), (given, text)
    assert re.search(ALLOWED, text), (given, text)
    return text


def check_line(line: tuple[tuple[str, ...], list[str]]) -> None:
    """Run a line, and then what is right: the same line again if it was, else that without what was refused."""
    choices, given = line
    with tempfile.TemporaryDirectory() as folder, _silently(Path(folder)):
        run_dir = Path(folder) / "run"
        error = run(choices, given, run_dir)
        if error is not None:
            said(error, given)
        if isinstance(error, NonFiniteLossError):
            return
        again = given if error is None else []
        other = run(choices, again, run_dir)
        assert other is None or isinstance(other, NonFiniteLossError), (given, error, other)
        cfg: DictConfig = pickle.loads(tree(choices)[0])
        if error is not None and not wants_many(cfg.trainer):
            result = RunDir(run_dir).result()
            assert result is not None
            assert result.status == "completed", (given, result)


@contextlib.contextmanager
def _silently(folder: Path) -> Iterator[None]:
    """In a folder, with nothing printed."""
    before, level = Path.cwd(), logging.root.manager.disable
    os.chdir(folder)
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        os.chdir(before)
        logging.disable(level)


# A sweep of two jobs, or trials, of two epochs; what is given may change it.
SMALL = (
    *("trainer.max_epochs=2", "data.n_samples=40", "data.n_val=20", "callbacks=[checkpoint,pruning]", "logger=none"),
    *("optimizer.lr=0.1,0.2", "seed=1"),
)
OF_HYDRA = ("hydra.sweep.dir", "hydra.sweep.subdir", "hydra.verbose", "hydra.job.chdir", "hydra.job.name")


@functools.cache
def sweep_tree(choices: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Keys of sweeper and launcher, and their values."""
    node: Any = OmegaConf.to_container(TRAIN.compose(choices).hydra, resolve=False, enum_to_str=True)
    found = flatten({"hydra": {part: node[part] for part in ("sweeper", "launcher")}})
    return (*found, *OF_HYDRA), found


@st.composite
def sweeps(draw: st.DrawFn) -> tuple[tuple[str, ...], list[str]]:
    """Choices of sweepers and launchers, and values for a few of their keys."""
    choices = draw(st.sampled_from(SWEEPS))
    return choices, draw(overrides(*sweep_tree(choices)))


def command(*argv: str) -> str | None:
    """What a user reads of a command that has ended with status 1, None if it has ended well."""
    shown, printed = sys.argv, io.StringIO()
    sys.argv = ["src/train.py", *argv]
    handlers = logging.root.handlers[:]
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            main()
    except SystemExit as end:
        return printed.getvalue() if end.code else None
    finally:
        sys.argv = shown
        for handler in set(logging.root.handlers) - set(handlers):
            handler.close()
        logging.root.handlers[:] = handlers
    return None


def check_sweep(line: tuple[tuple[str, ...], list[str]]) -> None:
    """Ask for a sweep, first only to look; where jobs run in this process they do, and the corrected sweep does."""
    choices, given = line
    with tempfile.TemporaryDirectory() as folder, _silently(Path(folder)):
        base = ["-m", *choices, *SMALL, f"hydra.sweep.dir={folder}/sweep"]
        is_here = not any("joblib" in each or "submitit" in each for each in choices)
        few = ["hydra.sweeper.n_trials=2"] if "hydra/sweeper=optuna" in choices else []
        text = command(*base, *given, "sweep.dry_run=true")
        if text is None and is_here:
            text = command(*base, *given, *few)
        if text is not None:
            assert "Traceback" not in text, (given, text)
            names = [each.lstrip("+~").partition("=")[0] for each in given]
            assert any(name in text or name.rpartition(".")[2] in text for name in names), (given, text)
            assert re.search(ALLOWED, text), (given, text)
        if text is not None and is_here:
            text = command(*base, *few)
            assert text is None, (given, text)
            assert all(RunDir(Path(folder) / "sweep" / name).result() for name in "01")


def check_lines(strategy: st.SearchStrategy[Any], check: Callable[[Any], None], n: int, *, block: int = 0) -> None:
    """Check ``n`` lines, the same whenever a block of them is drawn."""
    many = settings(
        max_examples=n,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        # the line that fails is short as it is
        phases=[Phase.generate],
    )
    seed(block)(many(drawn(strategy)(check)))()


def test_any_line_is_refused_in_words_or_runs() -> None:
    check_lines(lines(), check_line, 3)


# 2,000 lines in all, in blocks that processes share
@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_any_of_98_lines_is_refused_in_words_or_runs(block: int) -> None:
    check_lines(lines(), check_line, 98, block=block)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(4))
def test_any_of_10_lines_of_a_sweep_is_refused_in_words_or_runs(block: int) -> None:
    check_lines(sweeps(), check_sweep, 10, block=block)


def test_all_options_are_tried() -> None:
    """But for those that need a package or a device of their own, only gather values of the others, or train alone."""
    tried = {choice for choices in CHOICES for choice in choices}
    for group, options in groups().items():
        if group not in ("experiment", "variant", "module"):
            untried = {option for option in options if f"{group}={option}" not in tried}
            assert untried <= {"wandb", "mlflow", "gpu", "mps", "default"}, group


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "model.net.hidden.x=3",
            "unknown key; model.net.hidden is a list; give all of it, as in model",
        ),
        ("model.net=[]", "got []; allowed: a mapping of keys"),
        ("model.name=é", "has to stand in quotes: write \"model.name='é'\""),
        ("data={a: 1}", "data.a (command line: data={a: 1}): unknown key; allowed: data._target_"),
        ("~optimizer._partial_", "no value; give +optimizer._partial_=true"),
        ("optimizer._partial_=false", "got False; allowed: true"),
        ("+loss.reduction=sum", "got 'sum'; allowed: mean; a larger optimizer.lr does to training what sum does"),
        ("+loss.reduction=none", "got 'none'; allowed: mean"),
        ("+loss.size_average=false", "got False; allowed: null"),
        ("+optimizer.maximize=true", "got True; allowed: false"),
        ("+ckpt_path=x", "unknown key; the same command with hydra.run.dir=DIR goes on from its last checkpoint"),
        ("+data.num_workers=2", "not a parameter of CirclesDataModule; the data lie in memory"),
        ("+callbacks.model_checkpoint.monitor=x", "callbacks.checkpoint.monitor=... decides which weights are kept"),
        ("+trainer.enable_progress_bar=false", "callbacks.progress=null shows no bar"),
    ],
)
def test_a_line_that_nobody_means_is_answered_with_what_is_meant(line: str, words: str, tmp_path: Path) -> None:
    error = run((), [line], tmp_path / "run")
    assert error is not None
    assert words in said(error, [line])
    assert not (tmp_path / "run").exists()


def test_a_place_in_a_list_is_set_or_the_whole_list_is_asked_for(tmp_path: Path) -> None:
    line = "model.net.hidden[0]=3"
    error = run((), [line], tmp_path / "run")
    if error is None:
        # from Hydra 1.4 on
        assert RunDir(tmp_path / "run").config().model.net.hidden == [3, 10]
    else:
        assert "a list is given as a whole, KEY=[...]" in said(error, [line])
        assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "~hydra.sweeper._target_",
            "hydra.sweeper._target_ (command line: ~hydra.sweeper._target_): no value; choose",
        ),
        ("~hydra.launcher._target_", "it has to have a value; give hydra.launcher._target_=..."),
        ("hydra.job.chdir=[]", "hydra.job.chdir (command line: hydra.job.chdir=[]): got []; allowed: true or false"),
        ("hydra.sweep.dir=[15]", "Hydra reads it as a list; if it is a path, quote it"),
        ("~hydra.sweep.subdir", "it has to have a value; give hydra.sweep.subdir=..."),
        ("hydra.job.name=null", "hydra.job.name (command line: hydra.job.name=null): got null; allowed: a value"),
        ("~hydra.sweep.dir", "it has to have a value; give hydra.sweep.dir=..."),
        ("hydra.verbose=3", "hydra.verbose (command line: hydra.verbose=3): got 3; allowed: true or false or a text"),
        ("seed=[0,1,2]", "got [0, 1, 2]; allowed: a whole number from 0 to 4294967295; for a job each: -m seed=0,1,2"),
    ],
)
def test_a_sweep_that_nobody_means_is_answered_with_what_is_allowed(line: str, words: str, tmp_path: Path) -> None:
    with _silently(tmp_path):
        text = command("-m", *SMALL[:-1], line)
    assert text is not None
    assert words in text
    assert not list(tmp_path.iterdir())
