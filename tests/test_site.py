"""The pages of docs/ build as a site, and what is wrong with them ends the build."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.documented import PAGES, environ
from tests.waiting import ROOT, completed

# whole builds
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info < (3, 11), reason="what reads Markdown for Sphinx needs Python 3.11"),
]


def build(docs: Path, site: Path) -> tuple[int, str]:
    """What `make docs` runs."""
    done = completed(
        *(sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-c", str(docs)),
        *(str(docs), str(site)),
        env=environ(),
    )
    return done.returncode, done.stdout + done.stderr


def test_every_page_is_a_page_of_the_site(tmp_path: Path) -> None:
    status, said = build(ROOT / "docs", tmp_path)
    assert (status, said) == (0, "")
    for page in PAGES:
        assert (tmp_path / page.removeprefix("docs/")).with_suffix(".html").is_file()
    lesson = (tmp_path / "lesson.html").read_text()
    assert "how_to/own_table.html" in lesson
    assert ":hidden:" not in (tmp_path / "index.html").read_text()


# What is wrong, and what the build says of it.
WRONG = {
    "[nowhere](how_to/nowhere.md)": "nowhere.md",
    "[no heading](how_to/sweep.md#no-such-heading)": "no-such-heading",
    "![no picture](pictures/none.png)": "none.png",
}


def test_what_leads_nowhere_or_is_not_listed_ends_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    shutil.copytree(ROOT / "docs", docs)
    page = docs / "lesson.md"
    page.write_text("\n\n".join([page.read_text(), *WRONG]))
    (docs / "alone.md").write_text("# Alone\n")
    status, said = build(docs, tmp_path / "site")
    assert status == 1
    for words in (*WRONG.values(), "alone.md"):
        assert words in said
