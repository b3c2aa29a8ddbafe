"""The pages of docs/: every line to type is run, or checked as far as it can be here; every link leads somewhere."""

import json
import re
import shlex
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from benchmarks import reference, speed
from src.config.compose import compose_train
from tests.documented import PAGES, UNRUN, blocks, commands, make_kept, put_kept, run_page, unrun
from tests.test_readme import made
from tests.waiting import ROOT, completed

ALL = [*PAGES, "README.md", "CONTRIBUTING.md"]

# Pages with tests of their own, which run them and look at what they leave.
ELSEWHERE = {"docs/how_to/your_own.md", "docs/how_to/own_network.md", "docs/how_to/predict.md", "docs/how_to/export.md"}

RUN = [page for page in PAGES if page not in ELSEWHERE and any(unrun(line) is None for line in commands(page))]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    make_kept(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_every_line_of_a_page_runs(page: str, kept: Path, tmp_path: Path) -> None:
    put_kept(kept, page, tmp_path)
    run_page(page, tmp_path)


def test_no_line_to_type_is_hidden_in_a_block_that_is_only_read() -> None:
    for page in ALL:
        for block in (*blocks(page, "text"), *blocks(page, "")):
            assert not re.search(r"^(python|pip|make|srun|cp) ", block, re.MULTILINE), page


def test_every_line_that_is_not_run_has_its_reason_and_none_is_listed_in_vain() -> None:
    found = [(each, line) for page in ALL for line in commands(page) if (each := unrun(line))]
    assert {each.part for each, _ in found} == {each.part for each in UNRUN}


def test_lines_that_need_a_cluster_compose() -> None:
    lines = [line for page in ALL for line in commands(page) if (each := unrun(line)) and each.check == "composed"]
    for line in lines:
        given = shlex.split(line.partition("python -m ")[2])
        if given[0] == "src.train":
            compose_train([word for word in given[1:] if not word.startswith("hydra.")])


@pytest.mark.slow
def test_sweeps_that_need_a_cluster_are_checked_job_by_job(tmp_path: Path) -> None:
    lines = [line for page in ALL for line in commands(page) if (each := unrun(line)) and each.check == "dry run"]
    assert len(lines) >= 4
    for line in lines:
        done = completed(*_python(line), "sweep.dry_run=true", f"hydra.sweep.dir={tmp_path}/sweep")
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_make_command_is_a_target_and_every_extra_exists(tmp_path: Path) -> None:
    for path in (ROOT / "Makefile", ROOT / "pyproject.toml", *ROOT.glob("constraints*.txt")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = "\n".join((ROOT / page).read_text() for page in ALL)
    for target in sorted(set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE))):
        made(target, tmp_path)
    extras = re.search(
        r"^\[project.optional-dependencies\]\n(.*?)^\[", (ROOT / "pyproject.toml").read_text(), re.S | re.M
    )
    assert extras
    for extra in re.findall(r"-e '\.\[(\w+)\]'", text):
        assert re.search(rf"^{extra} = ", extras[1], re.MULTILINE), extra


def test_commands_within_a_sentence_compose() -> None:
    text = "\n".join((ROOT / page).read_text() for page in (*PAGES, "README.md"))
    whole = [
        line
        for line in re.findall(r"`python -m src\.train ([^`]+)`", text)
        if not re.search(r"\.\.\.|DIR|my_lab|(^| )-(m|-\w+)\b|=\w+,", line)
    ]
    assert len(whole) > 3
    for line in whole:
        compose_train(shlex.split(line))


@pytest.mark.parametrize("page", ALL)
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", (ROOT / page).read_text(), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        name, _, heading = unquote(link).partition("#")
        path = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        assert path.exists(), link
        assert not heading or heading in headings(path), link


def headings(path: Path) -> set[str]:
    """Names under which a code host lets one link to the headings of a page."""
    lines = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def test_the_index_lists_every_page_by_its_title() -> None:
    listed = dict(re.findall(r"^- \[(.*?)\]\((.*?)\)", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE))
    pages = {page.removeprefix("docs/") for page in PAGES} - {"index.md"}
    assert pages == {link for link in listed.values() if link.endswith(".md")}


@pytest.mark.slow
def test_the_reference_is_what_files_schema_and_docstrings_say() -> None:
    assert reference.PAGE.read_text() == reference.page(), "run python -m benchmarks.reference"


def test_the_reference_has_every_option_and_leaves_no_key_without_a_word() -> None:
    text = reference.PAGE.read_text()
    for group, options in reference.shipped().items():
        for option in options:
            assert f"\n### {group}={option}\n" in text
    rows = re.findall(r"^\| `([\w.]+)` \| .* \| (.*) \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) > 250
    # swept values are those of other keys, and what Slurm calls so is known
    silent = {key for key, takes, about in rows if not takes and not about}
    assert {key for key in silent if not key.startswith(("hydra.sweeper.params.", "hydra.launcher."))} == set()


def test_the_tables_of_speed_are_those_of_what_was_measured() -> None:
    page = speed.PAGE.read_text()
    assert speed.filled(page, json.loads(speed.KEPT.read_text())) == page, "run python -m benchmarks.speed"


def test_a_table_of_speed_without_its_place_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has no line <!-- made by python -m benchmarks\.speed: machine -->"):
        speed.filled("", json.loads(speed.KEPT.read_text()))


def test_speed_says_what_is_missed_and_what_was_not_measured() -> None:
    claim = {"ours_s": [3.0, 0.05, 2.0], "other_s": [1.0], "ratio": 2.0, "target": 1.5, "name": "per epoch, a / b"}
    machine = {"cpu": "CPU", "cores": 1, "python": "3", "torch": "2", "device": "cpu"}
    found = {"machine": machine, "claims": [claim], "curve": [], "models": [], "stream": [], "table": []}
    made = speed.tables(found)
    assert made["run"].splitlines()[2] == "| per epoch, a / b | 2.00 s | 1.00 s | 2 | ≤ 1.5: missed |"
    assert made["busy"] == made["models"] == ""


def _python(line: str) -> list[str]:
    return [sys.executable, *shlex.split(line)[1:]]
