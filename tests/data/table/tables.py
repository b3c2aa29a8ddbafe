"""Tables for tests, and data modules of them."""

from pathlib import Path
from typing import Any

import numpy as np
import polars

from src.data.table.module import TableDataModule


def table(path: Any, **changes: Any) -> TableDataModule:
    """A data module of a file whose column ``y`` is predicted."""
    given: dict[str, Any] = {
        "path": str(path),
        "target": "y",
        "test_size": 0.2,
        "val_size": 0.25,
        "split_seed": 42,
        "batch_size": None,
        "batch_seed": 1,
    }
    return TableDataModule(**{**given, **changes})


def frame(n: int = 60, **columns: Any) -> polars.DataFrame:
    """Two numbers, a category and a target of two classes."""
    rng = np.random.default_rng(0)
    given = {
        "a": rng.normal(5, 3, n),
        "b": rng.normal(-1, 0.1, n),
        "c": rng.choice(["red", "green", "blue"], n),
        "y": rng.choice(["no", "yes"], n, p=[0.7, 0.3]),
    }
    return polars.DataFrame({**given, **columns})


def written(folder: Path, content: polars.DataFrame | str | bytes, name: str = "t.csv") -> Path:
    """A file with this content."""
    path = folder / name
    if isinstance(content, polars.DataFrame):
        content.write_csv(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
