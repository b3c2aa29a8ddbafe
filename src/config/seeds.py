"""Which random draws follow `seed`, the list `vary`, and what becomes of those that do not.

- ``data``: the points, `data.seed` and `data.val_seed`.
- ``split``: which of them are for training, validation and test, `data.split_seed`.
- ``init``: the initial weights, and what is drawn with them, such as dropout.
- ``order``: the order of the training batches, `data.batch_seed`.

Data and split have seeds of their own in the configuration. Where they are listed, a run adds 1000 times its `seed` to
these, so that ``seed=0`` has the draw that the configuration names, and no two seeds share a part of it. Weights and
order have `seed` itself where they are listed, and `base_seed` where they are not. A key that refers to the seed, as in
``data.seed=${seed}``, follows it either way.

Bouthillier and others (2021, Accounting for Variance in Machine Learning Benchmarks): an interval over initial weights
alone is too narrow for what is said of a method, since the data are most of the variance.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from omegaconf import DictConfig

from src.config.allowed import Several
from src.config.errors import ConfigError
from src.config.keys import flatten

Source = Literal["data", "split", "init", "order"]
SOURCES: tuple[Source, ...] = ("data", "split", "init", "order")

Vary = Annotated[Sequence[str], Several(*SOURCES)]

# What a run varies that says nothing of it, as every run did once.
USUAL: tuple[Source, ...] = ("init", "order")
BASE_SEED = 42

# From the draw of one seed to that of the next; a configuration's own seeds are nearer to each other.
STRIDE = 1000

# Keys below `data` of what a source draws.
KEYS: dict[Source, tuple[str, ...]] = {"data": ("seed", "val_seed"), "split": ("split_seed",), "order": ("batch_seed",)}

# What has seeds of its own.
_OF_DATA: tuple[Source, ...] = ("data", "split")

_MOST_HOPS = 20  # from reference to reference
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")


def seed_of_weights(cfg: Mapping[str, Any] | DictConfig) -> int:
    """The seed of a run's initial weights."""
    own = cfg["seed"] if "init" in _listed(cfg) else cfg.get("base_seed", BASE_SEED)
    return int(own)


def seeds_of_data(cfg: Any, asked: Mapping[str, Any] | None = None) -> dict[str, int]:
    """Arguments of the data module that are others than those of the configuration; none with what is usual.

    Args:
        cfg: A composed configuration, or one in plain containers with what its references lead to.
        asked: The same in plain containers with its references; None where ``cfg`` has them.

    Raises:
        ConfigError: If a source is listed that these data do not have, or nothing of what is listed is drawn.
    """
    vary = _listed(cfg)
    if set(vary) == set(USUAL):
        return {}
    leaves = flatten(cfg if asked is None else asked)
    _check(vary, leaves)
    found: dict[str, int] = {}
    for source in _OF_DATA:
        for key in KEYS[source] if source in vary else ():
            if _has(leaves, key) and not follows_seed(leaves, f"data.{key}"):
                found[key] = _moved(cfg["data"][key], cfg["seed"])
    if "order" not in vary and follows_seed(leaves, "data.batch_seed"):
        found["batch_seed"] = int(cfg.get("base_seed", BASE_SEED))
    return found


def varied(leaves: Mapping[str, Any]) -> tuple[Source, ...]:
    """What follows the seed in a run, of its stored leaves; what draws nothing in its data is left out."""
    vary = leaves.get("vary")
    listed = [each for each in SOURCES if each in vary] if isinstance(vary, Sequence) else list(USUAL)
    found = [each for each in SOURCES if each in listed or (each in _OF_DATA and _refers(leaves, each))]
    return tuple(each for each in found if is_drawn(leaves, each))


def is_drawn(leaves: Mapping[str, Any], source: Source) -> bool:
    """Whether a run draws something of this kind."""
    if source == "init":
        return True
    if source == "order" and leaves.get("data.batch_size") is None:
        # one batch holds all of them
        return False
    return any(_has(leaves, key) for key in KEYS[source])


def follows_seed(leaves: Mapping[str, Any], key: str) -> bool:
    """Whether a key refers to `seed`, if by another key.

    Args:
        leaves: Of a configuration, unresolved.
        key: Dotted.
    """
    for _ in range(_MOST_HOPS):
        value = leaves.get(key)
        found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return False
        key = found[1]
        if key == "seed":
            return True
    return False


def drawn_by(leaves: Mapping[str, Any], key: str, seed: int | None, value: Any) -> Any:
    """What a seed of the data comes to in a run: ``value``, or what `vary` makes of it.

    Args:
        leaves: Of the stored configuration.
        key: Dotted, such as `data.split_seed`.
        seed: Of the run.
        value: What the key says, with references followed.
    """
    source = next((each for each in _OF_DATA if key.removeprefix("data.") in KEYS[each]), None)
    vary = leaves.get("vary")
    is_listed = source is not None and isinstance(vary, Sequence) and source in vary
    if is_listed and seed is not None and isinstance(value, int) and not follows_seed(leaves, key):
        return _moved(value, seed)
    return value


def _listed(cfg: Mapping[str, Any] | DictConfig) -> Sequence[str]:
    listed: Any = cfg.get("vary")
    return USUAL if listed is None else tuple(listed)


def _check(vary: Sequence[str], leaves: Mapping[str, Any]) -> None:
    target = leaves.get("data._target_")
    has = [each for each in SOURCES if is_drawn(leaves, each)]
    for source in _OF_DATA:
        if source in vary and source not in has:
            raise ConfigError(
                f"vary: got {source}, but these data ({target}) draw none: they have no data.{KEYS[source][0]}; "
                f"allowed: {', '.join(has)}"
            )
    if not any(each in has for each in vary):
        raise ConfigError(
            "vary: got order alone, but data.batch_size=null trains on one batch of all samples, which has no order: "
            f"every seed would give the same run; allowed: {', '.join(has)}, or a data.batch_size"
        )


def _refers(leaves: Mapping[str, Any], source: Source) -> bool:
    return any(follows_seed(leaves, f"data.{key}") for key in KEYS[source])


def _has(leaves: Mapping[str, Any], key: str) -> bool:
    return leaves.get(f"data.{key}") is not None


def _moved(value: Any, seed: int) -> int:
    return int((int(value) + STRIDE * seed) % 2**32)
