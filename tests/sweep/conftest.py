"""What tests of sweeps share."""

from collections.abc import Iterator

import pytest

from src.config.compose import CONF_DIR
from src.config.origins import hydra_at


@pytest.fixture
def hydra() -> Iterator[None]:
    """Hydra, initialised for conf/."""
    with hydra_at(CONF_DIR):
        yield
