"""Importing a module changes nothing for whoever imports it."""

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# What other packages change when they are imported is theirs, so they come first.
CODE = """
import importlib, json, logging, os, signal, sys, warnings
import matplotlib, torch
from omegaconf.basecontainer import BaseContainer

theirs, ours = json.load(sys.stdin)
for name in theirs:
    importlib.import_module(name)


def state():
    named = sorted(logging.root.manager.loggerDict.items())
    loggers = [logging.root, *(each for _, each in named if isinstance(each, logging.Logger))]
    return {
        "loggers": {
            each.name: (each.level, each.propagate, each.disabled, [repr(handler) for handler in each.handlers])
            for each in loggers
            # a module's own logger, as it comes
            if each is logging.root or (each.level, each.propagate, each.handlers) != (logging.NOTSET, True, [])
        },
        "warnings": [repr(each) for each in warnings.filters],
        "environment": dict(os.environ),
        "signals": [repr(signal.getsignal(each)) for each in sorted(signal.valid_signals())],
        "pictures": {key: repr(value) for key, value in matplotlib.rcParams.items()},
        "torch": [
            repr(torch.get_default_dtype()), torch.get_num_threads(), torch.get_float32_matmul_precision(),
            torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(), torch.get_rng_state().tolist(),
        ],
        "hooks": [repr(hook) for hook in (sys.excepthook, sys.unraisablehook, sys.displayhook)],
        "path": sys.path[:],
        "folder": os.getcwd(),
        "resolvers": sorted(BaseContainer._resolvers),
    }


changed = []
for name in ours:
    before = state()
    importlib.import_module(name)
    changed += [f"{name}: {key}" for key, value in state().items() if value != before[key]]
print(json.dumps(changed))
"""


def modules() -> dict[str, Path]:
    """All our modules by name, apart from those whose extra is not installed."""
    files = [path for folder in ("src", "hydra_plugins") for path in sorted((ROOT / folder).rglob("*.py"))]
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}
    ray = {} if importlib.util.find_spec("ray") else {"src.launch.ray_tasks"}
    return {name: path for name, path in named.items() if name not in ray}


def imported(path: Path) -> set[str]:
    """Modules of other packages that a file imports as soon as it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {each.name for node in tree.body if isinstance(node, ast.Import) for each in node.names}
    names |= {str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)}
    return {name for name in names if name.split(".")[0] not in ("src", "hydra_plugins", "__future__")}


@pytest.mark.slow
def test_no_module_changes_logging_warnings_environment_signals_pictures_or_torch() -> None:
    ours = modules()
    assert {"src.build", "src.train", "hydra_plugins.vmap_launcher.vmap_launcher"} <= ours.keys()
    theirs = sorted(set().union(*map(imported, ours.values())))
    command = [sys.executable, "-c", CODE]
    given = json.dumps([theirs, list(ours)])
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
