"""What a run says before it trains: a line each for data, model and optimizer."""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from src.data.spec import DataSpec

# Values that leave something as it is.
_NOTHING: tuple[Any, ...] = (None, False, 0, {}, [])

# What follows from the data.
_OF_DATA = ("in_features", "out_features")

# What is told of an optimizer in any case; other values are where they are not those that it has by itself.
_RATE = "lr"

# Class names that are told.
_FEW = 3


def setup_lines(
    cfg: DictConfig,
    *,
    n_parameters: int,
    spec: DataSpec | None = None,
    n_samples: Sequence[int] = (),
    loss: str | None = None,
) -> list[str]:
    """What is trained, on what, and how.

    Args:
        cfg: A composed configuration.
        n_parameters: Numbers that the network learns.
        spec: What the data hold; None where they do not tell.
        n_samples: Sizes of the training, the validation and the test part, where there is a ``spec``.
        loss: Class of the loss, which a function may have chosen; None for what the configuration names.
    """
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    lines = [f"data: {_data(plain['data'], spec, n_samples)}"]
    if plain.get("module") is not None:
        return [*lines, f"module: {_made(plain['module'])}, {n_parameters:,} parameters, {_length(plain['trainer'])}"]
    model, size = plain["model"], plain["data"].get("batch_size")
    lines.append(f"model: {model['name']}, {_made(model['net'])}, {n_parameters:,} parameters")
    batches = f"batches of {size:,}" if isinstance(size, int) else "one batch an epoch"
    scheduler = f", {_made(plain['scheduler'])}" if plain.get("scheduler") else ""
    trained = f"{_optimizer(plain['optimizer'])}{scheduler}, {_made(plain['loss'], loss)}"
    return [*lines, f"optimizer: {trained}, {_length(plain['trainer'])}, {batches}"]


def origin(cfg: DictConfig | Mapping[str, Any]) -> str:
    """Where a result comes from, below a title: data, optimizer and seed.

    Args:
        cfg: A composed configuration, or the same as plain containers without references.
    """
    plain: Any = OmegaConf.to_container(cfg, resolve=True) if isinstance(cfg, DictConfig) else cfg
    parts = [_name(plain["data"]).removesuffix("DataModule")]
    if plain.get("optimizer"):
        parts.append(_optimizer(plain["optimizer"]))
    return ", ".join([*parts, f"seed {plain['seed']}"])


def _data(node: Mapping[str, Any], spec: DataSpec | None, n_samples: Sequence[int]) -> str:
    name = _name(node)
    if spec is None:
        return name
    names = spec.class_names
    kind = "targets" if spec.task == "regression" else "classes"
    what = " and ".join(names) if len(names) <= _FEW else f"{len(names)}"
    outputs = f"target {what}" if spec.task == "regression" and len(names) == 1 else f"{kind}: {what}"
    features = f"{spec.n_features} feature{'s' if spec.n_features > 1 else ''}"
    sizes = ", ".join(f"{n:,} {part}" for n, part in zip(n_samples, ("training", "validation", "test"), strict=True))
    return f"{name}, {sizes} samples; {features}; {outputs}"


def _name(node: Mapping[str, Any]) -> str:
    return str(node["_target_"]).rpartition(".")[2]


def _made(node: Mapping[str, Any], name: str | None = None) -> str:
    """A class with those of its values that do something, as one would write it."""
    name = name or _name(node)
    values = [
        f"{key}={_value(value)}"
        for key, value in node.items()
        if not key.startswith("_")
        and key not in _OF_DATA
        and value not in _NOTHING
        # of hidden layers, where there are none
        and not (key == "activation" and node.get("hidden") == [])
    ]
    return f"{name}({', '.join(values)})" if values else name


def _optimizer(node: Mapping[str, Any]) -> str:
    known = signature(get_object(node["_target_"])).parameters
    own = {key: known[key].default for key in node if key in known and key != _RATE}
    return _made({key: value for key, value in node.items() if key not in own or not _same(value, own[key])})


def _same(value: Any, other: Any) -> bool:
    return bool(value == (list(other) if isinstance(other, tuple) else other))


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return _made(value) if "_target_" in value else "..."
    if isinstance(value, float):
        # what a search has drawn has many digits
        return f"{value:.4g}"
    return f"[{', '.join(map(_value, value))}]" if isinstance(value, list) else str(value)


def _length(trainer: Mapping[str, Any]) -> str:
    if tried := trainer.get("fast_dev_run"):
        return f"{int(tried)} step{'s' if tried > 1 else ''} to try it"
    n = trainer.get("max_epochs")
    return f"{n:,} epochs" if isinstance(n, int) and n >= 0 else "no last epoch"
