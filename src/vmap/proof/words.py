"""What exceptions of a trial mean to somebody who wrote a network."""

import re

# What `torch.func.vmap` says, and what that means to somebody who wrote a network; {} is what stands in the brackets.
_WORDS = (
    (
        r"data-dependent control flow|is_nonzero|\.item\(\)",
        "its network or loss decides by the value of a tensor (an if, float() or .item()), which differs from model to "
        "model: use torch.where",
    ),
    (
        r"randomness",
        "it draws random numbers in a way that cannot be given to each model by itself: torch.rand, torch.randn, their "
        "_like and nn.Dropout can",
    ),
    (r"(?:Batching rule not implemented for|do not yet support) ([\w:.]+)", "torch.func.vmap knows no {}"),
    (
        r"(?:aten::)?(\w+_|inplace arithmetic)\(self, .*is not possible",
        "it changes a tensor that all models share by one that differs ({}): put a new tensor in its place",
    ),
    (r"data pointer|numpy\(\)", "it takes numbers out of PyTorch (.numpy(), .data_ptr()), where models are mapped"),
    (r"escaped|gen_vmap_plumbing", "a tensor leaves the function that is mapped, as in torch.utils.checkpoint"),
)


def in_words(error: Exception) -> str:
    """What an exception of a trial means to somebody who wrote a network."""
    for pattern, words in _WORDS:
        if found := re.search(pattern, str(error)):
            return words.format(*found.groups())
    return f"it cannot be stacked: {re.sub(r' ?Please file.*', '', first_line(error))}"


def first_line(error: Exception) -> str:
    """What an exception says, in a line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
