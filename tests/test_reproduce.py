"""A stored configuration is run again beside its run, and both are compared; uncommitted code is kept with a run."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from src.config.errors import ConfigError
from src.reproduce import compare, configuration, difference_of
from src.run import patch
from src.run.directory import beside
from src.run.patch import NAME, OFF, keep_patch, patch_of, uncommitted
from src.tasks.checkpoint import load_checkpoint
from src.train import reproduce, train
from tests.tasks.runs import listing, small

ROOT = Path(__file__).parents[1]
SMALL = ("callbacks=none", "logger=csv", "data.n_samples=50", "data.n_val=30", "trainer.max_epochs=8")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    train(small(*SMALL, run_dir=tmp_path / "run"), overrides=["seed=42"])
    return tmp_path / "run"


def change(path: Path, **fields: Any) -> None:
    found = json.loads(path.read_text())
    path.write_text(json.dumps({**found, **fields}))


def verdicts(stored: Path, now: Path) -> dict[str, str]:
    return {row.what: row.verdict for row in compare(stored, now).rows}


def test_the_same_configuration_gives_the_same_digits(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {name: (run / name).read_bytes() for name in listing(run)}
    again = beside(run)
    assert reproduce(run, again)
    assert verdicts(run, again) == dict.fromkeys(
        ("metrics", "best weights", "last weights", "versions", "device", "commit"), "equal"
    )
    assert {name: (run / name).read_bytes() for name in listing(run)} == before
    result = json.loads((again / "result.json").read_text())
    assert (result["status"], result["overrides"]) == ("completed", ["seed=42"])
    said = capsys.readouterr().out
    assert f"stored: {run}" in said
    assert f"now: {again}" in said


def test_what_differs_is_told_with_by_how_much(run: Path) -> None:
    again = run.with_name("again")
    shutil.copytree(run, again)
    result = json.loads((run / "result.json").read_text())
    metrics = {**result["metrics"], "test/loss": result["metrics"]["test/loss"] + 0.25, "val/f1": None, "val/more": 1.0}
    change(run / "result.json", metrics=metrics, versions={**result["versions"], "torch": "1.0"}, device="cuda:0")
    change(run / "result.json", git={"commit": "f" * 40, "dirty": False})
    checkpoint = load_checkpoint(run / "checkpoints" / "best.ckpt")
    name = next(iter(checkpoint["state_dict"]))
    checkpoint["state_dict"][name][0] += 0.5
    torch.save(checkpoint, run / "checkpoints" / "best.ckpt")
    (again / "checkpoints" / "last.ckpt").unlink()
    found = compare(run, again)
    assert not found.is_equal
    assert {row.what: row.verdict for row in found.rows} == {
        "test/loss": "0.25",
        "val/f1": "differs",
        "val/more": "differs",
        "best weights": "largest 0.5",
        "last weights": "nothing to compare",
        "torch": "differs",
        "device": "differs",
        "commit": "differs",
    }
    # a metric that was not measured then says nothing
    del metrics["test/loss"], metrics["val/f1"], metrics["val/more"]
    change(run / "result.json", metrics=metrics)
    assert verdicts(run, again)["metrics"] == "equal"


def test_other_versions_and_devices_do_not_decide(run: Path) -> None:
    again = run.with_name("again")
    shutil.copytree(run, again)
    change(run / "result.json", versions={"torch": "1.0"}, device="cuda:0")
    assert compare(run, again).is_equal


@pytest.mark.parametrize(
    ("then", "here", "verdict"),
    [
        (None, None, "equal"),
        (b"diff", b"diff", "equal"),
        (b"diff", b"other", "other changes (code.patch)"),
        # as of a run that was shared
        (None, b"diff", "not known: one has no code.patch"),
        (b"diff", None, "not known: one has no code.patch"),
        (b"# untracked: src/new.py\n", b"# untracked: src/new.py\n", "not known: code.patch lacks files"),
        (
            b"# left out: a/src/x.py b/src/x.py\n",
            b"# left out: a/src/x.py b/src/x.py\n",
            "not known: code.patch lacks files",
        ),
    ],
)
def test_code_is_equal_only_where_all_of_its_changes_are_known(
    run: Path, then: bytes | None, here: bytes | None, verdict: str
) -> None:
    again = Path(shutil.copytree(run, run.with_name("again")))
    for path, content in ((run, then), (again, here)):
        change(path / "result.json", git={"commit": "f" * 40, "dirty": True})
        if content is not None:
            (path / NAME).write_bytes(content)
    assert verdicts(run, again)["commit"] == verdict
    change(again / "result.json", git={"commit": "e" * 40, "dirty": True})
    assert verdicts(run, again)["commit"] == "differs"
    assert compare(run, again).is_equal


def test_weights_that_a_shared_run_does_not_keep_do_not_decide(run: Path) -> None:
    again = Path(shutil.copytree(run, run.with_name("again")))
    (run / "checkpoints" / "last.ckpt").unlink()
    assert verdicts(run, again)["last weights"] == "nothing to compare"
    assert compare(run, again).is_equal
    # what it has kept and the other has not
    assert not compare(again, run).is_equal


def test_a_table_that_has_changed_is_told(run: Path) -> None:
    again = Path(shutil.copytree(run, run.with_name("again")))
    for path, where in ((run, "a.csv"), (again, "elsewhere/a.csv")):
        (path / "data.json").write_text(json.dumps({"path": where, "columns": [{"name": "x", "mean": 1.0}]}))
    assert verdicts(run, again)["columns"] == "equal"
    assert "file of data" not in verdicts(run, again)
    change(run / "data.json", sha256="1" * 64)
    assert verdicts(run, again)["file of data"] == "not known"
    change(again / "data.json", sha256="2" * 64)
    assert verdicts(run, again)["columns"] == "equal"
    assert verdicts(run, again)["file of data"] == "differs: the table is not the one of then"
    change(again / "data.json", sha256="1" * 64)
    assert verdicts(run, again)["file of data"] == "equal"
    (again / "data.json").write_text(json.dumps({"path": "a.csv", "columns": [{"name": "x", "mean": 2.0}]}))
    assert verdicts(run, again)["columns"] == "differs: the table is not the one of then"
    assert compare(run, again).is_equal


def test_weights_are_compared_to_the_last_digit() -> None:
    weights = {"w": torch.tensor([1.0, float("nan")]), "n": torch.tensor(3)}
    assert difference_of(weights, {name: value.clone() for name, value in weights.items()}) == "equal"
    assert difference_of(weights, {**weights, "w": torch.tensor([1.0 + 2**-20, float("nan")])}) == "largest 9.54e-07"
    assert difference_of(weights, {**weights, "w": torch.tensor([1.0, 2.0])}) == "largest inf"
    assert difference_of(weights, {**weights, "n": torch.tensor(5)}) == "largest 2"
    assert difference_of(weights, {"w": weights["w"]}) == "another network: n is in one only"
    assert difference_of(weights, {**weights, "n": torch.zeros(2)}) == "another network: n has another shape"


def test_its_directory_is_beside_the_run_or_beside_the_sweep(run: Path, tmp_path: Path) -> None:
    assert beside(run) == tmp_path / "run_reproduced"
    shutil.copytree(run, tmp_path / "run_reproduced")
    assert beside(run) == tmp_path / "run_reproduced_2"
    # one that was interrupted goes on
    (tmp_path / "run_reproduced" / "result.json").unlink()
    assert beside(run) == tmp_path / "run_reproduced"
    sweep = tmp_path / "sweep"
    shutil.copytree(run, sweep / "3")
    (sweep / "multirun.yaml").touch()
    assert beside(sweep / "3") == tmp_path / "sweep_reproduced" / "3"


def test_a_run_that_has_not_completed_is_refused(run: Path) -> None:
    (run / "result.json").unlink()
    with pytest.raises(ConfigError, match=r"has not ended; allowed: the directory of a run that has completed"):
        reproduce(run, run.with_name("again"))
    assert not run.with_name("again").exists()


# A stranger's directory


def rewrite(run: Path, key: str, node: Any) -> None:
    file = run / ".hydra" / "config.yaml"
    tree = yaml.safe_load(file.read_text())
    *above, name = key.split(".")
    place = tree
    for each in above:
        place = place[each]
    place[name] = node
    file.write_text(yaml.safe_dump(tree))
    found = json.loads((run / "result.json").read_text())
    found.pop("configuration", None)
    (run / "result.json").write_text(json.dumps(found))


@pytest.mark.parametrize(
    ("key", "node"),
    [
        ("callbacks.more", {"_target_": "os.mkdir", "path": "/tmp/nothing"}),
        ("data", {"_target_": "subprocess.run", "args": ["true"]}),
        ("seed", "${oc.env:HOME}"),
    ],
)
def test_what_a_stranger_may_not_name_is_not_run(key: str, node: Any, run: Path) -> None:
    rewrite(run, key, node)
    with pytest.raises(ConfigError, match="is not used"):
        reproduce(run, run.with_name("again"))
    assert not run.with_name("again").exists()


def test_nothing_is_written_outside_of_the_new_directory(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outside = tmp_path / "outside"
    writes = {"_target_": "lightning.pytorch.callbacks.ModelCheckpoint", "dirpath": str(outside)}
    rewrite(run, "callbacks.more", writes)
    rewrite(run, "logger.more", {"_target_": "src.callbacks.metrics_csv.MetricsCSV", "save_dir": str(outside)})
    rewrite(
        run, "trainer.profiler", {"_target_": "lightning.pytorch.profilers.SimpleProfiler", "dirpath": str(outside)}
    )
    with caplog.at_level(logging.INFO):
        assert reproduce(run, run.with_name("again"))
    assert not outside.exists()
    assert "callbacks.more (lightning.pytorch.callbacks.ModelCheckpoint) is left out" in caplog.text
    assert configuration(run, tmp_path / "x").logger.keys() == {"csv"}


# The command


def completed(*arguments: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "src.train", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, **env})


@pytest.mark.slow
def test_the_command_says_equal_or_ends_with_status_1(run: Path, tmp_path: Path) -> None:
    done = completed(f"reproduce={run}")
    assert (done.returncode, "equal" in done.stdout) == (0, True), done.stderr
    assert (tmp_path / "run_reproduced" / "train.log").is_file()
    metrics = json.loads((run / "result.json").read_text())["metrics"]
    change(run / "result.json", metrics={**metrics, "test/loss": 1.0})
    done = completed(f"reproduce={run}", f"hydra.run.dir={tmp_path / 'mine'}")
    assert (done.returncode, "test/loss" in done.stdout) == (1, True)
    done = completed(f"reproduce={run}", "seed=1")
    assert (done.returncode, "runs what is stored there; leave out seed=1" in done.stderr) == (1, True)
    done = completed("-m", f"reproduce={run}")
    assert (done.returncode, "leave out -m" in done.stderr) == (1, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "run", "run_reproduced"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["blobs", "line", "iris", "stacked", "module"])
def test_runs_of_every_kind_are_run_again(kind: str, tmp_path: Path) -> None:
    common = ["trainer=cpu", "trainer.max_epochs=6"]
    if kind == "stacked":
        here = f"hydra.sweep.dir={tmp_path / 'sweep'}"
        assert completed("-m", "hydra/launcher=vmap", "seed=1,2", *common, here).returncode == 0
        source = tmp_path / "sweep" / "1"
    else:
        given = (
            [f"data={kind}", "model=mlp"]
            if kind != "module"
            else ["module=digits_cnn", "data=digits_images", "model=none"]
        )
        given += (
            []
            if kind != "module"
            else ["task=none", "loss=none", "optimizer=none", "scheduler=none", "callbacks=module"]
        )
        source = tmp_path / "run"
        done = completed(*given, *common, f"hydra.run.dir={source}")
        assert done.returncode == 0, done.stderr
    done = completed(f"reproduce={source}")
    now = beside(source)
    found = compare(
        source, now.with_name(now.name.removesuffix("_2")) if kind != "stacked" else tmp_path / "sweep_reproduced" / "1"
    )
    assert done.returncode == (0 if found.is_equal else 1), done.stderr
    if kind != "stacked":
        assert found.is_equal, found
    else:
        # a stack adds up in another order
        for row in found.rows:
            if row.what.endswith("weights"):
                assert row.verdict == "equal" or float(row.verdict.removeprefix("largest ")) < 1e-5


# Code that is not committed


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout in the place of this one."""
    root = tmp_path / "checkout"
    (root / "src").mkdir(parents=True)
    for name in ("src/a.py", "src/b.py", "README.md"):
        (root / name).write_text("one\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        own = ["-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *own, *command], cwd=root, check=True)
    monkeypatch.setattr(patch, "_ROOT", root)
    monkeypatch.delenv(OFF)
    return root


def test_a_clean_checkout_and_changes_that_compute_nothing_leave_no_patch(checkout: Path, tmp_path: Path) -> None:
    assert uncommitted() is None
    (checkout / "README.md").write_text("two\n")
    assert uncommitted() is None
    keep_patch(tmp_path)
    assert not (tmp_path / NAME).exists()


def test_uncommitted_changes_are_kept_and_put_back_by_git(
    checkout: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (checkout / "src" / "a.py").write_text("two\n")
    (checkout / "src" / "new.py").write_text("new\n")
    folder = tmp_path / "run"
    folder.mkdir()
    with caplog.at_level(logging.INFO):
        keep_patch(folder)
    assert f"the code has uncommitted changes, of 2 files: kept in {folder / NAME}" in caplog.text
    text = (folder / NAME).read_text()
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True).stdout
    assert text.startswith(f"# changes since commit {head}# untracked: src/new.py\ndiff --git a/src/a.py b/src/a.py\n")
    subprocess.run(["git", "checkout", "-q", "src/a.py"], cwd=checkout, check=True)
    subprocess.run(["git", "apply", str(folder / NAME)], cwd=checkout, check=True)
    assert (checkout / "src" / "a.py").read_text() == "two\n"
    # an earlier one stays
    caplog.clear()
    keep_patch(folder)
    assert not caplog.records
    (checkout / "src" / "b.py").write_text("two\n")
    keep_patch(folder)
    assert "is of an earlier command: the code has changed since" in caplog.text
    assert (folder / NAME).read_text() == text


def test_a_patch_is_bounded_by_whole_files(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch, "_LARGEST", 1000)
    (checkout / "src" / "a.py").write_text("long\n" * 1000)
    (checkout / "src" / "b.py").write_text("two\n")
    found = uncommitted()
    assert found is not None
    lines = found.decode().splitlines()
    assert lines[1:4] == [
        "# more than 1000 bytes of changes, of which these files are not here:",
        "# left out: a/src/a.py b/src/a.py",
        "diff --git a/src/b.py b/src/b.py",
    ]
    assert len(found) < 1500


def test_a_run_keeps_it_and_jobs_have_that_of_their_sweep(checkout: Path, tmp_path: Path) -> None:
    (checkout / "src" / "a.py").write_text("two\n")
    train(small(*SMALL, run_dir=tmp_path / "run"))
    assert patch_of(tmp_path / "run") == uncommitted()
    sweep = tmp_path / "sweep"
    (sweep / "0").mkdir(parents=True)
    assert patch_of(sweep / "0") is None
    keep_patch(sweep)
    assert patch_of(sweep / "0") == uncommitted()
    # a sweep has no other above it
    (sweep / NAME).unlink()
    (sweep / "multirun.yaml").touch()
    keep_patch(tmp_path)
    assert patch_of(sweep / "0") is None


def test_a_run_that_is_refused_leaves_none(checkout: Path, tmp_path: Path) -> None:
    (checkout / "src" / "a.py").write_text("two\n")
    cfg = small(*SMALL, run_dir=tmp_path / "run")
    cfg.init_from = str(tmp_path / "nowhere")
    with pytest.raises(ConfigError):
        train(cfg)
    assert not (tmp_path / "run").exists()
