"""`python -m src.runs`: lists, finds and deletes."""

import fcntl
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from src.config.errors import ConfigError
from src.find.index import find_all
from src.find.rows import Row, differing, shown
from src.find.words import read_words
from src.runs import main, runs
from tests.find.trees import make_outputs, make_run
from tests.waiting import ROOT, completed


def listed(under: Path, *words: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    main([f"under={under}", "--json", *words])
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, list)
    return found


def names(under: Path, *words: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    return sorted(each["directory"] for each in listed(under, *words, capsys=capsys))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ["runs/a", "runs/b", "runs/c", "sweeps/s"]),
        (("data=blobs",), ["runs/b"]),
        (("data!=blobs",), ["runs/a", "runs/c", "sweeps/s"]),
        (("data=blobs,circles", "seed=2", "jobs=true"), ["runs/b", "sweeps/s/2"]),
        (("val/accuracy>0.85",), ["runs/b", "sweeps/s"]),
        (("val/accuracy>=0.9", "jobs=true"), ["runs/b", "sweeps/s/0"]),
        (("val/loss<0.3",), ["sweeps/s"]),
        (("val/loss<=0.3", "data=blobs"), ["runs/b"]),
        (("status=failed",), ["runs/c"]),
        (("status!=completed",), ["runs/c", "sweeps/s"]),
        # a reference to another key
        (("optimizer.lr=0.1", "data=blobs"), ["runs/b"]),
        (("optimizer.lr>1",), ["runs/c"]),
        (("model.net.hidden=[16,16]", "status=failed"), ["runs/c"]),
        (("directory=runs/a",), ["runs/a"]),
        (("directory=sweeps/s/,runs/a", "jobs=true"), ["runs/a", "sweeps/s/0", "sweeps/s/1", "sweeps/s/2"]),
        (("directory!=runs",), ["sweeps/s"]),
        (("since=2000-01-01", "until=2100-01-01", "seed=1", "jobs=true"), ["runs/a", "sweeps/s/1"]),
        (("until=2000-01-01",), []),
    ],
)
def test_conditions_choose(
    tmp_path: Path, words: Sequence[str], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert names(make_outputs(tmp_path), *words, capsys=capsys) == expected


def test_a_sweep_is_one_line_with_its_jobs_by_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sweep,) = listed(make_outputs(tmp_path), "directory=sweeps/s/0,sweeps/s/1,sweeps/s/2", capsys=capsys)
    assert (sweep["kind"], sweep["n_jobs"]) == ("sweep", 3)
    assert sweep["jobs"] == {"completed": 2, "unfinished": 1}
    assert (sweep["optimized"], sweep["value"], sweep["best"]) == ("val/loss", 0.2, "sweeps/s/1")
    assert sweep["differs"] == {"seed": ["0", "1", "2"]}


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("-val/accuracy", ["runs/b", "sweeps/s", "runs/a", "runs/c"]),
        ("val/loss", ["sweeps/s", "runs/b", "runs/a", "runs/c"]),
        ("directory", ["runs/a", "runs/b", "runs/c", "sweeps/s"]),
        ("-begun", ["sweeps/s", "runs/c", "runs/b", "runs/a"]),
    ],
)
def test_sorts(tmp_path: Path, sort: str, expected: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    make_outputs(tmp_path)
    for i, name in enumerate(("runs/a", "runs/b", "runs/c", "sweeps/s/0", "sweeps/s/1", "sweeps/s/2")):
        os.utime(tmp_path / name / ".hydra" / "config.yaml", (1e9 + i, 1e9 + i))
    assert [each["directory"] for each in listed(tmp_path, f"sort={sort}", capsys=capsys)] == expected


def test_the_table_tells_what_differs_result_and_what_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    make_outputs(tmp_path)
    (tmp_path / "runs" / "a" / "result.json").write_text("{")
    main([f"under={tmp_path}"])
    out = capsys.readouterr().out
    cells = [[cell.strip() for cell in line.split("│")] for line in out.splitlines() if line.startswith("│")]
    found = {line[1]: line[3:6] for line in cells}
    assert found == {
        "runs/a": ["seed=1", "", "cannot be read"],
        "runs/b": ["seed=2", "val/loss 0.3000", "completed"],
        "runs/c": ["lr=9.0", "", "failed: ValueError"],
        "sweeps/s": ["seed=0,1,2", "val/loss 0.2000 (job 1)", "2 completed, 1 unfinished"],
    }
    assert "runs/a: " in out
    assert "result.json cannot be read" in out


def test_a_group_that_some_lines_were_given_stands_in_all_that_have_an_option(tmp_path: Path) -> None:
    found = find_all(make_outputs(tmp_path)).runs
    rows = [
        Row.of(replace(found[0], overrides={"x": "1", "y": "2"})),
        Row.of(replace(found[1], overrides={"x": "1", "data": "blobs"})),
        Row.of(replace(found[1], overrides={"x": "1", "debug": "limit"})),
    ]
    assert [shown(each) for each in differing(rows)] == ["y=2 data=circles", "data=blobs", "data=blobs debug=limit"]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"a.lr": ("0.05512766060994893",), "b.lr": ("1",)}, "a.lr=0.05513 b.lr=1"),
        ({"model.net.activation": ("relu", "tanh")}, "activation=relu,tanh"),
        ({"seed": tuple("0123456789")}, "seed=0,1,2,... (10 values)"),
    ],
)
def test_what_differs_is_short(values: dict[str, tuple[str, ...]], text: str) -> None:
    assert shown(values) == text


def test_the_best_run_of_each_metric(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([f"under={make_outputs(tmp_path)}", "best", "--json"])
    best = json.loads(capsys.readouterr().out)
    assert {name: run["directory"] for name, run in best.items()} == {
        "val/loss": "sweeps/s/1",
        "val/accuracy": "runs/b",
    }
    main([f"under={tmp_path}", "best", "data=circles"])
    out = capsys.readouterr().out
    assert "sweeps/s/0" in out
    assert "runs/b" not in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("dta=circles",), r"dta: no run has it; did you mean data\?"),
        (("accuracy>0.5",), r"accuracy: no run has it; did you mean val/accuracy\?"),
        (("sort=val/los",), r"val/los: no run has it; did you mean val/loss\?"),
        (("data=circels",), r"no run has data=circels; did you mean data=circles\?"),
        (("clean",), r"clean: give a filter"),
        (("clean", "yes=true"), r"clean: give a filter"),
    ],
)
def test_mistakes_are_answered_with_the_nearest(tmp_path: Path, words: Sequence[str], message: str) -> None:
    make_outputs(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=message):
        runs(read_words([f"under={tmp_path}", *words], now=datetime.now().astimezone()))
    assert [path for path in sorted(tmp_path.rglob("*")) if path.name != ".index.json"] == before


def test_a_folder_that_is_missing_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["under=nowhere"])
    assert capsys.readouterr().err == (
        "under=nowhere: no such directory; give a folder of runs and sweeps, such as outputs\n"
    )


def clean(under: Path, *words: str, answer: str | None = None) -> None:
    def ask(question: str) -> str:
        assert "Delete " in question
        if answer is None:
            raise EOFError
        return answer

    runs(read_words(["clean", f"under={under}", *words], now=datetime.now().astimezone()), ask=ask)


def left(under: Path) -> list[str]:
    return sorted(str(path.parent.parent.relative_to(under)) for path in under.rglob("config.yaml"))


def test_clean_deletes_what_a_filter_names_after_asking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_outputs(tmp_path)
    clean(tmp_path, "status=failed", answer="no")
    assert capsys.readouterr().out.endswith("nothing is deleted\n")
    with pytest.raises(ConfigError, match="nobody is there to answer; yes=true"):
        clean(tmp_path, "status=failed")
    assert len(left(tmp_path)) == 6
    clean(tmp_path, "status=failed", answer="yes")
    assert left(tmp_path) == ["runs/a", "runs/b", "sweeps/s/0", "sweeps/s/1", "sweeps/s/2"]
    assert "B are free\n" in capsys.readouterr().out
    assert not list(tmp_path.rglob("*.deleted"))


def test_a_sweep_goes_as_a_whole_only_if_all_of_its_jobs_are_meant(tmp_path: Path) -> None:
    make_outputs(tmp_path)
    clean(tmp_path, "status=unfinished", "yes=true")
    assert (tmp_path / "sweeps" / "s" / "multirun.yaml").exists()
    assert left(tmp_path / "sweeps") == ["s/0", "s/1"]
    clean(tmp_path, "status=completed", "yes=true")
    assert list((tmp_path / "sweeps").iterdir()) == []
    assert left(tmp_path) == ["runs/c"]


def test_what_no_run_has_written_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_outputs(tmp_path)
    (tmp_path / "runs" / "a" / "thesis.tex").touch()
    (tmp_path / "sweeps" / "s" / "notes").mkdir()
    make_run(tmp_path / "runs" / "b" / "plots" / "inner", metrics={})
    clean(tmp_path, "status!=failed", "yes=true")
    out = capsys.readouterr().out
    assert "runs/a stays: it holds thesis.tex, which no run has written; move it away, or give foreign=true" in out
    assert "sweeps/s itself stays: it holds notes, which no sweep has written" in out
    assert "runs/b stays: " in out
    assert left(tmp_path) == ["runs/a", "runs/b", "runs/b/plots/inner", "runs/c"]
    clean(tmp_path, "directory=runs/a", "yes=true", "foreign=true")
    assert not (tmp_path / "runs" / "a").exists()


def test_a_folder_that_is_itself_a_run_is_not_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path, "seed=1", metrics={})
    clean(tmp_path, "seed=1", "yes=true")
    assert ". stays: it is the folder that is searched\n" in capsys.readouterr().out
    assert (tmp_path / "result.json").exists()


def test_links_are_not_followed_when_deleting(tmp_path: Path) -> None:
    under = make_outputs(tmp_path / "outputs")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (under / "runs" / "a" / "plots").symlink_to(tmp_path / "precious")
    (under / "runs" / "b" / "result.json").rename(tmp_path / "result.json")
    (under / "runs" / "b" / "result.json").symlink_to(tmp_path / "result.json")
    clean(under, "data=circles,blobs", "status=completed", "yes=true")
    assert (tmp_path / "precious" / "file").exists()
    assert (tmp_path / "result.json").exists()
    assert not (under / "runs" / "a").exists()


@pytest.mark.parametrize("locked", ["runs/a", "sweeps/s", "sweeps/s/0"])
def test_what_is_being_written_stays(tmp_path: Path, locked: str, capsys: pytest.CaptureFixture[str]) -> None:
    make_outputs(tmp_path)
    descriptor = os.open(tmp_path / locked, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        clean(tmp_path, "status=completed,unfinished", "yes=true")
    finally:
        os.close(descriptor)
    assert "stays: a command is writing there\n" in capsys.readouterr().out
    assert (tmp_path / locked).exists()
    assert not (tmp_path / "runs" / "b").exists()


def test_a_run_that_cannot_be_read_can_be_deleted(tmp_path: Path) -> None:
    make_outputs(tmp_path)
    (tmp_path / "runs" / "a" / ".hydra" / "config.yaml").write_text("{")
    clean(tmp_path, "status=unreadable", "yes=true")
    assert left(tmp_path) == ["runs/b", "runs/c", "sweeps/s/0", "sweeps/s/1", "sweeps/s/2"]


@pytest.mark.slow
def test_the_command_lists_without_torch(tmp_path: Path) -> None:
    make_outputs(tmp_path / "outputs")
    code = (
        "import sys, runpy; sys.argv = ['x', 'status=failed']; runpy.run_module('src.runs', run_name='__main__'); "
        "print(sorted({'torch', 'lightning', 'sklearn', 'matplotlib', 'hydra'} & set(sys.modules)))"
    )
    done = completed(sys.executable, "-c", code, cwd=tmp_path, env={"PATH": "", "PYTHONPATH": str(ROOT)})
    assert (done.returncode, done.stderr) == (0, "")
    assert "runs/c" in done.stdout
    assert done.stdout.endswith("\n[]\n")
    done = completed(sys.executable, "-m", "src.runs", "--help")
    assert done.stdout.startswith("python -m src.runs [best | clean]")


def test_a_narrow_terminal_gets_lines_in_which_no_name_is_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    under = make_outputs(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    main([f"under={under}", "directory=sweeps/s,runs/a"])
    lines = capsys.readouterr().out.splitlines()
    assert {"sweeps/s", "runs/a"} <= set(lines)
    assert all(line == line.rstrip() and len(line) <= 60 for line in lines)
    assert "2 completed, 1 unfinished" in " ".join(line.strip() for line in lines if line.startswith("    "))
