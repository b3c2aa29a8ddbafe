"""Numbers in columns."""

import math

import pytest

from src.console.terminal import number


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "0.0000"), (-12345.67891, "-12345.6789"), (1.76e34, "1.76e+34"), (-2e6, "-2e+06"), (math.inf, "inf")],
)
def test_numbers_keep_their_columns_narrow(value: float, expected: str) -> None:
    assert number(value) == expected
