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


@pytest.mark.parametrize("register", ["register_full_backward_hook", "register_full_backward_pre_hook"])
def test_a_hook_of_a_module_is_found_until_it_is_removed(register: str) -> None:
    with part_of("torch", "torch"):
        from src.compat.torch import has_backward_hook

        module = nn.Linear(2, 2)
        assert not has_backward_hook(module)
        handle = getattr(module, register)(print)
        assert has_backward_hook(module)
        handle.remove()
        assert not has_backward_hook(module)


def test_what_is_called_before_the_forward_pass_is_found() -> None:
    with part_of("torch", "torch"):
        from src.compat.torch import has_forward_pre_hook

        assert not has_forward_pre_hook(nn.Linear(2, 2))
        assert has_forward_pre_hook(nn.utils.spectral_norm(nn.Linear(2, 2)))
