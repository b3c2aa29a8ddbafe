"""The value of each key: its type and range, checked before anything is made.

What a key may hold is known from the annotation of the argument that it becomes. A class of this project declares the
range there; for those of torch, Lightning, Optuna and submitit, which only say a type, `_DECLARED` does.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config.allowed import Count, Made, NotEmpty, NotNegative, Positive, Range, Seed, Share, Text, refusal
from src.config.signature import full_name, typed_parameters

# What Hydra itself reads of a node.
OF_HYDRA: dict[str, Any] = {
    "_target_": Annotated[str, Text(r"\s*\w[^/\s]*|\$\{.*\}", "the full dotted path of a class or function")],
    "_partial_": bool,
    "_recursive_": bool,
    "_convert_": Literal["none", "partial", "object", "all"],
    "_args_": list,
}

Epochs = Annotated[int, Range(low=1, high=10_000_000)]
NumberOfTimes = Annotated[int, Range(low=0)]
# float32 still holds what an optimiser makes of it
Rate = Annotated[float, Range(low=0, high=1e30, open_low=True)] | Made
_Decay = Annotated[float, Range(low=0, high=1, open_high=True)]
_Batches = NumberOfTimes | Share | None
_Interval = Annotated[float, Range(low=0, high=1, open_low=True)]
_Duration = Annotated[str, Text(r"\d+:\d\d:\d\d:\d\d", "a duration, DD:HH:MM:SS")]
_Jobs = Annotated[int, Range(high=-1)] | Annotated[int, Range(low=1)]
_Name = NotEmpty | None

_EARLY_STOPPING: dict[str, Any] = {
    "min_delta": NotNegative,
    # null: the direction that the metric's name tells
    "mode": Literal["min", "max"] | None,
    "monitor": NotEmpty,
    "patience": NumberOfTimes,
}

# By the beginning of the full name of a class or function: what its arguments take, where their annotation says less.
_DECLARED: dict[str, dict[str, Any]] = {
    "torch.optim.": {
        "alpha": Annotated[float, Range(low=0, high=1)],
        "betas": tuple[_Decay, _Decay],
        "eps": NotNegative,
        "history_size": Count,
        "line_search_fn": Literal["strong_wolfe"] | None,
        "lr": Rate,
        "lr_decay": NotNegative,
        "max_eval": Count | None,
        # a loss is to fall
        "maximize": Literal[False],
        "max_iter": Count,
        "momentum": NotNegative,
        "rho": Share,
        "tolerance_change": NotNegative,
        "tolerance_grad": NotNegative,
        "weight_decay": NotNegative | Made,
    },
    "torch.optim.lr_scheduler.": {
        "T_0": Count,
        "T_max": Count,
        "T_mult": Count,
        "cooldown": NumberOfTimes,
        "div_factor": Positive,
        "end_factor": Share,
        "epochs": Count | None,
        "eps": NotNegative,
        "eta_min": NotNegative,
        "factor": Annotated[float, Range(low=0, high=1, open_high=True)],
        "final_div_factor": Positive,
        "gamma": Positive,
        # where a scheduler of a run that goes on is comes with its checkpoint
        "last_epoch": Literal[-1],
        "milestones": list[Count],
        "patience": NumberOfTimes,
        "pct_start": Share,
        "power": NotNegative,
        "start_factor": Annotated[float, Range(low=0, high=1, open_low=True)],
        "step_size": Count,
        "steps_per_epoch": Count | None,
        "threshold": NotNegative,
        "total_iters": Count,
        "total_steps": Count | None,
    },
    "torch.optim.lr_scheduler.ConstantLR": {"factor": Share},
    # it looks at val/loss
    "torch.optim.lr_scheduler.ReduceLROnPlateau": {"mode": Literal["min"]},
    "torch.nn.modules.loss.": {
        "beta": NotNegative,
        "delta": Positive,
        "label_smoothing": Share,
        # losses of batches and parts of any size are compared, and added up by their share of the samples
        "reduction": Annotated[str, Text("mean", "mean; a larger optimizer.lr does to training what sum does")],
        # what was once said by reduction
        "reduce": None,
        "size_average": None,
    },
    "torch.nn.modules.loss.KLDivLoss": {"reduction": Literal["mean", "batchmean"]},
    "lightning.pytorch.trainer.trainer.Trainer": {
        "accelerator": Literal["auto", "cpu", "gpu", "mps", "cuda", "tpu"] | Made,
        "accumulate_grad_batches": Count,
        "check_val_every_n_epoch": Count | None,
        "devices": Literal["auto", -1] | Annotated[int, Range(low=1, high=4096)] | NotEmpty | list[NumberOfTimes],
        "fast_dev_run": bool | NumberOfTimes,
        "gradient_clip_algorithm": Literal["norm", "value"] | None,
        "gradient_clip_val": NotNegative | None,
        "limit_predict_batches": _Batches,
        "limit_test_batches": _Batches,
        "limit_train_batches": _Batches,
        "limit_val_batches": _Batches,
        "max_epochs": Epochs | None,
        "max_steps": Literal[-1] | Count,
        "min_epochs": NumberOfTimes | None,
        "min_steps": NumberOfTimes | None,
        "num_nodes": Annotated[int, Range(low=1, high=4096)],
        "num_sanity_val_steps": Literal[-1] | NumberOfTimes | None,
        "overfit_batches": NumberOfTimes | Share,
        "reload_dataloaders_every_n_epochs": NumberOfTimes,
        "strategy": NotEmpty | Made,
        "val_check_interval": Count | _Interval | _Duration | None,
    },
    "lightning.pytorch.callbacks.early_stopping.EarlyStopping": _EARLY_STOPPING,
    "src.callbacks.early_stopping.EarlyStopping": _EARLY_STOPPING,
    "lightning.pytorch.callbacks.rich_model_summary.RichModelSummary": {"max_depth": Literal[-1] | NumberOfTimes},
    "lightning.pytorch.loggers.": {"save_dir": _Name, "project": _Name, "experiment_name": _Name},
    "optuna.": {
        "max_resource": Literal["auto"] | Count,
        "min_resource": Count,
        "n_startup_trials": NumberOfTimes,
        "n_warmup_steps": NumberOfTimes,
        "interval_steps": Count,
        "n_min_trials": Count,
        "population_size": Annotated[int, Range(low=2)],
        "reduction_factor": Annotated[int, Range(low=2)],
        "seed": Seed | None,
    },
    "hydra_plugins.grid_sweeper.grid_sweeper.GridSweeper": {"max_batch_size": Count | None, "params": dict | None},
    "hydra_plugins.optuna_sweeper.optuna_sweeper.OptunaSweeper": {
        "n_jobs": Count | None,
        "n_seeds": Count,
        "n_trials": Count,
        "objectives": NotEmpty | list[NotEmpty] | dict | None,
        "params": dict | None,
        "storage": _Name,
        "study_name": _Name,
    },
    "hydra_plugins.vmap_launcher.vmap_launcher.VmapLauncher": {
        "memory_gb": Positive | None,
        "models_per_process": Count,
        "models_per_step": Count | None,
        "fused": Literal["auto", "never"],
        # it knows the words that these once were
        "executor": Any,
        "pictures": Any,
    },
    "hydra_plugins.tolerant_launchers.launchers.": {
        "array_parallelism": Count,
        "cpus_per_gpu": Count | None,
        "cpus_per_task": Count | None,
        "gpus_per_node": NumberOfTimes | NotEmpty | None,
        "gpus_per_task": NumberOfTimes | NotEmpty | None,
        "max_num_timeout": NumberOfTimes,
        "mem_gb": Positive | None,
        "n_jobs": _Jobs,
        "nodes": Count,
        "ray.remote.max_retries": Annotated[int, Range(low=-1)],
        "ray.remote.num_cpus": NotNegative | None,
        "ray.remote.num_gpus": NotNegative | None,
        "signal_delay_s": NumberOfTimes,
        "stderr_to_stdout": bool,
        "submitit_folder": NotEmpty,
        "tasks_per_node": Count,
        "timeout_min": Count,
    },
}

# Arguments that code fills in from other parts of the configuration.
GIVEN = frozenset({"net", "loss", "optimizer", "scheduler", "spec", "params"})

_UNKNOWN = object()


def hint_of(target: str, name: str) -> Any:
    """What an argument of a class or function takes; Any where nothing tells.

    Args:
        target: Full dotted path.
        name: Of the argument; with dots for what lies below it.
    """
    full = full_name(target)
    for prefix, declared in reversed(_DECLARED.items()):
        if full.startswith(prefix) and name in declared:
            return declared[name]
    known = typed_parameters(target).get(name)
    return Any if known is None else known.hint


def required(target: str) -> list[str]:
    """Arguments that have no default and that nothing fills in."""
    return [name for name, each in typed_parameters(target).items() if each.is_required and name not in GIVEN]


def leaves_of(node: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any, Any]]:
    """Key, value as it stands, and hint of every argument of a node with a `_target_`."""
    target = str(node["_target_"])

    def below(values: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any, Any]]:
        for name, value in values.items():
            hint = OF_HYDRA[name] if name in OF_HYDRA else hint_of(target, f"{above}{name}")
            yield f"{key}.{above}{name}", value, hint
            if isinstance(value, dict) and "_target_" not in value:
                yield from below(value, f"{above}{name}.")

    yield from below(node, "")


def wrong(cfg: DictConfig, tree: Any, leaves: Iterable[tuple[str, Any, Any]]) -> Iterator[tuple[str, str]]:
    """Yield (key, what is wrong with its value); a wrong value that others refer to stands once, under its own key.

    Args:
        cfg: Configuration that resolves the references.
        tree: The same as plain containers, with its references.
        leaves: Key, value as it stands, and hint of what is to be checked.
    """
    for key, raw, hint in leaves:
        if raw == "???":
            continue
        at, text = key, raw
        while isinstance(text, str) and (found := re.fullmatch(r"\$\{([A-Za-z_][\w.]*)\}", text)):
            at, text = found[1], _at(tree, found[1])
        # OmegaConf takes a millisecond for what most references come down to: another key
        value = text if text is _UNKNOWN or "${" not in str(text) else _resolved(cfg, key, raw)
        if value is _UNKNOWN or text == "???":
            continue
        refused = refusal(at, value, as_it_stands(cfg, key, hint))
        if refused:
            yield at, refused if at == key else f"{refused} ({key} takes it)"


def _at(tree: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(tree, dict) or part not in tree:
            return _UNKNOWN
        tree = tree[part]
    return tree


def _resolved(cfg: DictConfig, key: str, raw: Any) -> Any:
    try:
        found = OmegaConf.select(cfg, key)
        if found is None and re.search(r"\$\{\w+:", str(raw)):
            # what Hydra tells of a run, outside of one
            return _UNKNOWN
        return OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found
    # a reference that leads nowhere has a message of its own; others are resolved where a run begins
    except (OmegaConfBaseException, ValueError):
        return _UNKNOWN


def as_it_stands(cfg: DictConfig, key: str, hint: Any) -> Any:
    """A hint, and what else a key takes because of the values of others."""
    if key in ("model.net.in_features", "model.net.out_features"):
        # null: as the data say
        return hint if hint is Any else hint | None
    if key == "trainer.max_epochs" and (cfg.trainer.get("max_time") or cfg.trainer.get("max_steps") not in (None, -1)):
        return hint | Literal[-1]
    return hint
