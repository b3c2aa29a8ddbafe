"""Opening a zip that somebody else has made."""

import hashlib
import io
import json
import os
import re
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import src.sharing.unpack
from src.analysis.records import read_job
from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.sharing.pack import share
from src.sharing.unpack import unpack
from src.tasks.checkpoint import load_checkpoint
from tests.sharing.zips import STORED, members, write

GOOD = {"r/.hydra/config.yaml": "seed: 1\n", "r/result.json": '{"status": "completed"}'}


def left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.mark.parametrize("name", ["run", "sweep", "stacked", "interrupted"])
def test_what_was_shared_is_there_again_with_its_times(tmp_path: Path, name: str) -> None:
    source = Path(shutil.copytree(STORED / name, tmp_path / name))
    configs = sorted(source.rglob("config.yaml"))
    for config in configs:
        os.utime(config, (1_700_000_000, 1_700_000_000))
    share(source, tmp_path / "x.zip", weights="all", pictures=True)
    runs, skipped = unpack(tmp_path / "x.zip", tmp_path / "theirs")
    assert skipped == []
    assert [run.relative_to(tmp_path / "theirs") for run in runs] == [
        config.parents[1].relative_to(source) for config in configs
    ]
    for config, run in zip(configs, runs, strict=True):
        ours, theirs = read_job(config.parents[1], source), read_job(run, tmp_path / "theirs")
        assert (ours.status, ours.metrics, ours.seed, theirs.problems) == (
            theirs.status,
            theirs.metrics,
            theirs.seed,
            (),
        )
        assert (run / "checkpoints" / "best.ckpt").read_bytes() == (
            config.parents[1] / "checkpoints" / "best.ckpt"
        ).read_bytes()
        assert (run / ".hydra" / "config.yaml").stat().st_mtime == 1_700_000_000
    assert (tmp_path / "theirs" / "README.txt").is_file()
    assert stat.S_IMODE((tmp_path / "theirs").stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/r/result.json", "it would lie elsewhere"),
        ("r/../../result.json", "it would lie elsewhere"),
        ("../result.json", "it would lie elsewhere"),
        ("r/./x", "it would lie elsewhere"),
        ("r//x", "it would lie elsewhere"),
        ("r\\..\\x", "a character that no file of a run has"),
        ("C:/x", "a character that no file of a run has"),
        ("r/a\nb", "a character that no file of a run has"),
        ("r/" + "é" * 128, "its name is too long"),
        ("r/" + "a/" * 20 + "x", "its name is too long"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(out: Path, name: str, why: str) -> None:
    archive = write(out.parent / "x.zip", {**GOOD, name: "evil"})
    with pytest.raises(ConfigError, match=rf"is refused: .*{why}.*; nothing is unpacked"):
        unpack(archive, out / "r")
    assert left(out) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR])
def test_links_and_devices_are_refused(out: Path, kind: int) -> None:
    path = write(out.parent / "x.zip", GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("r/metrics.csv")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ConfigError, match=r"'r/metrics\.csv' is refused: it is a link or a device"):
        unpack(path, out / "r")
    assert left(out) == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("twice", ["r/result.json", "r/RESULT.json"])
def test_a_file_that_comes_twice_is_refused(out: Path, twice: str) -> None:
    path = write(out.parent / "x.zip", GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(twice, "{}")
    with pytest.raises(ConfigError, match="twice"):
        unpack(path, out / "r")
    assert left(out) == []


def test_a_bomb_is_refused_before_it_is_unpacked(out: Path) -> None:
    archive = write(out.parent / "x.zip", {**GOOD, "r/metrics.csv": b"0" * 150_000_000})
    with pytest.raises(ConfigError, match=r"unpacked it would be 1500000\d\d bytes, of \d+; allowed"):
        unpack(archive, out / "r")
    assert left(out) == []


def test_too_many_files_are_refused(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(src.sharing.unpack, "_MOST_FILES", 1)
    with pytest.raises(ConfigError, match="it holds 2 files; allowed: 1"):
        unpack(write(out.parent / "x.zip", GOOD), out / "r")


def test_a_file_that_says_it_is_smaller_is_refused(out: Path) -> None:
    path = write(out.parent / "x.zip", {"r/metrics.csv": b"0" * 1000, **GOOD})
    data = path.read_bytes()
    # sizes in the header before the file, and in the directory at the end
    assert data.count(struct.pack("<L", 1000)) == 2
    path.write_bytes(data.replace(struct.pack("<L", 1000), struct.pack("<L", 10)))
    with pytest.raises(ConfigError, match=r"it is no zip that can be read|larger than it says"):
        unpack(path, out / "r")
    assert left(out) == []


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + b"\0" * 18, b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_is_refused(out: Path, content: bytes) -> None:
    path = out.parent / "x.zip"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"open=\S+x\.zip: it (is no zip|holds no run)"):
        unpack(path, out / "r")
    assert left(out) == []


def test_a_damaged_zip_leaves_nothing(out: Path) -> None:
    path = write(out.parent / "x.zip", {**GOOD, "r/metrics.csv": os.urandom(5000)})
    data = bytearray(path.read_bytes())
    data[2000] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="it is no zip that can be read"):
        unpack(path, out / "r")
    assert left(out) == []


def flipped(data: bytes) -> bytes:
    return data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]


def shared(tmp_path: Path, name: str) -> dict[str, bytes]:
    """Files of what was shared, by their path in the zip, with what no stored run has."""
    source = Path(shutil.copytree(STORED / name, tmp_path / "r"))
    for path in (source, *(each for each in source.iterdir() if each.name.isdecimal())):
        if RunDir(path).result_file.exists():
            RunDir(path).write_data_record({"columns": []})
            RunDir(path).calibration_file.write_text('{"temperature": 2.0}')
    share(source, tmp_path / "good.zip", weights="all", pictures=True)
    return members(tmp_path / "good.zip")


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "checkpoints/best.ckpt": flipped,
    "checkpoints/last.ckpt": lambda data: data[:-300],
    "result.json": lambda data: data[:-2],
    ".hydra/config.yaml": lambda data: data + b"seed: [",
    ".hydra/overrides.yaml": lambda _: b"seed: 1",
    "data.json": lambda _: b"[]",
    "calibration.json": lambda _: b"",
    "metrics.csv": lambda _: b"epoch,loss\n1,high\n",
}


@pytest.mark.parametrize("file", DAMAGE)
@pytest.mark.parametrize("name", ["run", "sweep"])
@pytest.mark.parametrize("sums", ["with sums", "without"])
def test_a_file_that_is_damaged_is_named_and_nothing_is_unpacked(out: Path, name: str, file: str, sums: str) -> None:
    files = shared(out.parent, name)
    inner = file if name == "run" else f"1/{file}"
    files[f"r/{inner}"] = DAMAGE[file](files[f"r/{inner}"])
    if sums == "without":
        del files["r/SHA256SUMS"]
    said = "cannot be read" if sums == "without" else "is not what was shared"
    with pytest.raises(ConfigError, match=rf"open=\S+x\.zip: {re.escape(inner)} {said}.*; nothing is unpacked"):
        unpack(write(out.parent / "x.zip", files), out / "r", load=load_checkpoint)
    assert left(out) == []


def test_a_checkpoint_that_would_run_something_is_not_opened(out: Path) -> None:
    files, evil = shared(out.parent, "run"), io.BytesIO()
    torch.save({"state_dict": Path("x")}, evil)
    del files["r/SHA256SUMS"]
    archive = write(out.parent / "x.zip", {**files, "r/checkpoints/best.ckpt": evil.getvalue()})
    with pytest.raises(ConfigError, match=r"checkpoints/best\.ckpt cannot be read: .*which is not loaded"):
        unpack(archive, out / "r", load=load_checkpoint)
    assert left(out) == []


def test_the_result_of_another_configuration_is_refused(out: Path) -> None:
    files = shared(out.parent, "run")
    tree = json.loads(files["r/result.json"])
    files["r/result.json"] = json.dumps({**tree, "configuration": "0" * 64}).encode()
    del files["r/SHA256SUMS"]
    with pytest.raises(ConfigError, match=r"x\.zip: result\.json cannot be read: it is the result of another"):
        unpack(write(out.parent / "x.zip", files), out / "r")
    assert left(out) == []


def test_every_file_that_was_shared_has_to_be_there(out: Path) -> None:
    files = shared(out.parent, "sweep")
    for name in files:
        if name != "r/SHA256SUMS":
            rest = {each: content for each, content in files.items() if each != name}
            with pytest.raises(ConfigError, match=rf"{re.escape(name[2:])} is missing, which was shared"):
                unpack(write(out.parent / "x.zip", rest), out / "r")
    assert left(out) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("r/other/result.json", "other/ is a run inside of the run"),
        ("r/other/.hydra/config.yaml", "other/ is a run inside of the run"),
        ("other/result.json", "it holds several folders, other and r"),
        ("other/.hydra/config.yaml", "it holds several folders, other and r"),
    ],
)
@pytest.mark.parametrize("sums", ["with sums", "without"])
def test_a_second_run_beside_the_first_is_refused(out: Path, more: str, said: str, sums: str) -> None:
    files = {**shared(out.parent, "run"), more: b"{}"}
    if sums == "without":
        del files["r/SHA256SUMS"]
    with pytest.raises(ConfigError, match=said):
        unpack(write(out.parent / "x.zip", files), out / "r")
    assert left(out) == []


def test_a_job_that_was_not_shared_with_its_sweep_is_refused(out: Path) -> None:
    files = {**shared(out.parent, "sweep"), "r/other/result.json": b'{"status": "completed"}'}
    with pytest.raises(ConfigError, match=r"other/result\.json was not shared with the others, as SHA256SUMS"):
        unpack(write(out.parent / "x.zip", files), out / "r")
    assert left(out) == []


def test_a_zip_of_a_sweep_from_its_own_directory_opens(out: Path) -> None:
    files = {name.removeprefix("r/"): content for name, content in shared(out.parent, "sweep").items()}
    for _ in range(2):
        runs, skipped = unpack(write(out.parent / "x.zip", files), out / "r", load=load_checkpoint)
        assert ([run.name for run in runs], skipped) == (["0", "1", "2", "3"], [])
        shutil.rmtree(out / "r")
        files.pop("SHA256SUMS", None)


def test_the_checksums_are_those_that_other_software_checks(tmp_path: Path) -> None:
    files = shared(tmp_path, "run")
    lines = files["r/SHA256SUMS"].decode().splitlines()
    assert lines == [
        f"{hashlib.sha256(content).hexdigest()}  {name[2:]}"
        for name, content in files.items()
        if name != "r/SHA256SUMS"
    ]


@pytest.mark.parametrize("content", [b"\xff", b"no sums", b"0" * 64 + b" *README.txt"])
def test_checksums_that_are_none_are_refused(out: Path, content: bytes) -> None:
    with pytest.raises(ConfigError, match="SHA256SUMS cannot be read"):
        unpack(write(out.parent / "x.zip", {**GOOD, "r/SHA256SUMS": content}), out / "r")
    assert left(out) == []


def test_what_a_run_that_goes_on_for_longer_has_aside_is_no_second_run(out: Path) -> None:
    aside = {f"r/.extending/{name.removeprefix('r/')}": content for name, content in GOOD.items()}
    runs, skipped = unpack(write(out.parent / "x.zip", {**GOOD, **aside}), out / "r")
    assert (runs, sorted(skipped)) == ([out / "r"], [".extending/.hydra/config.yaml", ".extending/result.json"])


def test_a_target_that_exists_is_refused(out: Path) -> None:
    archive = write(out.parent / "x.zip", GOOD)
    (out / "r").mkdir()
    (out / "link").symlink_to(out / "nowhere")
    for name in ("r", "link"):
        with pytest.raises(ConfigError, match="it is there already; give a directory that is not"):
            unpack(archive, out / name)
    assert left(out) == ["link", "r"]


def test_what_no_run_writes_stays_in_the_zip(out: Path) -> None:
    others = {"r/torch.py": "evil", "r/checkpoints/evil.pkl": "evil", "r/.hydra/x.py": "evil", "r/plots/a.exe": "evil"}
    runs, skipped = unpack(write(out.parent / "x.zip", {**GOOD, **others}), out / "r")
    assert runs == [out / "r"]
    assert sorted(skipped) == sorted(name.removeprefix("r/") for name in others)
    assert left(out / "r") == [".hydra", ".hydra/config.yaml", "result.json"]


@pytest.mark.parametrize("top", ["", "r/", "r/0/"])
def test_a_zip_made_by_hand_opens_with_or_without_a_folder(out: Path, top: str) -> None:
    files = {f"{top}{name.removeprefix('r/')}": content for name, content in GOOD.items()}
    runs, skipped = unpack(write(out.parent / "x.zip", files), out / "mine")
    assert [run.relative_to(out).as_posix() for run in runs] == ["mine/0" if top == "r/0/" else "mine"]
    assert skipped == []


def test_a_zip_without_a_run_is_refused(out: Path) -> None:
    with pytest.raises(ConfigError, match="it holds no run"):
        unpack(write(out.parent / "x.zip", {"r/metrics.csv": "", "README.txt": ""}), out / "r")
    assert left(out) == []
