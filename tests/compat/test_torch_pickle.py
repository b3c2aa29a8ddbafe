"""Whatever is saved, the file is that of `torch.save` by itself."""

import io
from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn

from src.compat.torch_pickle import PLAIN_PICKLE


def named(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor that carries something."""
    tensor.note = "kept"  # type: ignore[attr-defined]
    return tensor


row = torch.arange(12.0)
SAVED: dict[str, Any] = {
    "numbers": {"a": 1, "b": [0.5, None, True, "text", (1, 2)], "c": float("nan"), 3: b"bytes", "d": OrderedDict(x=1)},
    "tensors": [torch.randn(3, 4), torch.randn(2, 3).double(), torch.arange(4), torch.tensor(1.0), torch.empty(0, 2)],
    "types": [torch.ones(2, dtype=kind) for kind in (torch.bool, torch.uint8, torch.float16, torch.bfloat16)],
    "unusual types": [torch.ones(2, dtype=kind) for kind in (torch.complex64, torch.int16)],
    "views of one": [row[2:6], row[6:].view(2, 3), row.view(3, 4).t(), row],
    "the same twice": [row, row, {"again": row}],
    "parameters": [nn.Parameter(torch.ones(2)), nn.Linear(2, 3).state_dict(), torch.ones(2, requires_grad=True)],
    "of a view of imaginary parts": torch.tensor([1 + 2j]).conj().imag,
    "more than numbers": named(torch.ones(2)),
    "sparse": torch.eye(3).to_sparse(),
    "optimiser": torch.optim.Adam(nn.Linear(2, 3).parameters()).state_dict(),
    "storages": torch.ones(3).untyped_storage(),
}


@pytest.mark.parametrize("content", SAVED.values(), ids=SAVED)
def test_a_file_is_that_of_torch(content: Any) -> None:
    expected, found = io.BytesIO(), io.BytesIO()
    torch.save(content, expected)
    torch.save(content, found, pickle_module=PLAIN_PICKLE)
    assert found.getvalue() == expected.getvalue()
