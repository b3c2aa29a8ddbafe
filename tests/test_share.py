"""`python -m src.share`: a run or sweep goes to another place and gives the same numbers there."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from src.config.compose import CONF_DIR, compose_train
from src.config.errors import ConfigError
from src.draw import draw
from src.eval import evaluate
from src.report import report
from src.share import share_or_open
from src.train import train
from tests.waiting import ROOT, completed

STORED = Path(__file__).parent / "stored"
QUIET = ["logger=none", "callbacks=[checkpoint]", "trainer.max_epochs=3", "trainer.accelerator=cpu"]


def asked(**given: Any) -> DictConfig:
    cfg = OmegaConf.load(CONF_DIR / "share.yaml")
    assert isinstance(cfg, DictConfig)
    cfg.update({key: str(value) if isinstance(value, Path) else value for key, value in given.items()})
    return cfg


def moved(path: Path, to: Path, *, key: str = "run") -> Path:
    """Share a directory, take it away, and open the zip elsewhere."""
    share_or_open(asked(**{key: path, "output": to / "shared.zip"}))
    path.rename(path.with_name("taken away"))
    return share_or_open(asked(open=to / "shared.zip", into=to / "theirs"))


def measured(run: Path) -> dict[str, float]:
    given = OmegaConf.create({"run": str(run), "checkpoint": "best", "overrides": []})
    return evaluate(given).metrics


def stored(run: Path) -> dict[str, float]:
    metrics: dict[str, float] = json.loads((run / "result.json").read_text())["metrics"]
    return {name: value for name, value in metrics.items() if not name.startswith("train/")}


def table(folder: Path) -> Path:
    rows = [f"{i % 7},{'abc'[i % 3]},{i * 37 % 11},{'yes' if i % 3 and i % 7 > 2 else 'no'}" for i in range(60)]
    folder.mkdir(parents=True)
    (folder / "people.csv").write_text("\n".join(["age,city,income,bought", *rows]))
    return folder / "people.csv"


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides", [["data=circles"], ["data=blobs", "model=mlp"], ["data=line", "model=line"]], ids=lambda each: each[0]
)
def test_a_run_gives_the_same_numbers_elsewhere(tmp_path: Path, overrides: list[str]) -> None:
    run = tmp_path / "mine"
    train(compose_train([*QUIET, *overrides], run_dir=run))
    expected = measured(run)
    theirs = moved(run, tmp_path / "elsewhere")
    assert measured(theirs) == expected
    assert stored(theirs) == stored(tmp_path / "taken away")
    given = {"run": str(theirs), "folder": str(tmp_path / "plots"), "checkpoint": "best", "pictures": None}
    assert draw(OmegaConf.create(given))


@pytest.mark.slow
def test_a_run_of_a_table_needs_its_file_and_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, data = tmp_path / "mine", table(tmp_path / "secret")
    overrides = ["data=table", "model=mlp", f"data.path={data}", "data.target=bought"]
    train(compose_train([*QUIET, *overrides], run_dir=run), overrides=overrides)
    expected = measured(run)
    capsys.readouterr()
    theirs = moved(run, tmp_path / "elsewhere")
    assert (
        "not in it: people.csv, the data (data.path); whoever opens it needs that file too\n" in capsys.readouterr().out
    )
    (tmp_path / "elsewhere" / "here").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere" / "here")
    with pytest.raises(ConfigError, match=r"people\.csv"):
        measured(theirs)
    data.rename("people.csv")
    assert measured(theirs) == expected
    assert not [path for path in theirs.rglob("*") if path.is_file() and b"secret" in path.read_bytes()]


@pytest.mark.slow
def test_a_run_that_was_resumed_gives_the_same_numbers_elsewhere(tmp_path: Path) -> None:
    run = Path(shutil.copytree(STORED / "interrupted", tmp_path / "mine"))
    overrides = OmegaConf.to_container(OmegaConf.load(run / ".hydra" / "overrides.yaml"))
    assert isinstance(overrides, list)
    train(compose_train([str(line) for line in overrides], run_dir=run))
    expected = measured(run)
    assert measured(moved(run, tmp_path / "elsewhere")) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sweep", "stacked"])
def test_a_sweep_gives_the_same_answer_elsewhere(tmp_path: Path, name: str) -> None:
    sweep = Path(shutil.copytree(STORED / name, tmp_path / "mine"))
    asked_report = {"metric": None, "format": None, "output": None}
    ours = report(OmegaConf.create({**asked_report, "sweep": str(sweep)}))
    expected = measured(sweep / "0")
    theirs = moved(sweep, tmp_path / "elsewhere", key="sweep")
    assert measured(theirs / "0") == expected
    found = report(OmegaConf.create({**asked_report, "sweep": str(theirs)}))
    assert [(each.group.label, each.estimates) for each in found.groups] == [
        (each.group.label, each.estimates) for each in ours.groups
    ]
    assert found.comparisons == ours.comparisons


def test_defaults_are_the_directorys_name_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(STORED / "run", "runs/mine")
    assert share_or_open(asked(run="runs/mine")) == Path("mine.zip")
    assert share_or_open(asked(open="mine.zip")) == Path("mine")
    assert stored(Path("mine")) == stored(Path("runs/mine"))
    # what was opened is shared like any other
    assert share_or_open(asked(sweep="mine", output="again.zip")) == Path("again.zip")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"got nothing; give one of run=DIR, sweep=DIR, and open=FILE\.zip"),
        ({"run": "a", "open": "b"}, r"got run=a and open=b; give one of"),
        ({"run": ""}, r"run=: not a path"),
        ({"run": "nowhere"}, r"run=nowhere: no such directory; give the directory of a run or sweep"),
        ({"run": "file"}, r"run=file: a file; give"),
        ({"run": "empty"}, r"empty is no directory of a run or sweep"),
        ({"run": "mine", "into": "x"}, r"into=x: it belongs to open=FILE\.zip"),
        ({"run": "mine", "weights": "bst"}, r"weights=bst: did you mean best\? Allowed: best, all, none"),
        ({"run": "mine", "pictures": "some"}, r"pictures=some: allowed: true or false"),
        ({"run": "mine", "output": "x.tar"}, r"output=x\.tar: allowed: a file that ends in \.zip"),
        ({"run": "mine", "output": "there.zip"}, r"output=there\.zip: it is there already"),
        ({"open": "mine"}, r"open=mine: a directory; give a zip that src\.share has written"),
        ({"open": "nowhere.zip"}, r"open=nowhere\.zip: no such file"),
        ({"open": "there.zip", "into": "x"}, r"open=there\.zip: it is no zip that can be read"),
        ({"open": "there.zip", "into": "mine"}, r"into=mine: it is there already"),
    ],
)
def test_mistakes_are_answered_with_what_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(STORED / "run", "mine")
    Path("empty").mkdir()
    for name in ("file", "there.zip"):
        Path(name).touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=message):
        share_or_open(asked(**given))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_zip_in_the_place_of_a_run_is_told_how_to_open(tmp_path: Path) -> None:
    share_or_open(asked(run=STORED / "run", output=tmp_path / "run.zip"))
    with pytest.raises(
        ConfigError, match=r"run\.zip is a zip: python -m src\.share open=\S+run\.zip into=DIR unpacks it"
    ):
        measured(tmp_path / "run.zip")


@pytest.mark.slow
def test_the_command_loads_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, runpy; sys.argv = ['x', *sys.argv[1:]]\n"
        "try:\n    runpy.run_module('src.share', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print(sorted({'torch', 'lightning', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    env = {"PATH": "", "PYTHONPATH": str(ROOT)}
    done = completed(sys.executable, "-c", code, f"run={STORED / 'run'}", "output=my run.zip", cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "shared: my run.zip, " in done.stdout
    assert done.stdout.endswith("\n[]\n")
