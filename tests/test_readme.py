"""README and CONTRIBUTING: every command that they show is run."""

import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.documented import PAGES, SHORT, STEPS, blocks, commands
from tests.shipped import groups, shipped
from tests.waiting import ROOT, completed

# Jobs of each sweep that README shows, by a part of its command.
JOBS = {
    "experiment=linear_vs_relu": 128,
    "hydra/launcher=vmap": 32,
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the commands need, so that they write there as they are, word for word."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("src", "conf", "hydra_plugins", "Makefile", "pyproject.toml", "constraints.txt"):
        source = ROOT / name
        shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy / name)
    # a message may list all options that fit: without those that a user has added
    for option in (copy / "conf" / "model").glob("*.yaml"):
        if option.stem not in (*shipped("model"), "none"):
            option.unlink()
    return copy


@pytest.mark.slow
def test_every_python_command_of_the_readme_runs(outputs: Path) -> None:
    python = [shlex.split(command)[2:] for command in commands("README.md") if command.startswith("python -m ")]
    for arguments in python:
        # single runs show that all pictures can be drawn
        arguments.extend([*SHORT, *(["callbacks=none"] if is_sweep(" ".join(arguments)) else [])])
    done = completed(
        sys.executable, "-c", STEPS, json.dumps([("module", arguments) for arguments in python]), cwd=outputs
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr
    finished = [json.loads(path.read_text())["status"] for path in outputs.glob("outputs/**/result.json")]
    trained = [" ".join(arguments) for arguments in python if arguments[0] == "src.train"]
    sweeps = [sum(n for part, n in JOBS.items() if part in command) for command in trained if is_sweep(command)]
    assert len(sweeps) == len(JOBS)
    assert finished == ["completed"] * (len(trained) - len(sweeps) + sum(sweeps))


def is_sweep(command: str) -> bool:
    return " -m " in command or "experiment=" in command


def made(target: str, folder: Path) -> str:
    """What make would run."""
    # MAKEFLAGS of a make that runs these tests would turn off -n
    env = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL")}
    done = completed("make", "-n", target, cwd=folder, env=env)
    assert done.returncode == 0, f"make {target}: {done.stderr}"
    return done.stdout


def test_every_make_command_of_the_readme_is_a_target(outputs: Path) -> None:
    text = (ROOT / "README.md").read_text()
    targets = sorted(set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)))
    assert {"setup", "test", "tensorboard", "help"} <= set(targets)
    for target in targets:
        made(target, outputs)


def test_outputs_is_a_folder_of_the_project_that_clean_leaves(outputs: Path) -> None:
    assert (ROOT / "outputs" / "README.md").is_file()
    assert "/outputs/*\n!/outputs/README.md\n" in (ROOT / ".gitignore").read_text()
    assert "outputs" not in made("clean", outputs)


@pytest.mark.slow
def test_every_shown_error_is_the_one_that_comes(outputs: Path) -> None:
    shown = [block for page in PAGES for block in blocks(page, "text") if block.startswith("$ ")]
    assert len(shown) == 2
    for command, message in re.findall(r"^\$ python (.*?)\n(.*?)(?=^\$|\Z)", "".join(shown), re.DOTALL | re.MULTILINE):
        done = completed(sys.executable, *shlex.split(command), cwd=outputs)
        assert done.returncode == 1
        assert done.stderr.split() == message.split()


def test_the_readme_fits_on_a_screen() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 120


def test_all_options_that_the_table_lists_are_there() -> None:
    assert {"data", "model", "optimizer", "callbacks", "experiment"} <= set(groups())
    for group, options in groups().items():
        assert options
        for option in options:
            assert (ROOT / "conf" / group / f"{option}.yaml").is_file(), f"{group}={option}"


def test_the_contributing_guide_draws_the_layers_that_are_checked() -> None:
    # tomllib came with Python 3.11
    layers = re.search(r"^layers = \[\n(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL | re.MULTILINE)
    assert layers
    checked = re.findall(r"src\.(\w+)", layers[1])
    tree = next(block for block in blocks("CONTRIBUTING.md", "") if block.startswith("src/\n"))
    drawn = [
        name for line in re.findall(r"^  (.*)$", tree, re.MULTILINE) for name in re.findall(r"(\w+)(?:/|\.py)", line)
    ]
    assert drawn == checked
    folders = {path.stem for path in (ROOT / "src").iterdir() if not path.name.startswith("__")}
    assert set(drawn) <= folders


@pytest.mark.slow
def test_the_steps_of_the_contributing_guide_leave_everything_green(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".coverage*", "outputs", "__pycache__", "stored")
    shutil.copytree(ROOT, checkout, ignore=ignored)
    (checkout / "outputs").mkdir()
    shutil.copy(ROOT / "outputs" / "README.md", checkout / "outputs")
    for kind in ("data", "model"):
        section = (ROOT / "CONTRIBUTING.md").read_text().split(f"## Add a {kind}")[1].split("\n## ")[0]
        paths = re.findall(r"Write `(.*?)`", section)
        code = re.findall(r"```(?:python|yaml)\n(.*?)```", section, re.DOTALL)
        assert len(paths) == len(code) == 2
        for path, text in zip(paths, code, strict=True):
            assert not (checkout / path).exists()
            # the blocks are indented under their step
            (checkout / path).write_text(re.sub(r"^   ", "", text, flags=re.MULTILINE))
        (tried,) = re.findall(r"Try it: `python (.*?)`", section)
        run(checkout, sys.executable, *shlex.split(tried), *SHORT)
    programs = Path(sys.executable).parent
    # what `make check` runs, and the tests that look at conf/
    for check in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["lint-imports"]):
        run(checkout, str(programs / check[0]), *check[1:])
    tests = ["test_build", "checks", "test_presets", "test_readme", "config", "plots", "hints", "sweep"]
    files = [str(path.relative_to(checkout)) for name in tests for path in (checkout / "tests").glob(f"{name}*")]
    assert len(files) == len(tests)
    run(checkout, sys.executable, "-m", "pytest", "-q", "-m", "not slow", *files)


def run(checkout: Path, *argv: str) -> None:
    # a pytest that runs this test leaves its own marks
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    done = completed(*argv, cwd=checkout, env=env)
    assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout}\n{done.stderr}"
