"""Clusters that the tests of launchers start, once for all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch import ray_cluster, slurm_cluster
from tests.launch.commands import Launcher


@pytest.fixture(scope="session")
def slurm() -> Iterator[Launcher]:
    if reason := slurm_cluster.missing():
        # neither root nor a system package is asked of a user; CI has them, and fails on a skip
        pytest.skip(reason)
    with slurm_cluster.slurm() as env:
        yield Launcher("submitit_slurm", env=env)


@pytest.fixture(scope="session")
def ray() -> Iterator[Launcher]:
    if reason := ray_cluster.missing():
        # an extra of 240 MB, which `make test-all` installs; CI fails on a skip
        pytest.skip(reason)
    with ray_cluster.ray_cluster() as env:
        address = f"hydra.launcher.ray.init.address={env['RAY_TEST_ADDRESS']}"
        yield Launcher("ray", [address, "+hydra.launcher.ray.init.object_store_memory=null"], env)


@pytest.fixture
def launcher(request: pytest.FixtureRequest) -> Launcher:
    """The launcher that a test asks for by name; two jobs at once."""
    fixtures = {"submitit_slurm": "slurm", "ray": "ray"}
    if request.param in fixtures:
        found: Launcher = request.getfixturevalue(fixtures[request.param])
        return found
    return Launcher(request.param, ["hydra.launcher.n_jobs=2"])


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sweep that all are compared with, by the basic launcher."""
    path = tmp_path_factory.mktemp("basic")
    status, output = Launcher("basic").run(path, "trainer.max_epochs=2,1", "task.log_every_n_epochs=10")
    assert status == 0, output
    return path
