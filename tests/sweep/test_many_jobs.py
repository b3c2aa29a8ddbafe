"""A process that runs job after job keeps nothing of them."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import completed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, and asks glibc to give memory back"),
]

# Everything that a run records, of a training that takes no time.
SMALL = ["trainer.max_epochs=2", "data.n_samples=40", "data.n_val=20", "trainer.accelerator=cpu"]
# Pictures take most of the time of such a run.
PLAIN = [f"callbacks.{name}=null" for name in ("pictures", "boundary_frames", "progress", "summary")]

# What a sweeper has to know of a job, and Python's own containers of it.
_OF_A_RESULT = frozenset({"hydra.core.utils.JobReturn", "builtins.list"})
# and of its command line, parts of which come again in other jobs: see src.sweep.jobs
_OF_A_LINE = frozenset({"hydra.core.override_parser.types.Override", "builtins.tuple", "builtins.dict"})


def kept(tmp_path: Path, at: tuple[int, int], *arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What one process of a sweep keeps after so many jobs, and after so many more."""
    (tmp_path / "kept").mkdir()
    callback = f"{{_target_: tests.sweep.kept.Kept, folder: {tmp_path}/kept, at: [{at[0]},{at[1]}]}}"
    sweep = ["-m", f"hydra.sweep.dir={tmp_path}/sweep", f"+hydra.callbacks.kept={callback}", *SMALL, *arguments]
    done = completed(sys.executable, "-m", "src.train", *sweep)
    assert done.returncode == 0, done.stderr[-3000:]
    (last,) = (tmp_path / "kept").glob(f"*_{at[1]}.json")
    first = last.with_name(last.name.replace(f"_{at[1]}.json", f"_{at[0]}.json"))
    return json.loads(first.read_text()), json.loads(last.read_text())


def assert_nothing_is_kept(
    first: dict[str, Any], last: dict[str, Any], n: int, *, known: frozenset[str] = _OF_A_RESULT
) -> None:
    """After ``n`` more jobs."""
    for name in ("files", "threads", "handlers"):
        assert last[name] == first[name], name
    more = {kind: count - first["objects"].get(kind, 0) for kind, count in last["objects"].items()}
    # one of a kind for every job would be a leak; Python's own caches grow now and then
    assert {kind for kind, count in more.items() if count >= n} <= known
    for kind in ("lightning.pytorch.trainer.trainer.Trainer", "torch.utils.tensorboard.writer.SummaryWriter"):
        assert more.get(kind, 0) <= 0, kind
    assert last["memory"] <= 1.05 * first["memory"]


def test_500_jobs_in_one_process_keep_nothing(tmp_path: Path) -> None:
    assert_nothing_is_kept(*kept(tmp_path, (50, 500), "seed=range(500)", *PLAIN), 450)


def test_jobs_with_all_their_pictures_keep_nothing(tmp_path: Path) -> None:
    assert_nothing_is_kept(*kept(tmp_path, (20, 60), "seed=range(60)", "callbacks=histograms"), 40)


def test_jobs_of_a_worker_process_keep_nothing(tmp_path: Path) -> None:
    workers = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=1"]
    assert_nothing_is_kept(*kept(tmp_path, (50, 200), "seed=range(200)", *workers, *PLAIN), 150)


def test_stacks_keep_nothing(tmp_path: Path) -> None:
    stacks = ["hydra/launcher=vmap", "hydra.sweeper.max_batch_size=3", "hydra.launcher.pictures=none"]
    # the threads of stacks have taken the room that they need after some dozens
    found = kept(tmp_path, (60, 140), "seed=range(420)", *stacks)
    assert_nothing_is_kept(*found, 80, known=_OF_A_RESULT | _OF_A_LINE)
