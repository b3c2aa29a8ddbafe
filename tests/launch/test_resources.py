"""How jobs share a machine."""

from pathlib import Path

import pytest

from src.config.errors import ConfigError
from src.launch.resources import cap_threads, jobs_at_once, n_cores, share, visible_gpus


def test_every_job_gets_an_equal_part_of_the_cores() -> None:
    assert share(2, cores=9, gpus=[], environ={}) == [{"OMP_NUM_THREADS": "4"}] * 2
    assert share(4, cores=2, gpus=[], environ={}) == [{"OMP_NUM_THREADS": "1"}] * 4
    assert share(2, cores=8, gpus=[], environ={"OMP_NUM_THREADS": "3"}) == [{}, {}]


def test_with_several_gpus_every_job_sees_one() -> None:
    slots = share(3, cores=3, gpus=["4", "GPU-7"], environ={})
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in slots] == ["4", "GPU-7", "4"]
    # a job that has the machine for itself may use all, and a single GPU is everybody's
    for n_jobs, gpus in ((1, ["0", "1"]), (2, ["0"])):
        assert all("CUDA_VISIBLE_DEVICES" not in slot for slot in share(n_jobs, cores=2, gpus=gpus, environ={}))


@pytest.mark.parametrize(
    ("asked", "gpus", "expected"),
    [(3, [], 3), (-1, [], 8), (-2, [], 7), (-9, [], 1), (-1, ["0"], 8), (-1, ["0", "1"], 2), (5, ["0", "1"], 5)],
)
def test_a_negative_number_of_jobs_counts_slots(asked: int, gpus: list[str], expected: int) -> None:
    assert jobs_at_once(asked, cores=8, gpus=gpus) == expected


def test_no_jobs_at_once_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"hydra\.launcher\.n_jobs: got 0; allowed: .* or -1"):
        jobs_at_once(0, cores=8, gpus=[])


def test_gpus_are_those_that_cuda_may_see_or_all_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "2, GPU-5a"}) == ["2", "GPU-5a"]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ""}) == []
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus({}) == []
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho GPU 0: H200 '(UUID: x)'\necho '  MIG 1g'\necho GPU 1: H200 '(UUID: y)'")
    program.chmod(0o755)
    assert visible_gpus({}) == ["0", "1"]


def test_threads_that_are_set_already_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    cap_threads("2")
    monkeypatch.delenv("OMP_NUM_THREADS")
    cap_threads(None)
    assert share(1, cores=n_cores(), gpus=[])[0]["OMP_NUM_THREADS"] == str(n_cores())
