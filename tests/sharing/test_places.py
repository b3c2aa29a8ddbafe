"""Paths of a machine, taken out of texts."""

from pathlib import Path

import pytest

from src.sharing.places import Places, outside_files

CODE = Path(__file__).resolve().parents[2]


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("HOME", "/home/jo")
    found = Places(Path("/home/jo/outputs/runs/mine"), "mine")
    found.learn("/data/the lab/people.csv")
    found.learn("/scratch/jo", ".", is_vague=True)
    return found


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("run directory: /home/jo/outputs/runs/mine", "run directory: mine"),
        ("/home/jo/outputs/runs/mine/train.log", "mine/train.log"),
        ("/home/jo/outputs/runs/mine2/train.log", "train.log"),
        ("see /home/jo/secret/x.csv, line 3", "see x.csv, line 3"),
        ("started in /scratch/jo, see /scratch/jo/secret/x", "started in ., see x"),
        ("the home /home/jo itself", "the home ~ itself"),
        (f'File "{CODE}/src/fit.py", line 1', 'File "./src/fit.py", line 1'),
        ('File "/usr/lib/python3.11/runpy.py"', 'File "runpy.py"'),
        ("/data/the lab/people.csv: 200 rows", "people.csv: 200 rows"),
        ("sqlite:////data/lab/study.db", "sqlite:///study.db"),
        ("[file:///home/jo/conf]", "[file://conf]"),
        (r"C:\Users\Jo\x.csv", "x.csv"),
        ("data.path=/a/b.csv", "data.path=b.csv"),
        # no paths of a machine
        ("val/loss and train/accuracy", "val/loss and train/accuracy"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("1/2/3, 5 km/h, ../x/y, ./a/b, ~/c/d", "1/2/3, 5 km/h, ../x/y, ./a/b, ~/c/d"),
    ],
)
def test_texts_lose_absolute_paths(places: Places, text: str, without: str) -> None:
    assert places.in_text(text) == without


def test_other_texts_lose_what_is_known_and_nothing_else(places: Places) -> None:
    text = "/home/jo/outputs/runs/mine/0 /data/the lab/people.csv /other/place /home/jo"
    assert places.in_exact(text) == "mine/0 people.csv /other/place ~"
    other = Places(Path("/a/R&D"), "R&D")
    assert other.in_exact("<a href='/a/R&amp;D/0'>/a/R&D</a>") == "<a href='R&D/0'>R&D</a>"


def test_a_configuration_loses_paths_where_it_names_files(places: Places) -> None:
    tree = {
        "run_dir": "/home/jo/outputs/runs/mine",
        "data": {"path": "/data/my own/x.csv", "columns": ["/a/b", "c"], "n": 3},
        "logger": {"csv": {"save_dir": "${run_dir}"}},
    }
    assert places.in_value("", tree) == {
        "run_dir": "mine",
        "data": {"path": "x.csv", "columns": ["/a/b", "c"], "n": 3},
        "logger": {"csv": {"save_dir": "${run_dir}"}},
    }
    assert places.in_override("data.path=/a/b/c.csv") == "data.path=c.csv"
    assert places.in_override("~callbacks.pictures") == "~callbacks.pictures"


def test_files_outside_of_a_run_are_known_by_their_keys() -> None:
    leaves = {"data.path": "/a/x.csv", "data.target": "y/z", "data.file": "b.csv", "model.path": "/c/d"}
    assert dict(outside_files(leaves)) == {"data.path": "/a/x.csv", "data.file": "b.csv"}
    assert dict(outside_files({"data.path": "sklearn:iris"})) == {}
