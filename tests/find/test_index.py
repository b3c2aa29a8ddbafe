"""Finding all runs, and not reading again what has not changed."""

import json
import os
import shutil
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from src.find.index import FILE, find_all
from src.find.query import select
from src.find.rows import rows_of
from src.find.words import read_words
from src.run.directory import RunDir
from src.sharing.pack import share
from src.sharing.unpack import unpack
from tests.find.trees import make_outputs, make_run

NAMES = ["runs/a", "runs/b", "runs/c", "sweeps/s/0", "sweeps/s/1", "sweeps/s/2"]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files that were read."""
    paths: list[str] = []
    real = os.open

    def record(path: Any, *arguments: Any, **more: Any) -> int:
        paths.append(str(path))
        return real(path, *arguments, **more)

    monkeypatch.setattr(os, "open", record)
    return paths


def of_runs(opened: list[str]) -> list[str]:
    found = [path for path in opened if path.endswith((".yaml", "result.json"))]
    opened.clear()
    return found


def test_all_runs_are_found_with_their_sweep_choice_and_end(tmp_path: Path) -> None:
    found = find_all(make_outputs(tmp_path))
    assert [run.name for run in found.runs] == NAMES
    assert [run.sweep for run in found.runs] == [None, None, None, *["sweeps/s"] * 3]
    assert [run.status for run in found.runs] == [
        "completed", "completed", "failed", "completed", "completed", "unfinished",
    ]  # fmt: skip
    assert list(found.sweeps) == ["sweeps/s"]
    blobs = found.runs[1]
    assert (blobs.choices["data"], blobs.seed, blobs.metrics["val/loss"]) == ("blobs", 2, 0.3)
    assert (blobs.optimized, blobs.overrides, blobs.duration_s) == ("val/loss", {"seed": "2"}, 1.5)


def test_a_second_look_reads_no_file_of_a_run_and_finds_the_same(tmp_path: Path, opened: list[str]) -> None:
    first = find_all(make_outputs(tmp_path))
    assert len(of_runs(opened)) >= 3 * len(NAMES)
    again = find_all(tmp_path)
    assert of_runs(opened) == []
    assert (first.n_read, again.n_read) == (len(NAMES), 0)
    assert again.runs == first.runs


@pytest.mark.parametrize(
    "ending",
    [{"metrics": {"val/loss": 0.1}}, {"error": ValueError("no")}, {}],
    ids=["completed", "failed", "unfinished"],
)
@pytest.mark.parametrize("job", ["", "0"])
def test_a_run_began_when_it_says_so_wherever_it_was_copied_or_unpacked(
    tmp_path: Path, ending: dict[str, Any], job: str
) -> None:
    source = tmp_path / "outputs" / "mine"
    run = make_run(source / job, "seed=1", **ending)
    if job:
        (source / "multirun.yaml").write_text("hydra: {}\n")
    RunDir(run).begun_file.write_text("2020-01-02T03:04:05+00:00\n")
    shutil.copytree(source, tmp_path / "outputs" / "copied", copy_function=shutil.copyfile)
    share(source, tmp_path / "x.zip", weights="best", pictures=True)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        archive.extractall(tmp_path / "outputs" / "unzipped")
    unpack(tmp_path / "x.zip", tmp_path / "outputs" / "opened")
    for n_read in (4, 0):
        found = find_all(tmp_path / "outputs")
        assert ([run.begun for run in found.runs], found.n_read) == ([1577934245.0] * 4, n_read)
        since = read_words(["since=2020-01-02", "until=2020-01-02"], now=datetime.now(timezone.utc))
        assert len(select(found.runs, since)) == 4
        assert select(found.runs, read_words(["since=2020-01-03"], now=datetime.now(timezone.utc))) == []
        assert [row.begun for row in rows_of(found, found.runs, since)] == [1577934245.0] * 4


def test_a_run_that_has_not_recorded_when_it_began_has_the_time_of_its_file(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mine", "seed=1")
    RunDir(run).begun_file.unlink()
    os.utime(run / ".hydra" / "config.yaml", (1e9, 1e9))
    for _ in range(2):
        assert [run.begun for run in find_all(tmp_path).runs] == [1e9]


def test_an_index_that_does_not_know_when_runs_began_is_made_anew(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mine", "seed=1")
    find_all(tmp_path)
    RunDir(run).begun_file.write_text("2020-01-02T03:04:05+00:00\n")
    index = json.loads((tmp_path / FILE).read_text())
    del index["runs"]["mine"][2]["begun"]
    (tmp_path / FILE).write_text(json.dumps({**index, "format": 1}))
    found = find_all(tmp_path)
    assert (found.n_read, [run.begun for run in found.runs]) == (1, [1577934245.0])


def test_only_what_has_changed_is_read_again(tmp_path: Path, opened: list[str]) -> None:
    find_all(make_outputs(tmp_path))
    make_run(tmp_path / "sweeps" / "s" / "2", "seed=2", metrics={"val/loss": 0.1})
    make_run(tmp_path / "sweeps" / "s" / "3", "seed=4")
    opened.clear()
    found = find_all(tmp_path)
    assert {Path(path).relative_to(tmp_path / "sweeps" / "s").parts[0] for path in of_runs(opened)} == {"2", "3"}
    assert found.n_read == 2
    assert found.runs[-2].metrics == {"val/loss": 0.1}
    assert find_all(tmp_path).n_read == 0


def test_a_run_that_is_gone_leaves_the_index(tmp_path: Path) -> None:
    find_all(make_outputs(tmp_path))
    (tmp_path / "runs" / "c").rename(tmp_path / ".c")
    assert "runs/c" not in [run.name for run in find_all(tmp_path).runs]
    assert "runs/c" not in json.loads((tmp_path / FILE).read_text())["runs"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"format": 1}',
        b'{"format": 99, "pairs": [], "runs": {}}',
        b'{"format": 1, "pairs": [1], "runs": {}}',
        b'{"format": 1, "pairs": [], "runs": []}',
        b"[" * 100_000,
    ],
)
def test_an_index_that_is_broken_is_made_anew(tmp_path: Path, content: bytes) -> None:
    first = find_all(make_outputs(tmp_path))
    (tmp_path / FILE).write_bytes(content)
    assert find_all(tmp_path) == first
    assert find_all(tmp_path).n_read == 0


@pytest.mark.parametrize("entry", [None, [], {}, {"status": "best"}, {"status": "completed", "leaves": [10**9]}])
def test_an_entry_that_is_broken_is_read_anew(tmp_path: Path, entry: Any) -> None:
    first = find_all(make_outputs(tmp_path))
    index = json.loads((tmp_path / FILE).read_text())
    index["runs"]["runs/a"][2] = entry
    (tmp_path / FILE).write_text(json.dumps(index))
    found = find_all(tmp_path)
    assert (found.runs, found.n_read) == (first.runs, 1)


def test_an_index_behind_a_link_is_neither_read_nor_followed(tmp_path: Path) -> None:
    make_outputs(tmp_path / "outputs")
    (tmp_path / "theirs").write_text("keep me")
    (tmp_path / "outputs" / FILE).symlink_to(tmp_path / "theirs")
    assert find_all(tmp_path / "outputs").n_read == len(NAMES)
    assert (tmp_path / "theirs").read_text() == "keep me"


def test_a_folder_that_one_may_only_read_needs_no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, _: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    # who runs the tests may be allowed to write everywhere
    monkeypatch.setattr("src.find.index.write_atomically", refuse)
    make_outputs(tmp_path)
    assert [run.name for run in find_all(tmp_path).runs] == NAMES
    assert find_all(tmp_path).n_read == len(NAMES)


def test_a_broken_run_is_told_and_stops_no_other(tmp_path: Path) -> None:
    make_outputs(tmp_path)
    (tmp_path / "runs" / "a" / "result.json").write_text('{"status": "best"}')
    os.mkfifo(tmp_path / "runs" / "fifo")
    (tmp_path / "runs" / "b" / ".hydra" / "config.yaml").unlink()
    os.mkfifo(tmp_path / "runs" / "b" / ".hydra" / "config.yaml")
    for _ in range(2):
        found = find_all(tmp_path)
        assert [run.status for run in found.runs][:3] == ["unreadable", "unreadable", "failed"]
        assert "result.json cannot be read: status is 'best'" in found.runs[0].problems[0]
        assert "it is no file but a directory or a device" in found.runs[1].problems[0]


def test_links_are_not_followed(tmp_path: Path) -> None:
    make_outputs(tmp_path / "elsewhere")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "link").symlink_to(tmp_path / "elsewhere" / "runs")
    (tmp_path / "outputs" / "circle").symlink_to(tmp_path / "outputs")
    assert find_all(tmp_path / "outputs").runs == ()
