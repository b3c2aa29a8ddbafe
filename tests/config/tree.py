"""A small tree of configuration files, and what a user reads when a start with it fails."""

from collections.abc import Callable
from typing import Any

import pytest

THING = """
class Thing:
    def __init__(self, *, size=1, lr=0.1, extra=None):
        if size < 0:
            raise ValueError(f"Invalid size: {size}")
        if extra == "bug":
            raise RuntimeError("out of order")
"""


THING_YAML = "_target_: thing.Thing\nsize: 1\n"


FILES = {
    "train": """\
defaults:
  - _self_
  - task: thing
  - loss: thing
  - data: small
  - model: thing
  - optimizer: thing
  - scheduler: none
  - trainer: thing
  - callbacks: none
  - logger: none
  - hydra: default
  - experiment: null
seed: 42
compile: false
evaluate: best
run_dir: ${hydra:runtime.output_dir}
optimized_metric: val/loss
sweep: {dry_run: false}
suggested: {lr: 0.1, max_epochs: 2}
""",
    "eval": "defaults:\n  - hydra: default\n  - _self_\nrun: ???\ncheckpoint: best\noverrides: []\n",
    "hydra/default": """\
defaults:
  - override job_logging: none
  - override hydra_logging: none
run: {dir: "out/${now:%Y}_${unique:}"}
sweep: {dir: "sweeps/${now:%Y}_${unique:}", subdir: "${hydra.job.num}"}
output_subdir: null
""",
    "data/small": THING_YAML,
    "data/large": THING_YAML.replace("1", "10"),
    "model/thing": f"name: thing\ntask: null\nnet:\n  {THING_YAML.replace(chr(10), chr(10) + '  ')}\n",
    "experiment/typo": "# @package _global_\ndata:\n  siez: 3\n",
    "experiment/group": "# @package _global_\ndefaults:\n  - override /dtaa: large\n",
    "experiment/option": "# @package _global_\ndefaults:\n  - override /data: larg\n",
    "experiment/syntax": "# @package _global_\nseed: 1\ndata\n  size: 3\n",
    "experiment/unpacked": "seed: 1\n",
    "experiment/scalar": "# @package _global_\nseed 1\n",
    **{f"{group}/thing": THING_YAML for group in ("task", "loss", "optimizer", "trainer")},
    **{f"{group}/none": "{}\n" for group in ("scheduler", "callbacks", "logger")},
}


Run = Callable[..., None]


def message(start: Run, capsys: pytest.CaptureFixture[str], *argv: str, **kwargs: Any) -> str:
    """What a user reads when a start fails."""
    with pytest.raises(SystemExit) as stop:
        start(*argv, **kwargs)
    assert stop.value.code == 1
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    return shown.strip()
