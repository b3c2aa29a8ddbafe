"""What a test says once a library has moved a private part of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import pytest


@contextmanager
def part_of(package: str, module: str) -> Iterator[None]:
    """Fail with the package, its version and the file of `src.compat` where a part is gone or is called otherwise.

    To be entered before the file is imported, which reaches for the parts.
    """
    try:
        yield
    except (ImportError, AttributeError, TypeError) as error:
        pytest.fail(f"{package} {version(package)} has moved a private part: {error}; see src/compat/{module}.py")
