"""What README and the pages of docs/ show to be typed, and how each line of it is checked.

A block of bash is typed line by line, and one of Python is run, in the order of the page. All other blocks are there to
be read.
"""

import importlib.util
import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from tests.waiting import ROOT, completed

README = "README.md"
PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))

Check = Literal["dry run", "composed", "target", "extra", "none"]


class Unrun(NamedTuple):
    """Lines that are not run.

    Attributes:
        part: What a line of them holds, a regular expression.
        check: What is done instead. dry run: all jobs are composed and checked; composed: the configuration is; target:
            make would run it; extra: pyproject.toml has it.
        reason: Why.
    """

    part: str
    check: Check
    reason: str


UNRUN = (
    Unrun(r"hydra/launcher=submitit_slurm", "dry run", "needs a Slurm cluster; tests/launch has one of its own"),
    Unrun(r"hydra/launcher=ray", "dry run", "needs the extra ray and a cluster; tests/launch starts one"),
    Unrun(r"^srun ", "composed", "needs Slurm on two nodes"),
    Unrun(r" -m trainer=ddp", "dry run", "starts processes by the command line; tests/launch/test_ranks.py does"),
    Unrun(r"trainer=ddp", "composed", "starts processes by the command line; tests/launch/test_ranks.py does"),
    Unrun(r"^pip install ", "extra", "changes the environment that the tests run in"),
    Unrun(r"^make ", "target", "installs, opens a browser, or takes minutes"),
    *(
        [Unrun(r"format=onnx", "none", "needs the extra onnx, which `make test-all` installs")]
        if importlib.util.find_spec("onnxruntime") is None
        else []
    ),
    Unrun(r"^(git clone|cd linear-vs-relu|source )", "none", "fetches the project itself, or changes the shell"),
)

# Enough to reach the end of everything; what the commands teach is tested where the lesson is.
SHORT = ["trainer.max_epochs=2"]

# In the place of what a reader waits minutes for.
_SHORTER = {
    r"n_trials=\d+": "n_trials=3",
    r"sweep\.until=clear": "sweep.until=clear sweep.max_seeds=8",
    r"experiment=linear_vs_relu": "experiment=linear_vs_relu seed=0,1",
}

# One process for a page: importing torch and Lightning takes longer than most commands.
STEPS = """
import json, runpy, subprocess, sys
names = {}
for kind, text in json.loads(sys.argv[1]):
    if kind == "python":
        exec(text, names)
    elif kind == "shell":
        subprocess.run(["bash", "-ec", text], check=True)
    else:
        sys.argv = text
        print("$ python -m", *text, file=sys.stderr)
        try:
            runpy.run_module(text[0], run_name="__main__", alter_sys=True)
        except SystemExit as end:
            assert not end.code, (text, end.code)
"""

Step = tuple[str, "str | list[str]"]


def blocks(page: str, language: str) -> list[str]:
    """Blocks of a language."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[str]:
    """Lines to type."""
    return [line for block in blocks(page, "bash") for line in block.splitlines()]


def unrun(line: str) -> Unrun | None:
    """What is done with a line that is not run; None for one that is."""
    return next((each for each in UNRUN if re.search(each.part, line)), None)


def steps(page: str, *, is_short: bool) -> list[Step]:
    """What of a page is run, in its order.

    Args:
        page: Path in the checkout.
        is_short: Train for two epochs where a line does not say how long, without what only takes time.
    """
    found: list[Step] = []
    text = (ROOT / page).read_text()
    for language, block in re.findall(r"^```(python|bash)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if language == "python":
            found.append(("python", block))
            continue
        for line in block.splitlines():
            if unrun(line) is not None:
                continue
            if not line.startswith("python -m "):
                found.append(("shell", line.replace("CHECKOUT", str(ROOT)).replace("python ", f"{sys.executable} ")))
                continue
            for part, instead in _SHORTER.items() if is_short else ():
                line = re.sub(part, instead, line)
            arguments = shlex.split(line)[2:]
            found.append(("module", [*arguments, *(_less(arguments) if is_short else [])]))
    return found


def _less(arguments: list[str]) -> list[str]:
    """What makes a training short, of what the line does not decide itself."""
    if arguments[0] != "src.train" or any(re.match(r"--|debug=|reproduce=", word) for word in arguments):
        return []
    words = " ".join(arguments)
    less = [] if "trainer.max_epochs" in words else SHORT
    return [*less, *(f"{group}={option}" for group, option in _FEW.items() if group not in words)]


_FEW = {"callbacks": "none", "logger": "csv"}


def run_page(page: str, folder: Path) -> str:
    """Run a page in a folder, with a run and a sweep to look at where it makes none; what was printed."""
    return _run(page, steps(page, is_short=True), folder)


def _run(page: str, todo: list[Step], folder: Path) -> str:
    done = completed(sys.executable, "-c", STEPS, json.dumps(todo), cwd=folder, env=environ())
    assert done.returncode == 0, f"{page}\n{done.stdout[-1500:]}{done.stderr}"
    return done.stdout + done.stderr


def make_kept(folder: Path) -> None:
    """The run and the sweep that pages speak of."""
    given: list[Step] = [
        ("module", ["src.train", "hydra.run.dir=outputs/runs/mine", *SHORT]),
        (
            "module",
            ["src.train", "-m", "model=circle_v1,mlp", "seed=0,1,2", "hydra.sweep.dir=outputs/sweeps/mine", *SHORT],
        ),
    ]
    _run("what pages speak of", given, folder)


def put_kept(kept: Path, page: str, folder: Path) -> None:
    """Copy of them what a page does not make itself."""
    text = (ROOT / page).read_text()
    for place in ("runs", "sweeps"):
        if f"dir=outputs/{place}/mine" not in text:
            shutil.copytree(kept / "outputs" / place, folder / "outputs" / place)


def environ() -> dict[str, str]:
    """Of a command that is started beside the checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}
