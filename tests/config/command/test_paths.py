"""Paths of a command line: the home directory, and what has to be quoted."""

import shlex
import sys

import pytest

from src.config.command.entry import entry
from src.config.command.paths import with_paths
from src.config.compose import compose_train
from src.config.errors import ConfigError


def read(argument: str, *, is_sweep: bool = False) -> str:
    (given,) = with_paths([argument], is_sweep=is_sweep)
    return given


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("run_dir=~/x", "run_dir=/home/me/x"),
        ("hydra.run.dir=~", "hydra.run.dir=/home/me"),
        ("hydra.sweep.dir=~/${now:%Y}", "hydra.sweep.dir=/home/me/${now:%Y}"),
        ("run='~/x y'", "run='/home/me/x y'"),
        ("sweep=[~/a,~/b]", "sweep=[/home/me/a,/home/me/b]"),
        ("sweep=['~/a b', ~/c]", "sweep=['/home/me/a b', /home/me/c]"),
        # whatever the key, since Hydra's grammar knows no such value
        ("+data.file=~/x", "+data.file=/home/me/x"),
        # a text and a removed key, no paths
        ("title='~/x'", "title='~/x'"),
        ("~callbacks.summary", "~callbacks.summary"),
        ("run_dir=a", "run_dir=a"),
    ],
)
def test_a_tilde_is_the_home_directory(given: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert read(given) == meant


def test_a_home_directory_that_needs_quotes_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me (x)")
    assert read("run_dir=~/y") == 'run_dir="/home/me (x)/y"'
    assert read("run_dir=~/a,~/b", is_sweep=True) == 'run_dir="/home/me (x)/a","/home/me (x)/b"'
    assert read("run='~/y'") == "run='/home/me (x)/y'"


@pytest.mark.parametrize(
    "given",
    [
        "run_dir=/a (b)",
        "run_dir=/a=b",
        "run_dir=/a,b",
        "run_dir=/a[b]",
        "run_dir=[a]",
        "run_dir={a}",
        "run_dir=/a#b&c;d!e",
        "run_dir=/ü/日本",
        "hydra.run.dir=/it's",
        'hydra.run.dir=/a"b',
        "hydra.sweep.dir=/a/${now:%Y} (x)",
        "run=5",
        "run=true",
        "sweep=[/a (b),/c]",
        "hydra.launcher.submitit_folder=/a(b)/%j",
        # known by how it begins
        "data.file=/a(b)",
        "data.file=../a(b)",
    ],
)
def test_a_path_that_needs_quotes_is_answered_with_a_form_that_works(given: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(given)
    said = str(refused.value)
    assert said.startswith(f"{given}: Hydra reads ")
    # as a shell takes it apart
    (instead,) = shlex.split(said.split("quote it: ")[1])
    assert read(instead) == instead
    key, _, path = given.partition("=")
    if key == "run_dir":
        cfg = compose_train([instead])
        assert cfg.run_dir.endswith(path)


def test_the_name_of_a_group_is_quoted_too() -> None:
    with pytest.raises(ConfigError, match=r"^group=width=8: Hydra reads .*; quote it: 'group=\"width=8\"'$"):
        read("group=width=8")
    assert read('group="hidden=[8] lr=0.1"') == 'group="hidden=[8] lr=0.1"'


def test_the_directory_of_a_sweep_is_one_and_those_of_its_jobs_are_many() -> None:
    assert read("run_dir=/a,/b", is_sweep=True) == "run_dir=/a,/b"
    with pytest.raises(ConfigError, match=r"Hydra reads it as several values; .* 'hydra\.sweep\.dir=\"/a,/b\"'"):
        read("hydra.sweep.dir=/a,/b", is_sweep=True)


@pytest.mark.parametrize("given", ["checkpoint=null", "sweep=5", "sweep.dry_run=true", "sweep={dry_run: true}", "-m"])
def test_what_is_no_path_stays_as_it_is(given: str) -> None:
    assert read(given) == given


def test_a_command_ends_with_the_form(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "run_dir=/a(b)", "hydra.run.dir=/c,d"])
    with pytest.raises(SystemExit) as ended:
        entry("train")(lambda _: None)()
    assert ended.value.code == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.split("quote it: ")[1] for line in said] == ["'run_dir=\"/a(b)\"'", "'hydra.run.dir=\"/c,d\"'"]
