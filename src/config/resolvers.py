"""The functions that a configuration may call, beside Hydra's own, as in ``${unique:}``."""

import secrets
from typing import Any

from omegaconf import OmegaConf


def register_resolvers() -> None:
    """Make them known to OmegaConf; each process that composes or resolves needs them.

    ``unique`` gives six hexadecimal characters for the name of a run directory. From the operating system, since a
    seeded generator gives every run the same. Hydra hands the cache of a configuration to its copies and to the jobs of
    a sweep, so that all of them see the same characters.
    """
    # its name from OmegaConf 2.4 on, and before
    register: Any = getattr(OmegaConf, "register_resolver", OmegaConf.register_new_resolver)
    register("unique", lambda: secrets.token_hex(3), use_cache=True, replace=True)
