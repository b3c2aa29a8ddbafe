"""`hydra/launcher=vmap`: jobs that train as one leave what they leave by themselves."""

import json
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.test_utils.launcher_common_tests import LauncherTestSuite
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from src.config.compose import CONF_DIR
from src.config.keys import flatten
from src.vmap.limits import cut
from tests.launch.commands import Launcher
from tests.moments import Moment
from tests.sweep.commands import run, start
from tests.waiting import command

VMAP = ("-m", "hydra/launcher=vmap", "trainer=cpu", "callbacks=none", "logger=csv")
SWEEP = (*VMAP, "model=circle_v0,circle_v2", "optimizer.lr=0.05,0.1", "seed=0,1", "trainer.max_epochs=60")


def results(sweep: Path) -> dict[int, dict[str, Any]]:
    return {int(path.parent.name): json.loads(path.read_text()) for path in sweep.glob("*/result.json")}


@pytest.fixture(autouse=True)
def known_to_hydra(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hydra's own suite composes from folders of its own, which do not hold conf/hydra/launcher."""
    Plugins.instance()
    if request.cls is TestLauncher:
        loaded: Any = OmegaConf.to_container(OmegaConf.load(CONF_DIR / "hydra" / "launcher" / "vmap.yaml"))
        del loaded["defaults"]
        node = {**loaded, "engines": {}}
        ConfigStore.instance().store(group="hydra/launcher", name="vmap", node=node, provider="test")
    yield
    # the suite has put back a store as it was then, in the place of that one
    ConfigStore.instance().repo["hydra"]["launcher"].pop("vmap.yaml", None)


@pytest.mark.slow
@pytest.mark.parametrize(("launcher_name", "overrides"), [("vmap", ["hydra.job.chdir=true"])])
class TestLauncher(LauncherTestSuite):
    """What Hydra asks of every launcher; applications of others run job by job."""


@pytest.mark.slow
def test_jobs_leave_what_they_leave_one_by_one(tmp_path: Path) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    assert run(*SWEEP, f"hydra.sweep.dir={together}", output=tmp_path / "output") == 0
    assert run(*SWEEP, "hydra/launcher=basic", f"hydra.sweep.dir={alone}", output=tmp_path / "other") == 0
    said = (tmp_path / "output").read_text()
    assert "4 models circle_v0 are stacked" in said
    assert "4 models circle_v2 are stacked" in said
    ours, theirs = results(together), results(alone)
    assert set(ours) == set(theirs) == set(range(8))
    for number in ours:
        assert ours[number]["overrides"] == theirs[number]["overrides"]
        assert ours[number]["metrics"] == pytest.approx(theirs[number]["metrics"], abs=1e-4)
        weights = [
            torch.load(sweep / str(number) / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
            for sweep in (together, alone)
        ]
        assert all(torch.allclose(weights[0][key], weights[1][key], atol=1e-4) for key in weights[1])
        # and either launcher keeps what the other has completed
    before = {path: path.stat().st_mtime_ns for path in together.glob("*/result.json")}
    assert run(*SWEEP, "hydra/launcher=basic", f"hydra.sweep.dir={together}", output=tmp_path / "output") == 0
    assert {path: path.stat().st_mtime_ns for path in together.glob("*/result.json")} == before


def events(run_dir: Path) -> dict[str, set[str]]:
    """Names of what TensorBoard reads, by kind."""
    read = EventAccumulator(str(run_dir / "tensorboard"))
    read.Reload()
    tags = {kind: set(names) for kind, names in read.Tags().items() if isinstance(names, list)}
    return {**tags, "graph": {"graph"} if read.Tags()["graph"] else set()}


def files(run_dir: Path) -> set[str]:
    """All files, the event files by one name, since theirs hold the time."""
    paths = (path.relative_to(run_dir).as_posix() for path in run_dir.rglob("*") if path.is_file())
    return {re.sub(r"tfevents\..*", "tfevents", path) for path in paths}


@pytest.mark.slow
def test_what_a_stacked_job_leaves_out_is_what_readme_says(tmp_path: Path) -> None:
    whole = ("-m", "trainer=cpu", "model=circle_v2", "seed=0,1,2", "trainer.max_epochs=4")
    launchers = {
        "alone": ("hydra/launcher=basic",),
        "together": ("hydra/launcher=vmap",),
        "all": ("hydra/launcher=vmap", "hydra.launcher.pictures=all"),
        "none": ("hydra/launcher=vmap", "hydra.launcher.pictures=none"),
    }
    for name, launcher in launchers.items():
        assert run(*whole, *launcher, f"hydra.sweep.dir={tmp_path / name}", output=tmp_path / f"{name}.log") == 0
    plots = {f"plots/{name}.png" for name in ("boundary", "calibration", "confusion", "curves", "probabilities")}
    kept = {
        ".hydra/begun.txt",
        ".hydra/config.yaml",
        ".hydra/hydra.yaml",
        ".hydra/overrides.yaml",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "metrics.csv",
        "result.json",
        "tensorboard/events.out.tfevents",
        "tensorboard/hparams.yaml",
        "train.log",
    }
    images = {"train/boundary", "boundary", "calibration", "confusion", "curves", "probabilities"}
    for number in ("0", "1", "2"):
        alone, together = tmp_path / "alone" / number, tmp_path / "together" / number
        assert files(alone) == kept | plots
        # the best, the middle and the worst of the only group
        assert files(together) == kept | {"plots/boundary.png"}
        assert files(tmp_path / "all" / number) == kept | plots
        assert files(tmp_path / "none" / number) == kept
        shown, drawn = events(alone), events(tmp_path / "all" / number)
        assert shown["images"] == images
        assert shown["graph"]
        assert any("precision_recall" in name for name in shown["tensors"])
        assert {**drawn, "images": images} == shown
        assert drawn["images"] == images - {"train/boundary"}
        without = {name for name in shown["tensors"] if "precision_recall" not in name}
        assert events(together) == {**shown, "images": set(), "graph": set(), "tensors": without}
        # and what they hold
        ours, theirs = (json.loads((path / "result.json").read_text()) for path in (together, alone))
        assert ours.keys() == theirs.keys()
        tables = [(path / "metrics.csv").read_text().splitlines() for path in (together, alone)]
        assert [line.split(",")[:2] for line in tables[0]] == [line.split(",")[:2] for line in tables[1]]
        assert tables[0][0] == tables[1][0]
        for name in ("config.yaml", "overrides.yaml"):
            assert (together / ".hydra" / name).read_text() == (alone / ".hydra" / name).read_text()
        hydra = [OmegaConf.to_container(OmegaConf.load(path / ".hydra" / "hydra.yaml")) for path in (together, alone)]
        assert [differing(one, other) for one, other in (hydra, hydra[::-1])] == [LAUNCHER, LAUNCHER]
        logs = [(path / "train.log").read_text().splitlines() for path in (together, alone)]
        # jobs one after another say how far the sweep is, too
        said = [
            [re.sub(r" \(. of 3.*", "", line.split("]", 1)[1].replace(str(tmp_path / name), "")) for line in lines]
            for lines, name in zip(logs, ("together", "alone"), strict=True)
        ]
        assert said[0] == [said[1][0], "[src.vmap.train][INFO] - trains in a stack of 3 models", *said[1][1:]]


LAUNCHER = {"launcher", "sweep.dir", "overrides.hydra", "runtime.output_dir", "runtime.choices.hydra/launcher"}


def differing(one: Any, other: Any) -> set[str]:
    """Keys of `hydra` that one tree holds with another value than the other; all of the launcher's as one."""
    ours, theirs = flatten(one["hydra"]), flatten(other["hydra"])
    keys = {key for key in ours if ours[key] != theirs.get(key)}
    return {"launcher" if key.startswith("launcher.") else key for key in keys if "hydra/launcher/" not in key}


@pytest.mark.slow
def test_a_killed_sweep_goes_on_in_the_middle_of_training(tmp_path: Path) -> None:
    long = (*SWEEP, "callbacks.checkpoint.every_s=0")
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    moment = Moment("*/.unfinished/*.ckpt", n=20)
    process = start(*long, f"hydra.sweep.dir={killed}", output=tmp_path / "output", killed_at=moment)
    assert process.end() == -signal.SIGKILL, process.said()
    assert list(killed.glob(".unfinished/*.ckpt"))
    assert not results(killed)
    assert run(*long, f"hydra.sweep.dir={killed}", output=tmp_path / "output") == 0
    assert run(*long, f"hydra.sweep.dir={whole}", output=tmp_path / "other") == 0
    ours, theirs = results(killed), results(whole)
    assert {number: result["metrics"] for number, result in ours.items()} == {
        number: result["metrics"] for number, result in theirs.items()
    }
    for number in theirs:
        courses = [(sweep / str(number) / "metrics.csv").read_bytes() for sweep in (killed, whole)]
        assert courses[0] == courses[1]
    assert not (killed / ".unfinished").exists()


@pytest.mark.slow
def test_the_trials_of_a_batch_train_together(tmp_path: Path) -> None:
    search = (*VMAP, "hydra/sweeper=optuna", "optimizer.lr=interval(0.01,1)", "trainer.max_epochs=30")
    batch = ("hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=3")
    together, alone = tmp_path / "together", tmp_path / "alone"
    assert run(*search, *batch, f"hydra.sweep.dir={together}", output=tmp_path / "output") == 0
    assert run(*search, *batch, "hydra/launcher=basic", f"hydra.sweep.dir={alone}", output=tmp_path / "other") == 0
    assert (tmp_path / "output").read_text().count("3 models circle_v2 are stacked") == 2
    ours, theirs = results(together), results(alone)
    assert set(ours) == set(theirs) == set(range(6))
    for number in ours:
        assert ours[number]["overrides"] == theirs[number]["overrides"]
        assert ours[number]["metrics"] == pytest.approx(theirs[number]["metrics"], abs=1e-4)


@pytest.mark.slow
def test_a_job_that_fails_fails_alone_and_others_that_do_not_fit_run_by_themselves(tmp_path: Path) -> None:
    sweep, output = tmp_path / "sweep", tmp_path / "output"
    arguments = (
        *VMAP,
        "callbacks=none,histograms",
        "optimizer.lr=0.1,1e30,-1",
        "seed=0,1",
        "trainer.max_epochs=20",
    )
    assert run(*arguments, f"hydra.sweep.dir={sweep}", output=output) == 1
    found = results(sweep)
    said = output.read_text()
    assert "4 models circle_v2 are stacked" in said
    assert "4 run one by one (job 6, 7, 8, 9): callbacks.histograms" in said
    assert "4 run one by one (job 4, 5, 10, 11): optimizer.lr (command line: optimizer.lr=-1): got -1" in said
    assert [found[number]["status"] for number in range(4)] == ["completed"] * 2 + ["failed"] * 2
    assert "is nan at epoch 1" in found[2]["error"]["message"]
    assert found[6]["status"] == "completed"
    assert "12 jobs: 4 completed, 8 failed" in said


@pytest.mark.slow
def test_chunks_trained_by_other_processes_leave_the_same(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert run(*SWEEP, f"hydra.sweep.dir={here}", output=tmp_path / "other") == 0
    engine = (
        "hydra.launcher.executor=joblib",
        "hydra.launcher.engines.joblib.n_jobs=2",
        "hydra.launcher.models_per_process=3",
    )
    # a process of its own: joblib's workers are stopped by hooks that a forked one does not run
    drawing = ("callbacks=default", "callbacks.progress=null", "callbacks.summary=null")
    argv = [sys.executable, "-m", "src.train", *SWEEP, *drawing, *engine, f"hydra.sweep.dir={there}"]
    process = command(*argv, output=tmp_path / "output")
    assert process.end() == 0, process.said()
    assert "4 processes train at most 3 models each" in process.said()
    # of each of the groups, two seeds by network and rate, one
    assert len(list(there.glob("*/plots/boundary.png"))) == 4
    assert "data:image/webp" in (there / "report.html").read_text()
    assert all("trains in a stack of 2 models" in path.read_text() for path in there.glob("*/train.log"))
    assert len(list(there.glob("*/train.log"))) == 8
    ours, theirs = results(there), results(here)
    assert {number: each["metrics"] for number, each in ours.items()} == {
        number: pytest.approx(each["metrics"], abs=1e-5) for number, each in theirs.items()
    }


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("executor=spark", "hydra.launcher.executor: got spark; allowed: local, joblib, slurm, ray"),
        (
            "pictures=true",
            "hydra.launcher.pictures: got true, which is called all now; allowed: none, report, all",
        ),
        ("pictures=some", "hydra.launcher.pictures: got some; allowed: none, report, all"),
        ("models_per_process=0", "hydra.launcher.models_per_process=0): got 0; allowed: a whole number of at least 1"),
    ],
)
@pytest.mark.slow
def test_a_wrong_setting_is_named(setting: str, message: str, tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert run(*SWEEP, f"hydra.launcher.{setting}", f"hydra.sweep.dir={tmp_path}/sweep", output=output) == 1
    assert message in output.read_text()


def test_chunks_are_few_and_nearly_equal() -> None:
    jobs: Any = list(range(10))
    assert [list(part) for part in cut(jobs, 4)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9]]
    assert [list(part) for part in cut(jobs, 10)] == [jobs]


@pytest.mark.cluster
@pytest.mark.parametrize("engine", ["slurm", "ray"])
def test_chunks_trained_on_a_cluster_leave_the_same(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    cluster: Launcher = request.getfixturevalue(engine)
    here, there = tmp_path / "here", tmp_path / "there"
    assert run(*SWEEP, f"hydra.sweep.dir={here}", output=tmp_path / "other") == 0
    settings = [each.replace("hydra.launcher.", f"hydra.launcher.engines.{engine}.") for each in cluster.arguments]
    asked = (*SWEEP, f"hydra.launcher.executor={engine}", "hydra.launcher.models_per_process=2", *settings)
    argv = [sys.executable, "-m", "src.train", *asked, f"hydra.sweep.dir={there}"]
    process = command(*argv, output=tmp_path / "output", env=cluster.env)
    assert process.end() == 0, process.said()
    assert "4 processes train at most 2 models each" in process.said()
    ours, theirs = results(there), results(here)
    assert {number: each["metrics"] for number, each in ours.items()} == {
        number: pytest.approx(each["metrics"], abs=1e-5) for number, each in theirs.items()
    }
