"""What a trial leaves as it was."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.sweep.jobs import Job
from src.vmap.planning.plan import plan
from tests.vmap.proof.own import own_jobs
from tests.vmap.proof.test_stacked_networks import Dropping
from tests.vmap.stacked_jobs import make_jobs


def test_jobs_of_one_number_keep_their_own_configuration(tmp_path: Path) -> None:
    jobs = make_jobs(["model=circle_v2"], [("optimizer.lr=0.1",), ("optimizer.lr=0.2",)], tmp_path)
    same = [Job.of(0, job.overrides, job.cfg, job.hydra_cfg) for job in jobs]
    assert [job.resolved["optimizer"]["lr"] for job in same] == [0.1, 0.2]


def test_a_trial_leaves_the_global_generators_where_they_were(tmp_path: Path) -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    before: list[Callable[[], Any]] = [random.getstate, lambda: str(np.random.get_state()), torch.get_rng_state]
    states = [get() for get in before]
    plan(own_jobs(tmp_path, net=Dropping))
    assert random.getstate() == states[0]
    assert str(np.random.get_state()) == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])
