"""Which cases of a test `make test` leaves to `make test-all`."""

from typing import Any

import pytest


def slow(*cases: Any) -> list[Any]:
    """Cases of `pytest.mark.parametrize` that repeat, at length, what a short one shows; a tuple is one case."""
    return [pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow) for case in cases]
