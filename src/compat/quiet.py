"""What Lightning and PyTorch say on their own, kept out of what a run prints."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Each message, and why nobody needs to read it.
_NEEDLESS = (
    # a task that trains in blocks measures validation itself, and hands Lightning an empty list of loaders for it
    "Total length of `list` across ranks is zero",
    # every few steps is what somebody asks for who logs steps; epochs are logged anyway
    r"The number of training batches \(\d+\) is smaller than the logging interval",
    # on a cluster's front end; what runs there is wanted there
    "The `srun` command is available on your system but is not used",
    # Lightning 2.6 calls what PyTorch 2.13 has renamed
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    # `SequentialLR` of PyTorch 2.6 calls its parts by an argument that PyTorch warns of
    r"The epoch parameter in `scheduler\.step\(\)` was not necessary",
    # `OnExceptionCheckpoint` has Lightning look for a checkpoint to go on from; runs say themselves which one it is
    r"`\.fit\(ckpt_path=None\)` was called without a model",
    r"\.fit\(ckpt_path=\"last\"\) is set, but there is no last checkpoint available",
    # what is measured has no use for the callbacks of training
    "Be aware that when using `ckpt_path`, callbacks used to create the checkpoint need to be provided",
    # a run that goes on has left them there
    "Checkpoint directory .* exists and is not empty",
    # a network of one's own in a stack: `torch.func.vmap` does an operation model by model
    "There is a performance drop because we have not yet implemented the batching rule",
)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Call a trainer inside this; afterwards logging and warnings are as they were.

    Lightning's package adds a handler of its own when it is imported, so that every message would appear twice. What it
    tells at level INFO (devices that are not there, why training stopped) our own lines say in fewer words.
    """
    package, parts = logging.getLogger("lightning"), ("lightning.pytorch", "lightning.fabric")
    handlers, levels = package.handlers[:], {name: logging.getLogger(name).level for name in parts}
    package.handlers.clear()
    for name in parts:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in _NEEDLESS:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        package.handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
