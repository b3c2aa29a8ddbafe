"""The functions that a configuration may call, beside Hydra's own, as in ``${unique:}``."""

import secrets

from src.compat.omegaconf import register_resolver


def register_resolvers() -> None:
    """Make them known to OmegaConf; each process that composes or resolves needs them.

    ``unique`` gives six hexadecimal characters for the name of a run directory. From the operating system, since a
    seeded generator gives every run the same. Hydra hands the cache of a configuration to its copies and to the jobs of
    a sweep, so that all of them see the same characters.
    """
    register_resolver("unique", lambda: secrets.token_hex(3))
