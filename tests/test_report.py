"""`python -m src.report`: the answer of sweeps from their directories alone."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from src.config.compose import CONF_DIR
from src.config.errors import ConfigError
from src.report import report
from tests.analysis.jobs import make_job
from tests.analysis.thousand import make_thousand, write_metrics
from tests.waiting import ROOT, completed


def asked(sweep: Any, *, metric: str | None = None, form: Any = None, output: Any = None) -> DictConfig:
    cfg = OmegaConf.load(CONF_DIR / "report.yaml")
    assert isinstance(cfg, DictConfig)
    cfg.sweep, cfg.metric, cfg.format, cfg.output = sweep, metric, form, output
    return cfg


def command(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return completed(sys.executable, "-m", "src.report", *arguments, cwd=cwd, env={"PATH": "", "PYTHONPATH": str(ROOT)})


def fill(sweep_dir: Path, activation: str, *, seeds: range, loss: float) -> None:
    for seed in seeds:
        overrides = [f"model.net.activation={activation}", f"seed={seed}"]
        make_job(sweep_dir / str(seed), *overrides, metrics={"val/loss": loss + 0.01 * (seed % 3) * loss})


def test_several_sweeps_are_one_answer_and_one_page_and_keep_a_table_each(tmp_path: Path) -> None:
    fill(tmp_path / "a", "relu", seeds=range(3), loss=0.1)
    fill(tmp_path / "b", "identity", seeds=range(4), loss=0.6)
    fill(tmp_path / "c", "relu", seeds=range(2, 6), loss=0.1)
    found = report(asked([str(tmp_path / name) for name in "abc"]))
    assert [(each.group.label, each.estimates["val/loss"].n) for each in found.groups] == [("relu", 6), ("identity", 4)]
    (comparison,) = found.comparisons
    assert comparison.difference is not None
    assert (comparison.difference.n, comparison.wins, comparison.n_left_out) == (4, 4, 2)
    for name, n in (("a", 3), ("b", 4), ("c", 4)):
        with (tmp_path / name / "summary.csv").open() as file:
            assert len(list(csv.DictReader(file))) == n
    (page,) = tmp_path.glob("*/report.html")
    assert page.parent.name == "a"
    for address, name in (("2/", "a/2"), ("../b/3/", "b/3"), ("../c/5/", "c/5")):
        assert f'<a href="{address}">{name}</a>' in page.read_text()


def test_a_sweep_that_is_named_twice_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "a" / "b", "relu", seeds=range(2), loss=0.5)
    monkeypatch.chdir(tmp_path)
    assert len(report(asked(["a", str(tmp_path / "a"), "a/b"])).jobs) == 2


def test_the_metric_is_chosen_on_the_command_line(tmp_path: Path) -> None:
    make_job(tmp_path / "0", metrics={"val/loss": 0.5, "test/f1": 0.25})
    # as in outputs/
    (tmp_path / "README.md").touch()
    assert report(asked(str(tmp_path), metric="test/f1")).metrics == ("test/f1",)


def test_the_report_of_another_metric_leaves_the_first_as_it_is(tmp_path: Path) -> None:
    make_job(tmp_path / "0", metrics={"val/loss": 0.5, "test/accuracy": 0.75, "test/f1": 0.25})
    report(asked(str(tmp_path)))
    before = {name: (tmp_path / name).read_bytes() for name in ("report.html", "summary.csv")}
    report(asked(str(tmp_path), metric="test/f1"))
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert "test f1" in (tmp_path / "report.test_f1.html").read_text().lower()
    assert (tmp_path / "summary.test_f1.csv").exists()
    # the sweep's own one gives what no metric gives
    assert report(asked(str(tmp_path), metric="val/loss")).metrics == ("val/loss", "test/accuracy")
    assert not (tmp_path / "report.val_loss.html").exists()


@pytest.mark.parametrize(
    ("form", "ending", "picture"),
    [
        ("latex", "tex", "pdf"),
        pytest.param("markdown", "md", "svg", marks=pytest.mark.slow),
        pytest.param("csv", "csv", "svg", marks=pytest.mark.slow),
    ],
)
def test_a_table_for_a_paper_comes_with_methods_and_pictures(
    tmp_path: Path, form: str, ending: str, picture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "s", "relu", seeds=range(3), loss=0.1)
    fill(tmp_path / "s" / "more", "identity", seeds=range(3), loss=0.6)
    write_metrics(tmp_path / "s" / "0")
    sweep = str(tmp_path / "s")
    report(asked(sweep, form=form))
    report(asked(sweep, form=form, output=str(tmp_path / "paper" / "one.txt")))
    report(asked(sweep, form=form, metric="val/loss"))
    more = ["methods.tex"] if form == "latex" else []
    names = [f"table.{ending}", "methods.txt", *more, f"groups.{picture}", f"curves.{picture}"]
    assert sorted(path.name for path in (tmp_path / "s").iterdir() if path.is_file()) == sorted(names)
    others = ["one.txt", "one.methods.txt", f"one.groups.{picture}", f"one.curves.{picture}"]
    others += [f"one.{each}" for each in more]
    assert sorted(path.name for path in (tmp_path / "paper").iterdir()) == sorted(others)
    table = (tmp_path / "s" / f"table.{ending}").read_text()
    assert table == (tmp_path / "paper" / "one.txt").read_text()
    assert "identity" in table
    assert f"table: {tmp_path}/s/table.{ending}\n" in capsys.readouterr().out
    report(asked(sweep, form=form, output="-"))
    assert capsys.readouterr().out == table


def test_files_for_a_paper_carry_another_metric(tmp_path: Path) -> None:
    make_job(tmp_path / "0", metrics={"val/loss": 0.5, "test/f1": 0.25})
    report(asked(str(tmp_path), form="latex", metric="test/f1"))
    names = ["groups.test_f1.pdf", "methods.test_f1.tex", "methods.test_f1.txt", "table.test_f1.tex"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == names


@pytest.mark.parametrize(
    ("form", "output", "message"),
    [
        ("latx", None, r"format=latx: did you mean latex\? Allowed: latex, csv, markdown, json"),
        (3, None, r"format=3: allowed: csv, json, latex, markdown"),
        (None, "x.tex", r"output=x\.tex: it is where what format=latex, csv, markdown or json makes goes"),
        ("latex", "", r"output=: allowed: a file"),
        ("latex", "/", r"output=/: allowed: a file"),
        ("latex", "/dev/null/x", r"/dev/null cannot be written|/dev/null/x cannot be written"),
    ],
)
def test_a_wrong_format_or_output_is_refused(tmp_path: Path, form: Any, output: Any, message: str) -> None:
    make_job(tmp_path / "0", metrics={"val/loss": 0.5})
    with pytest.raises(ConfigError, match=message):
        report(asked(str(tmp_path), form=form, output=output))


def test_a_table_of_nothing_is_refused(tmp_path: Path) -> None:
    make_job(tmp_path / "0")
    with pytest.raises(ConfigError, match="format=csv: no job has completed with a number"):
        report(asked(str(tmp_path), form="csv"))


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ("nowhere", r"sweep=\S*nowhere: no such directory; give the directory of a sweep"),
        ("file", r"sweep=\S*file: a file; give the directory of a sweep"),
        ("empty", r"sweep=\S*empty holds no jobs: there is no run directory below it"),
        (
            "sweep/0",
            r"sweep/0 is the directory of a single run: python -m src.eval run=\S*/0 .* its sweep is sweep=\S*/sweep$",
        ),
        ("alone/run", r"alone/run is the directory of a single run: python -m src.eval run=\S*/run measures it again$"),
    ],
)
def test_a_directory_that_is_no_sweep_is_refused(tmp_path: Path, sweep: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    fill(tmp_path / "sweep", "relu", seeds=range(2), loss=0.5)
    (tmp_path / "sweep" / "multirun.yaml").touch()
    make_job(tmp_path / "alone" / "run")
    with pytest.raises(ConfigError, match=message):
        report(asked(str(tmp_path / sweep)))
    with pytest.raises(ConfigError, match=message):
        report(asked([str(tmp_path / "sweep"), str(tmp_path / sweep)]))


@pytest.mark.parametrize("sweep", [None, "", 1.5, ["x", None]])
def test_a_value_that_is_no_directory_is_refused(sweep: Any) -> None:
    with pytest.raises(ConfigError, match=r"sweep=.*(: not a directory|no such directory); give"):
        report(asked(sweep))


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"sweep=\[\] names no directory"):
        report(asked([]))


@pytest.mark.slow
def test_the_command_takes_relative_paths_and_ends_well_whatever_the_jobs_did(tmp_path: Path) -> None:
    fill(tmp_path / "mine", "relu", seeds=range(2), loss=0.5)
    make_job(tmp_path / "mine" / "2", "seed=2", error=ValueError("no"))
    done = command("sweep=mine", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("3 jobs: 2 completed, 1 failed\nall jobs: mine/summary.csv\nreport: mine/report.html\n")
    assert "\x1b" not in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], r"sweep: no value; give sweep=\.\.\.\n"),
        (["sweeps=x"], r"sweeps \(command line: sweeps=x\): unknown key; did you mean sweep\?\n"),
    ],
)
def test_mistakes_in_the_command_are_one_message(arguments: list[str], message: str) -> None:
    done = command(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(message, done.stderr)


@pytest.mark.slow
def test_a_report_loads_no_torch(tmp_path: Path) -> None:
    fill(tmp_path, "relu", seeds=range(6), loss=0.5)
    fill(tmp_path / "more", "identity", seeds=range(6), loss=0.7)
    code = (
        "import sys, runpy; sys.argv = ['x', sys.argv[1]]; runpy.run_module('src.report', run_name='__main__'); "
        "print(sorted({'torch', 'lightning', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    done = completed(sys.executable, "-c", code, f"sweep={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\n[]\n")
    assert "beats" in done.stdout


@pytest.mark.slow
def test_a_thousand_jobs_are_one_table_and_one_page(tmp_path: Path) -> None:
    make_thousand(tmp_path / "sweep")
    done = command(f"sweep={tmp_path / 'sweep'}")
    assert done.returncode == 0, done.stderr
    assert "1000 jobs: 1000 completed\n" in done.stdout
    assert "and 80 more groups" in done.stdout
    with (tmp_path / "sweep" / "summary.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 1000
    page = tmp_path / "sweep" / "report.html"
    assert page.stat().st_size < 8_000_000
    assert page.read_text().count("<img ") == 12


def test_json_is_the_whole_answer_on_standard_output_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "s", "relu", seeds=range(8), loss=0.1)
    fill(tmp_path / "s" / "more", "identity", seeds=range(8), loss=0.6)
    before = sorted(tmp_path.rglob("*"))
    report(asked(str(tmp_path / "s"), form="json"))
    out = capsys.readouterr().out
    found = json.loads(out)
    assert [group["name"] for group in found["groups"]] == ["relu", "identity"]
    assert [each["verdict"] for each in found["comparisons"]] == ["better"]
    assert sorted(tmp_path.rglob("*")) == before
    report(asked(str(tmp_path / "s"), form="json", output="-"))
    assert capsys.readouterr().out == out
    file = tmp_path / "answer.json"
    report(asked(str(tmp_path / "s"), form="json", output=str(file)))
    assert file.read_text() == out
    assert capsys.readouterr().out == f"answer: {file}\n"
    with pytest.raises(ConfigError, match=r"cannot be written"):
        report(asked(str(tmp_path / "s"), form="json", output="/dev/null/x"))


def test_estimate_failures_and_margin_are_chosen_on_the_command_line(tmp_path: Path) -> None:
    fill(tmp_path / "a", "relu", seeds=range(8), loss=0.1)
    fill(tmp_path / "b", "identity", seeds=range(8), loss=0.1001)
    cfg = asked([str(tmp_path / "a"), str(tmp_path / "b")], form="json", output="-")
    cfg.report.estimate, cfg.report.failed, cfg.report.margin = "mean", "val/loss>=0.102", 0.01
    found = report(cfg)
    assert [each.estimates["val/loss"].name for each in found.groups] == ["mean", "mean"]
    assert [(each.failed.n, each.failed.of) for each in found.groups] == [(2, 8), (2, 8)]
    assert [each.verdict for each in found.comparisons] == ["equal"]
    cfg.report.estimate = "modus"
    with pytest.raises(ConfigError, match=r"report\.estimate=modus"):
        report(cfg)


def test_a_report_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    make_job(tmp_path / "0", metrics={"val/loss": 0.5})
    cfg = asked(str(tmp_path))
    cfg.report = "median"
    with pytest.raises(ConfigError, match=r"report=median: allowed: its keys estimate, failed and margin"):
        report(cfg)
