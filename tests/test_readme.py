"""Every command that README and CONTRIBUTING show is run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Enough to reach the end of everything; what the commands teach is tested where the lesson is.
SHORT = ["trainer.max_epochs=2"]

# Jobs of each sweep that README shows, by a part of its command.
JOBS = {
    "-m model=circle_v1,circle_v2 optimizer.lr=0.01,0.1": 4,
    "experiment=linear_vs_relu": 16,
    "hydra.sweep.dir=outputs/sweeps/mine": 6,
    "sweep.dry_run=true": 0,
    "hydra/launcher=joblib": 4,
    "hydra/launcher=submitit_local": 2,
    "hydra/launcher=vmap": 32,
    "experiment=search/mlp_circles": 3,
    "optimizer.momentum=interval(0,0.99)": 3,
    "hydra/sweeper/sampler=nsgaii": 3,
}

# One process for all commands: importing torch and Lightning takes longer than all of them.
ONE_AFTER_ANOTHER = """
import json, runpy, sys
for arguments in json.loads(sys.argv[1]):
    sys.argv = arguments
    print("$ python -m", *arguments, file=sys.stderr)
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        assert not end.code, end.code
"""


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    return [line for block in blocks("README.md", "bash") for line in block.splitlines()]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the commands need, so that they write there as they are, word for word."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("src", "conf", "hydra_plugins", "Makefile", "pyproject.toml", "constraints.txt"):
        source = ROOT / name
        shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy / name)
    return copy


@pytest.mark.slow
def test_every_python_command_of_the_readme_runs(outputs: Path) -> None:
    python = [shlex.split(command)[2:] for command in commands() if command.startswith("python -m ")]
    assert len(python) > 10
    for arguments in python:
        if arguments[0] == "src.train" and not any(word.startswith("debug=") for word in arguments):
            arguments.extend(SHORT)
            # single runs show that all pictures can be drawn
            arguments.extend(["callbacks=none"] if is_sweep(" ".join(arguments)) else [])
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_ANOTHER, json.dumps(python)],
        cwd=outputs,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr
    finished = [json.loads(path.read_text())["status"] for path in outputs.glob("outputs/**/result.json")]
    trained = [" ".join(arguments) for arguments in python if arguments[0] == "src.train"]
    sweeps = [sum(n for part, n in JOBS.items() if part in command) for command in trained if is_sweep(command)]
    assert len(sweeps) == len(JOBS)
    assert finished == ["completed"] * (len(trained) - len(sweeps) + sum(sweeps))


def is_sweep(command: str) -> bool:
    return " -m " in command or any(f"experiment={name}" in command for name in ("linear_vs_relu", "search/"))


def test_every_make_command_of_the_readme_is_a_target(outputs: Path) -> None:
    text = (ROOT / "README.md").read_text()
    targets = sorted(set(re.findall(r"`?make ([a-z-]+)", text)))
    assert {"train", "test", "tensorboard", "help"} <= set(targets)
    # MAKEFLAGS of a make that runs these tests would turn off -n
    env = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL")}
    for target in targets:
        done = subprocess.run(["make", "-n", target], cwd=outputs, capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, f"make {target}: {done.stderr}"


@pytest.mark.slow
def test_every_shown_error_is_the_one_that_comes(outputs: Path) -> None:
    shown = next(block for block in blocks("README.md", "text") if block.startswith("$ "))
    for command, message in re.findall(r"^\$ python (.*?)\n(.*?)(?=^\$|\Z)", shown, re.DOTALL | re.MULTILINE):
        done = subprocess.run(
            [sys.executable, *shlex.split(command)], cwd=outputs, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert done.stderr.split() == message.split()


def test_all_options_are_listed_in_the_readme() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE))
    shown = {"progress", "summary", "pictures", "boundary_frames", "precision_recall", "model_graph", "hints"}
    parts = {"callbacks": {"checkpoint", "pruning", *shown}, "task": {"loop"}}
    for group in table:
        files = {str(path.relative_to(ROOT / "conf" / group))[:-5] for path in (ROOT / "conf" / group).rglob("*.yaml")}
        assert set(re.findall(r"`([\w/]+)`", table[group])) == files - parts.get(group, set()), group


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["data", "model"])
def test_the_steps_of_the_contributing_guide_work(kind: str, outputs: Path) -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text().split(f"## Add a {kind}")[1].split("\n## ")[0]
    paths = re.findall(r"Write `(.*?)`", section)
    code = re.findall(r"```(?:python|yaml)\n(.*?)```", section, re.DOTALL)
    assert len(paths) == len(code) == 2
    for path, text in zip(paths, code, strict=True):
        # the blocks are indented under their step
        (outputs / path).write_text(re.sub(r"^   ", "", text, flags=re.MULTILINE))
    (command,) = re.findall(r"Try it: `python (.*?)`", section)
    done = subprocess.run(
        [sys.executable, *shlex.split(command), *SHORT], cwd=outputs, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
