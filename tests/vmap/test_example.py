"""The example of the package's docstring runs as it stands."""

import doctest

import src.vmap


def test_the_example_of_the_docstring_runs() -> None:
    results = doctest.testmod(src.vmap)
    assert results.attempted > 5
    assert not results.failed
