"""Where the trials of a search leave their files."""

import pytest

from src.config.errors import ConfigError
from src.search.check import refuse_other_places
from tests.sweep.configs import composed
from tests.sweep.conftest import hydra  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("hydra")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("hydra.sweep.subdir=trial_${hydra.job.num}", "hydra.sweep.subdir"),
        ("hydra.sweep.subdir=${hydra.job.override_dirname}", "hydra.sweep.subdir"),
        ("run_dir=elsewhere", "run_dir"),
    ],
)
def test_directories_of_ones_own_are_refused_naming_the_key(line: str, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{key}: got .*leave {key} out$"):
        refuse_other_places(composed(line))


@pytest.mark.parametrize("line", ["seed=1", "hydra.sweep.subdir=${hydra:job.num}", "run_dir=null"])
def test_the_number_is_what_a_search_takes_anyway(line: str) -> None:
    refuse_other_places(composed(line))
