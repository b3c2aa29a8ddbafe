"""Entry points: what a user reads on each mistake, and what stays as Hydra has it."""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from src.config import CONF_DIR, ConfigError, compose_train, entry, override, split_argv
from src.signature import parameters

ROOT = CONF_DIR.parent

THING = """
class Thing:
    def __init__(self, *, size=1, lr=0.1, extra=None):
        if size < 0:
            raise ValueError(f"Invalid size: {size}")
        if extra == "bug":
            raise RuntimeError("out of order")
"""

THING_YAML = "_target_: thing.Thing\nsize: 1\n"

FILES = {
    "train": """\
defaults:
  - _self_
  - task: thing
  - loss: thing
  - data: small
  - model: thing
  - optimizer: thing
  - scheduler: none
  - trainer: thing
  - callbacks: none
  - logger: none
  - hydra: default
  - experiment: null
seed: 42
compile: false
evaluate: best
run_dir: ${hydra:runtime.output_dir}
optimized_metric: val/loss
sweep: {dry_run: false}
suggested: {lr: 0.1, max_epochs: 2}
""",
    "eval": "defaults:\n  - hydra: default\n  - _self_\nrun: ???\ncheckpoint: best\noverrides: []\n",
    "hydra/default": """\
defaults:
  - override job_logging: none
  - override hydra_logging: none
run: {dir: "out/${now:%Y}_${unique:}"}
sweep: {dir: "sweeps/${now:%Y}_${unique:}", subdir: "${hydra.job.num}"}
output_subdir: null
""",
    "data/small": THING_YAML,
    "data/large": THING_YAML.replace("1", "10"),
    "model/thing": f"name: thing\ntask: null\nnet:\n  {THING_YAML.replace(chr(10), chr(10) + '  ')}\n",
    "experiment/typo": "# @package _global_\ndata:\n  siez: 3\n",
    "experiment/group": "# @package _global_\ndefaults:\n  - override /dtaa: large\n",
    "experiment/option": "# @package _global_\ndefaults:\n  - override /data: larg\n",
    "experiment/syntax": "# @package _global_\nseed: 1\ndata\n  size: 3\n",
    "experiment/unpacked": "seed: 1\n",
    "experiment/scalar": "# @package _global_\nseed 1\n",
    **{f"{group}/thing": THING_YAML for group in ("task", "loss", "optimizer", "trainer")},
    **{f"{group}/none": "{}\n" for group in ("scheduler", "callbacks", "logger")},
}


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "thing.py").write_text(THING)
    for name, text in FILES.items():
        file = tmp_path / "conf" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    parameters.cache_clear()
    handlers = logging.getLogger().handlers[:]
    yield tmp_path / "conf"
    parameters.cache_clear()
    # --hydra-help logs to a stream that is closed after its test
    logging.getLogger().handlers[:] = handlers


Run = Callable[..., None]


@pytest.fixture
def start(conf: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Start an entry point with a command line."""

    def run(*argv: str, function: Callable[[DictConfig], Any] = lambda _: None, name: str = "train") -> None:
        monkeypatch.setattr(sys, "argv", ["thing.py", *argv])
        entry(name, rest="overrides" if name == "eval" else None, conf_dir=conf)(function)()

    return run


def message(start: Run, capsys: pytest.CaptureFixture[str], *argv: str, **kwargs: Any) -> str:
    """What a user reads when a start fails."""
    with pytest.raises(SystemExit) as stop:
        start(*argv, **kwargs)
    assert stop.value.code == 1
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    return shown.strip()


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        ("data.siez=3", "data.siez (command line: data.siez=3): unknown key; did you mean data.size?"),
        ("+data.siez=3", "data.siez (command line: +data.siez=3): unknown key, not a parameter of Thing; did you mean"),
        (
            "data.lr=3",
            "data.lr (command line: data.lr=3): unknown key; a parameter that the YAML leaves out; add it wi",
        ),
        ("~data.siez", "data.siez (command line: ~data.siez): unknown key; did you mean data.size?"),
        ("optimzer=thing", "optimzer (command line: optimzer=thing): unknown key; did you mean optimizer?"),
        ("experimnt=typo", "experimnt (command line: experimnt=typo): unknown key; did you mean experiment?"),
        ("seed.x=1", "seed.x (command line: seed.x=1): unknown key; seed is a single value"),
        ("hydra.swep.dir=x", "hydra.swep.dir (command line: hydra.swep.dir=x): unknown key; did you mean hydra.sweep?"),
        ("data=lage", "data=lage (command line: data=lage): no such option; did you mean large? options of data: larg"),
        ("data=zzz", "data=zzz (command line: data=zzz): no such option; options of data: large, small"),
        ("logger=[none,nome]", "logger=nome (command line: logger=[none,nome]): no such option; did you mean none?"),
        ("data=null", "data=null: not an option; options of data: large, small"),
        ("data.size=[1", "data.size=[1: no viable alternative at input '[1'"),
        ("seed=1,2", "Ambiguous value for argument 'seed=1,2'"),
        ("seed=???", "seed (command line: seed=???): no value; give seed=..."),
        ("seed=-1", "seed (command line: seed=-1): got -1; allowed: a whole number from 0 to 4294967295"),
        ("experiment=typo", "data.siez (conf/experiment/typo.yaml, line 3): unknown key, not a parameter of Thing; di"),
        ("experiment=group", "override dtaa (conf/experiment/group.yaml): unknown group; did you mean data?"),
        ("experiment=option", "data=larg (conf/experiment/option.yaml): no such option; did you mean large?"),
        ("experiment=scalar", "seed 1: unknown key; did you mean seed?"),
        (
            "experiment=unpacked",
            "experiment (conf/experiment/unpacked.yaml): not a key but a group; its file should be",
        ),
    ],
)
def test_a_mistake_is_one_message(argv: str, shown: str, start: Run, capsys: pytest.CaptureFixture[str]) -> None:
    read = message(start, capsys, argv)
    assert read.startswith(shown)
    assert "Error executing job" not in read


def test_all_unknown_overrides_are_listed(start: Run, capsys: pytest.CaptureFixture[str]) -> None:
    read = message(start, capsys, "data=large", "data.siez=1", "seed=3", "sed=1", "+data.lr=1")
    assert [line.split(" ")[0] for line in read.splitlines()] == ["data.siez", "sed"]


def test_yaml_syntax_error_names_file_and_line(start: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(r'experiment/syntax.yaml", line 4', message(start, capsys, "experiment=syntax"))


def test_unknown_root_file_is_named(start: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Cannot find primary config 'tarin'" in message(start, capsys, name="tarin")


def test_unknown_group_in_the_root_file_names_the_nearest(
    start: Run, conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (conf / "train.yaml").write_text(FILES["train"].replace("- data: small", "- dtaa: small"))
    assert message(start, capsys) == "dtaa=small (conf/train.yaml): unknown group; did you mean data?"


def test_bad_value_names_its_key_and_the_innermost_cause(start: Run, capsys: pytest.CaptureFixture[str]) -> None:
    read = message(start, capsys, "data.size=-1", function=lambda cfg: instantiate(cfg.data))
    assert read == "data: Invalid size: -1\nHYDRA_FULL_ERROR=1 shows the whole traceback."
    read = message(start, capsys, "+data.extra=bug", function=lambda cfg: instantiate(cfg.data))
    assert read.startswith("data: RuntimeError: out of order")


def test_config_error_in_the_job_is_shown_as_it_is(start: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def job(_: DictConfig) -> None:
        raise ConfigError("model and data do not fit")

    assert message(start, capsys, function=job) == "model and data do not fit"


def test_missing_value_met_in_the_job_is_named(start: Run, capsys: pytest.CaptureFixture[str]) -> None:
    read = message(start, capsys, function=lambda _: OmegaConf.create({"a": "???"}).a)
    assert read == "a: Missing mandatory value: a"


def test_a_bug_keeps_its_traceback_from_the_job_on(start: Run) -> None:
    def job(_: DictConfig) -> float:
        return 1 / 0

    with pytest.raises(ZeroDivisionError) as error:
        start(function=job)
    names = [frame.name for frame in error.traceback]
    assert names[-1] == "job"
    assert "run_job" not in names


def test_full_error_shows_the_exception_itself(start: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ConfigError, match=r"did you mean data.size\?"):
        start("+data.siez=3")
    assert os.environ["HYDRA_FULL_ERROR"] == "1"


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


def test_sweep_runs_all_jobs_and_reports_the_first_mistake(start: Run, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[int] = []

    def job(cfg: DictConfig) -> None:
        seen.append(cfg.data.size)
        instantiate(cfg.data)

    read = message(start, capsys, "-m", "data.size=-1,2", function=job)
    assert seen == [-1, 2]
    assert "Error executing job with overrides: ['data.size=-1']" in read
    assert "data: Invalid size: -1" in read


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (
            ["data=small,large", "data.siez=1,2"],
            "data.siez (command line: data.siez=1,2): unknown key; did you mean dat",
        ),
        (
            ["data=glob(*)", "data.siez=1"],
            "data.siez (command line: data.siez=1): unknown key; did you mean data.size?",
        ),
        (["data=small,lage"], "data=lage (command line: data=small,lage): no such option; did you mean large?"),
        (["seed=interval(1,2)"], "BasicSweeper does not support sweep type"),
    ],
)
def test_a_mistake_in_a_sweep_is_one_message(
    argv: list[str], shown: str, start: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message(start, capsys, "-m", *argv).startswith(shown)


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

    drawn = set()
    for _ in range(2):
        random.seed(0)
        state = random.getstate()
        cfg = OmegaConf.create({"a": "${unique:}", "b": "${unique:}"})
        drawn.add(cfg.a)
        assert cfg.a == cfg.b
        assert random.getstate() == state
    assert len(drawn) == 2


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
    with initialize_config_dir(str(conf), version_base="1.3"):
        compose_train()
        with pytest.raises(ConfigError, match=r"data.noize \(command line: \+data.noize=1\)"):
            compose_train(["+data.noize=1"])
        assert GlobalHydra.instance().is_initialized()
        assert compose("train").data._target_ == "thing.Thing"
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


@pytest.fixture
def stored(conf: Path) -> DictConfig:
    assert conf.is_dir()
    thing = {"_target_": "thing.Thing", "size": 1}
    return OmegaConf.create({"seed": 1, "data": thing, "layers": [1, 2], "nested": {"a": 1}, "scheduler": {}})


def test_override_changes_a_copy(stored: DictConfig) -> None:
    lines = [
        "data.size=3",
        "seed=null",
        "layers=[4]",
        "nested={a: 2}",
        "data.lr=1e-3",
        "scheduler=null",
        "data._target_='a=b'",
    ]
    changed = override(stored, lines)
    assert changed.data == {"_target_": "a=b", "size": 3, "lr": 1e-3}
    assert (changed.seed, changed.layers, changed.nested, changed.scheduler) == (None, [4], {"a": 2}, None)
    assert stored.data.size == 1


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("data.siez=3", r"data.siez \(command line: data.siez=3\): unknown key; did you mean data.size\?"),
        ("data={siez: 3}", r"data.siez \(command line: data=\{siez: 3\}\): unknown key"),
        ("dta.size=3", r"unknown key; did you mean data\?"),
        ("data=large", "data=large: data is a group, whose choice is stored; change values below it"),
        ("+data.lr=3", r"\+data.lr=3: only key=value can change a stored configuration"),
        ("++data.lr=3", "only key=value"),
        ("~data", "only key=value"),
        ("data@x=3", "only key=value"),
        ("seed=1,2", "only key=value"),
        ("seed=range(3)", "only key=value"),
        ("seed=[", r"seed=\[: no viable alternative"),
    ],
)
def test_override_refuses(line: str, match: str, stored: DictConfig) -> None:
    with pytest.raises(ConfigError, match=match):
        override(stored, [line])


LINES = [
    "a.b=1",
    "c='x, \"y\"'",
    "d=[1,{e: f}]",
    "g=h=i",
    r"w=a\b\\",
    "q=${seed}",
    "~data.x",
    "+z=1",
    "model@k=v",
    "p=é",
]


def test_split_argv_keeps_own_keys_and_flags() -> None:
    argv = ["run=x", "--cfg", "job", "hydra.job.name=y", "hydra/launcher=basic", "-m", "checkpoint=last", "--package=a"]
    assert split_argv(argv, ["run", "checkpoint"]) == argv
    assert split_argv(["run=x", "runs=y"], ["run"]) == ["run=x", "overrides=['runs=y']"]


def test_split_argv_gives_every_string_back(start: Run) -> None:
    line = split_argv(LINES, ["run"])[-1]
    assert OverridesParser.create().parse_override(line).is_sweep_override() is False
    seen: list[list[str]] = []
    start("run=x", *LINES, function=lambda cfg: seen.append(list(cfg.overrides)), name="eval")
    assert seen == [LINES]


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        ([], "run: no value; give run=..."),
        (["rn=x", "data.size=3"], "run: no value; give run=... (got rn=x)"),
        (["run=x", "run.y=1"], "run.y (command line: run.y=1): unknown key; run is a single value"),
    ],
)
def test_entry_with_rest_names_missing_keys(
    argv: list[str], shown: str, start: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message(start, capsys, *argv, name="eval") == shown


def test_command_line_restores_argv(start: Run) -> None:
    start("run=x", "data.size=3", name="eval")
    assert sys.argv == ["thing.py", "run=x", "data.size=3"]


def test_a_script_ends_with_status_1_and_imports_no_torch(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, atexit\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from src.config import entry\n"
        "atexit.register(lambda: print('torch' in sys.modules))\n"
        "@entry('train')\n"
        "def main(cfg): ...\n"
        "main()\n"
    )
    command = [sys.executable, str(script), "+optimizer.lrr=1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stdout == "False\n"
    shown = "optimizer.lrr (command line: +optimizer.lrr=1): unknown key, not a parameter of SGD"
    assert done.stderr == f"{shown}; did you mean optimizer.lr?\n"
