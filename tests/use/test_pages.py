"""What the pages on prediction and export show leaves what they say."""

from pathlib import Path

import polars
import pytest

from tests.documented import run_page

# whole pages
pytestmark = pytest.mark.slow


def test_predicting_leaves_the_columns_that_the_page_names(tmp_path: Path) -> None:
    run_page("docs/how_to/predict.md", tmp_path)
    assert polars.read_csv(tmp_path / "predictions.csv").columns[-3:] == ["label", "p_outer", "p_inner"]
    assert polars.read_parquet(tmp_path / "more.parquet").height == 1
    assert polars.read_csv(tmp_path / "ensemble.csv").columns[-1] == "spread"


def test_exporting_leaves_a_file_that_torch_opens(tmp_path: Path) -> None:
    # the page opens it itself
    run_page("docs/how_to/export.md", tmp_path)
    assert (tmp_path / "wine.pt2").is_file()
