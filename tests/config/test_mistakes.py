"""What a user reads on each mistake."""

import math
import os
import re
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from src.compat.hydra import instantiate
from src.config.errors import ConfigError
from src.tasks.finite import NonFiniteLossError
from tests.config.tree import FILES, Run, message
from tests.slow import slow
from tests.waiting import ROOT, completed

MISTAKES = [
    ("data.siez=3", "data.siez (command line: data.siez=3): unknown key; did you mean data.size?"),
    ("+data.siez=3", "data.siez (command line: +data.siez=3): unknown key, not a parameter of Thing; did you mean"),
    (
        "data.lr=3",
        "data.lr (command line: data.lr=3): unknown key; a parameter that the YAML leaves out; add it wi",
    ),
    ("~data.siez", "data.siez (command line: ~data.siez): unknown key; did you mean data.size?"),
    ("optimzer=thing", "optimzer (command line: optimzer=thing): unknown key; did you mean optimizer?"),
    ("experimnt=typo", "experimnt (command line: experimnt=typo): unknown key; did you mean experiment?"),
    ("+seed=3", "+seed=3: seed is there already; write seed=3"),
    ("+experiment=typo", "+experiment=typo: experiment is there already; write experiment=typo"),
    (
        "logger=many",
        "logger=many (command line: logger=many): no such option; options of logger: none; several: lo",
    ),
    ("ckpt_path=x", "ckpt_path (command line: ckpt_path=x): unknown key; the same command with hydra.run.dir=DIR"),
    ("extras.print_config=true", "extras.print_config (command line: extras.print_config=true): unknown key; print"),
    ("seed.x=1", "seed.x (command line: seed.x=1): unknown key; seed is a single value"),
    ("hydra.swep.dir=x", "hydra.swep.dir (command line: hydra.swep.dir=x): unknown key; did you mean hydra.sweep?"),
    ("data=lage", "data=lage (command line: data=lage): no such option; did you mean large? options of data: larg"),
    ("data=zzz", "data=zzz (command line: data=zzz): no such option; options of data: large, small"),
    ("logger=[none,nome]", "logger=nome (command line: logger=[none,nome]): no such option; did you mean none?"),
    ("data=null", "data=null: not an option; options of data: large, small"),
    ("~data=[x]", "~data=[x]: not an option; options of data: large, small"),
    ("data=*", "data=* (command line: data=*): no such option; options of data: large, small"),
    ("data=larg*", "data=larg* (command line: data=larg*): no such option; did you mean large? options of data"),
    ("data='['", "data=[ (command line: data='['): no such option; options of data: large, small"),
    ("data='a(b'", "data=a(b (command line: data='a(b'): no such option; options of data: large, small"),
    ("data=a(b", "data=a(b: no viable alternative at input 'a(b'"),
    ("data=+", "data=+ (command line: data=+): no such option; options of data: large, small"),
    ("logger=[none,*]", "logger=* (command line: logger=[none,*]): no such option; options of logger: none"),
    ("+data=**", "data=** (command line: +data=**): no such option"),
    ("data._target_=thing.**x", "data._target_ (command line: data._target_=thing.**x): thing.**x does not exist"),
    ("+=1", "+=1: no key; give GROUP=OPTION or KEY=VALUE"),
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
]


@pytest.mark.parametrize(
    ("argv", "shown"), [*MISTAKES[::4], *slow(*(each for i, each in enumerate(MISTAKES) if i % 4))]
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


def test_a_loss_that_is_no_longer_finite_ends_with_its_message(start: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def job(_: DictConfig) -> None:
        raise NonFiniteLossError.at(3, math.inf, (2, 0.5))

    read = message(start, capsys, function=job)
    assert read.startswith(
        "train/loss is inf at epoch 3; last finite value: 0.5 at epoch 2. Try a smaller optimizer.lr"
    )


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


def test_a_script_ends_with_status_1_and_imports_no_torch(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, atexit\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from src.config.command.entry import entry\n"
        "atexit.register(lambda: print('torch' in sys.modules))\n"
        "@entry('train')\n"
        "def main(cfg): ...\n"
        "main()\n"
    )
    done = completed(sys.executable, str(script), "+optimizer.lrr=1", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == "False\n"
    shown = "optimizer.lrr (command line: +optimizer.lrr=1): unknown key, not a parameter of SGD"
    assert done.stderr == f"{shown}; did you mean optimizer.lr?\n"
