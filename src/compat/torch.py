"""Private parts of PyTorch: whether somebody listens to the gradient of a tensor or a module.

Hooks are registered through public methods, and kept where no public one tells of them. Nothing else can: a hook that
acts on large gradients only shows in no trial.
"""

from torch import Tensor, nn


def has_gradient_hook(tensor: Tensor) -> bool:
    """Whether ``register_hook`` or ``register_post_accumulate_grad_hook`` was called on a leaf."""
    return bool(tensor._backward_hooks or getattr(tensor, "_post_accumulate_grad_hooks", None))


def has_backward_hook(module: nn.Module) -> bool:
    """Whether one of the hooks for the backward pass was registered on a module."""
    return bool(module._backward_hooks or module._backward_pre_hooks)


def has_forward_pre_hook(module: nn.Module) -> bool:
    """Whether something is called before the forward pass, as torch.nn.utils.spectral_norm is."""
    return bool(module._forward_pre_hooks)
