"""A run or sweep as one zip."""

import fcntl
import json
import os
import shutil
from pathlib import Path

import pytest

from src.analysis.records import read_job
from src.run.directory import RunDir
from src.sharing.pack import Weights, share
from src.sharing.unpack import unpack
from tests.analysis.jobs import make_job
from tests.sharing.zips import STORED, members


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED / "run", tmp_path / "secret" / "mine"))


def packed(path: Path, output: Path, *, weights: Weights = "best", pictures: bool = True) -> dict[str, bytes]:
    share(path, output, weights=weights, pictures=pictures)
    return members(output)


def test_a_run_is_shared_with_what_opens_it(run: Path, tmp_path: Path) -> None:
    (run / "plots").mkdir()
    (run / "plots" / "boundary.png").write_bytes(b"png")
    names = {name.removeprefix("mine/") for name in packed(run, tmp_path / "a.zip")}
    expected = {
        ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", "result.json", "metrics.csv", "train.log",
        "checkpoints/best.ckpt", "plots/boundary.png", "README.txt", "SHA256SUMS",
    }  # fmt: skip
    assert names == expected
    without = packed(run, tmp_path / "b.zip", weights="none", pictures=False)
    assert {name.removeprefix("mine/") for name in without} == expected - {
        "checkpoints/best.ckpt",
        "plots/boundary.png",
    }
    assert "plots/: pictures=false" in without["mine/README.txt"].decode()
    assert "mine/checkpoints/last.ckpt" in packed(run, tmp_path / "c.zip", weights="all")
    assert not list(tmp_path.glob(".*"))


def test_the_last_weights_are_shared_where_a_run_tests_those(run: Path, tmp_path: Path) -> None:
    (run / "checkpoints" / "best.ckpt").unlink()
    assert "mine/checkpoints/last.ckpt" in packed(run, tmp_path / "a.zip")


def test_no_path_of_the_sharer_stands_in_it(tmp_path: Path) -> None:
    run = tmp_path / "secret" / "mine"
    data = tmp_path / "secret" / "people.csv"
    job = make_job(run, f"data.path={data}", "seed=3", error=ValueError(f"{data} is broken; see {tmp_path}/secret/x/y"))
    (run / "data.json").write_text(json.dumps({"path": str(data), "columns": [{"name": "/a/b"}]}))
    (run / "train.log").write_text(f"{data}: 3 rows\nrun directory: {run}\n")
    # as a sweep or a command stores it
    config = job.config_file.read_text().replace("${hydra:runtime.output_dir}", str(run))
    job.config_file.write_text(config)
    files = packed(run, tmp_path / "a.zip")
    assert not [name for name, content in files.items() if str(tmp_path).encode() in content or b"secret" in content]
    assert json.loads(files["mine/data.json"]) == {"path": "people.csv", "columns": [{"name": "/a/b"}]}
    assert json.loads(files["mine/result.json"])["overrides"] == ["data.path=people.csv", "seed=3"]
    assert files["mine/train.log"] == b"people.csv: 3 rows\nrun directory: mine\n"
    text = files["mine/README.txt"].decode()
    assert "The data are not in it: data.path names people.csv. Put that file there, as seen from the folder" in text
    assert "the run has failed: people.csv is broken; see y\n" in text


def test_the_result_stays_that_of_the_configuration(tmp_path: Path) -> None:
    job = make_job(tmp_path / "mine", "data.path=/secret/lab/people.csv", metrics={"val/loss": 0.5})
    found = job.result()
    assert found is not None
    job.write_result(found)
    share(job.path, tmp_path / "a.zip", weights="best", pictures=True)
    unpack(tmp_path / "a.zip", tmp_path / "theirs")
    opened = read_job(tmp_path / "theirs", tmp_path)
    assert (opened.status, opened.problems, opened.metrics) == ("completed", (), {"val/loss": 0.5})
    assert opened.leaves["data.path"] == "people.csv"
    assert (
        json.loads((tmp_path / "theirs" / "result.json").read_text())["configuration"]
        == RunDir(tmp_path / "theirs").digest
    )


@pytest.mark.parametrize(
    ("given", "named"),
    [("u/a.csv", "u/a.csv"), ("a.csv", "a.csv"), ("../u/a.csv", "../u/a.csv"), ("/secret/lab/a.csv", "a.csv")],
)
def test_the_data_are_asked_for_where_the_shared_configuration_looks_for_them(
    given: str, named: str, tmp_path: Path
) -> None:
    job = make_job(tmp_path / "mine", f"data.path={given}", metrics={"val/loss": 0.5})
    report = share(job.path, tmp_path / "a.zip", weights="best", pictures=True)
    unpack(tmp_path / "a.zip", tmp_path / "theirs")
    assert read_job(tmp_path / "theirs", tmp_path).leaves["data.path"] == named
    assert report.data_files == {"data.path": named}
    text = (tmp_path / "theirs" / "README.txt").read_text()
    assert f"data.path names {named}. Put that file there, as seen from the folder where you start the commands" in text


def test_a_configuration_without_places_is_shared_byte_for_byte(tmp_path: Path) -> None:
    job = make_job(tmp_path / "plain", "seed=1", metrics={"val/loss": 0.5})
    files = packed(job.path, tmp_path / "a.zip")
    assert files["plain/.hydra/config.yaml"] == job.config_file.read_bytes()
    assert files["plain/result.json"] == job.result_file.read_bytes()


def test_nothing_from_outside_enters(run: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "boundary.png").write_text("private")
    (tmp_path / "outside" / "key").write_text("private")
    (run / "plots").symlink_to(tmp_path / "outside")
    (run / "metrics.csv").unlink()
    (run / "metrics.csv").symlink_to(tmp_path / "outside" / "key")
    (run / "train.log").unlink()
    os.mkfifo(run / "train.log")
    (run / "notes.md").write_text("private")
    files = packed(run, tmp_path / "a.zip")
    assert not any(b"private" in content for content in files.values())
    text = files["mine/README.txt"].decode()
    for name in ("plots", "metrics.csv", "train.log"):
        assert f"- {name}: it is no plain file but a link, a device" in text
    assert "- notes.md: no run or sweep writes a file of this name" in text


def test_what_runs_has_failed_or_is_broken_is_said(run: Path, tmp_path: Path) -> None:
    (run / "result.json").write_text("{")
    (run / "checkpoints" / "best.ckpt").write_bytes(b"damaged")
    descriptor = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        report = share(run, tmp_path / "a.zip", weights="best", pictures=True)
    finally:
        os.close(descriptor)
    assert report.missing[0] == "a command was still writing to the run: this is how far it was"
    assert "result.json cannot be read" in report.missing[1]
    assert any(line.startswith("result.json: ") for line in report.left_out)
    assert any(line == "checkpoints/best.ckpt: it is damaged: File is not a zip file" for line in report.left_out)
    assert "the run has no weights, so that src.eval and src.draw cannot open it" not in report.missing
    interrupted = Path(shutil.copytree(STORED / "interrupted", tmp_path / "interrupted"))
    report = share(interrupted, tmp_path / "b.zip", weights="best", pictures=True)
    assert report.missing == [
        "the run has not ended: it runs, or was interrupted, and has no result.json; with weights=all it could go on "
        "from where it was"
    ]


def test_a_sweep_is_shared_with_all_of_its_jobs_and_its_answer(tmp_path: Path) -> None:
    sweep = tmp_path / "secret" / "s"
    for seed in range(2):
        make_job(sweep / str(seed), f"seed={seed}", metrics={"val/loss": 0.5 + seed})
    (sweep / "multirun.yaml").write_text(f"hydra:\n  sweep:\n    dir: {sweep}\n  overrides: [a=b]\n")
    (sweep / "summary.csv").write_text(f"job,directory,error_message\n0,{sweep}/0,see {sweep}/0/x\n")
    (sweep / "report.html").write_text(f"<p>hydra.sweep.dir={sweep}</p><script>/a/b/</script>")
    (sweep / "study.db").write_text("private")
    (sweep / "thesis.pdf").write_text("private")
    files = packed(sweep, tmp_path / "a.zip")
    assert {"s/0/result.json", "s/1/.hydra/config.yaml", "s/multirun.yaml", "s/README.txt"} <= set(files)
    assert {"s/study.db", "s/thesis.pdf"} & set(files) == set()
    assert files["s/summary.csv"] == b"job,directory,error_message\n0,0,see s/0/x\n"
    assert files["s/report.html"] == b"<p>hydra.sweep.dir=s</p><script>/a/b/</script>"
    assert not any(b"secret" in content for content in files.values())


def test_a_name_that_not_every_system_takes_is_changed(run: Path, tmp_path: Path) -> None:
    strange = run.rename(tmp_path / 'a:b "c"\n')
    assert "a_b _c__/result.json" in packed(strange, tmp_path / "a.zip")
    assert unpack(tmp_path / "a.zip", tmp_path / "theirs")[0] == [tmp_path / "theirs"]


def test_a_failure_leaves_no_zip(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("src.sharing.pack.readme", fail)
    with pytest.raises(OSError, match="No space left"):
        share(run, tmp_path / "out" / "a.zip", weights="best", pictures=True)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_has_come_into_its_place_meanwhile_is_kept(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("theirs")
    with pytest.raises(FileExistsError):
        share(run, tmp_path / "a.zip", weights="best", pictures=True)
    assert (tmp_path / "a.zip").read_text() == "theirs"
