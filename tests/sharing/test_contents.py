"""Which files of a run and a sweep are shared."""

import pytest

from src.find.cleaning import _OF_SWEEP
from src.sharing.contents import is_of_sweep

PAPER = [f"{name}.{form}" for name in ("curves", "groups", "ranks") for form in ("pdf", "svg")]
PAPER += ["table.tex", "table.md", "table.csv", "methods.txt", "methods.tex", "summary.csv", "report.html"]


@pytest.mark.parametrize("name", PAPER)
def test_what_a_report_writes_is_shared_and_cleaned_with_its_sweep(name: str) -> None:
    stem, _, ending = name.partition(".")
    for each in (name, f"{stem}.val_f1.{ending}"):
        assert is_of_sweep(each)
        assert _OF_SWEEP.fullmatch(each)
    assert not is_of_sweep(f"notes/{name}")
