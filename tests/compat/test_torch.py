"""Hooks on gradients are found."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.compat.parts import part_of


@pytest.mark.parametrize(
    "register",
    [
        lambda p: p.register_hook(lambda grad: 2 * grad),
        lambda p: p.register_post_accumulate_grad_hook(print),
    ],
)
def test_a_hook_is_found_until_it_is_removed(register: Callable[[Tensor], torch.utils.hooks.RemovableHandle]) -> None:
    with part_of("torch", "torch"):
        from src.compat.torch import has_gradient_hook

        parameter = nn.Parameter(torch.zeros(2))
        assert not has_gradient_hook(parameter)
        handle = register(parameter)
        assert has_gradient_hook(parameter)
        handle.remove()
        assert not has_gradient_hook(parameter)
