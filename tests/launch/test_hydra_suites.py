"""Hydra's own test suites for launchers, on all of ours: with Hydra's example application, sweeper and files.

The suites are taken as they are. What stands here tells their application where our options lie, and how few jobs may
run at once.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hydra import version
from hydra.core.plugins import Plugins
from hydra.test_utils.launcher_common_tests import BatchedSweeperTestSuite, IntegrationTestSuite, LauncherTestSuite

from src.config.compose import CONF_DIR
from tests.launch import ray_cluster
from tests.launch.commands import Launcher
from tests.waiting import ROOT

_OPTIONS = f"hydra.searchpath=[file://{CONF_DIR}]"

# What a command of each gives beside its name.
_GIVEN = {
    "basic": [],
    "joblib": ["hydra.launcher.n_jobs=2"],
    # the option itself names its folder by a resolver that another application does not have
    "submitit_local": ["hydra.launcher.n_jobs=2", "hydra.launcher.submitit_folder=${hydra.sweep.dir}/.submitit/%j"],
    "submitit_slurm": [],
    # a Ray for each sweep
    "ray": ["+hydra.launcher.ray.init.num_cpus=2"],
    # jobs of another application cannot be stacked, and run one by one
    "vmap": [],
}
_CLUSTERS = ("submitit_slurm", "ray")

# The suites ask for no version of Hydra's behaviour, and jobs change into their directories as they once did.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Future Hydra versions will no longer change working"),
]


@pytest.fixture(autouse=True)
def oldest_version() -> Iterator[None]:
    """Hydra's behaviour as in a process that has asked for no version, whatever another test has asked for."""
    # what the suites put back afterwards has the options of all plugins
    Plugins.instance()
    base = version.VersionBase.instance()
    before = base.version_base
    # from 1.4 on there is one behaviour
    oldest: Any = getattr(version, "__compat_version__", before)
    base.setbase(oldest)
    yield
    base.version_base = before


@pytest.fixture(autouse=True)
def cluster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster of a launcher that needs one, for this process and those that it starts."""
    # an application of the suite lies in an empty folder
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    name = request.node.callspec.id.rsplit("-", 1)[-1]
    if name == "ray" and (reason := ray_cluster.missing()):
        # an extra of 240 MB, which `make test-all` installs; CI fails on a skip
        pytest.skip(reason)
    if name == "submitit_slurm":
        slurm: Launcher = request.getfixturevalue("slurm")
        for key, value in slurm.env.items():
            monkeypatch.setenv(key, value)


def _marks(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.cluster] if name in _CLUSTERS else []


def _launchers(*more: str) -> pytest.MarkDecorator:
    """Each launcher, with lists of its own: a test of the suite adds to them."""
    cases = [
        pytest.param(name, [_OPTIONS, *given, *more], id=name, marks=_marks(name)) for name, given in _GIVEN.items()
    ]
    return pytest.mark.parametrize(("launcher_name", "overrides"), cases)


@_launchers()
class TestLaunchers(LauncherTestSuite):
    pass


@_launchers("hydra.sweeper.max_batch_size=2")
class TestBatches(BatchedSweeperTestSuite):
    pass


@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"),
    [
        pytest.param({}, ["-m", _OPTIONS, f"hydra/launcher={name}", *given], id=name, marks=_marks(name))
        for name, given in _GIVEN.items()
    ],
)
class TestCommands(IntegrationTestSuite):
    pass
