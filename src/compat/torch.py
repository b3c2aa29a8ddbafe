"""A private part of PyTorch: whether somebody listens to the gradient of a tensor.

Hooks are registered through public methods, and kept where no public one tells of them. Nothing else can: a hook that
acts on large gradients only shows in no trial.
"""

from torch import Tensor


def has_gradient_hook(tensor: Tensor) -> bool:
    """Whether ``register_hook`` or ``register_post_accumulate_grad_hook`` was called on a leaf."""
    return bool(tensor._backward_hooks or getattr(tensor, "_post_accumulate_grad_hooks", None))
