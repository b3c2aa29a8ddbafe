"""How Sphinx makes a site of these pages: ``make docs``. They are plain Markdown, as a code host shows it."""

import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

project = "Linear versus ReLU"
project_copyright = "MIT licence"
extensions = ["myst_parser", "sphinx_copybutton"]
root_doc = "index"
source_suffix = {".md": "markdown"}
exclude_patterns = ["measured", "pictures", "static"]

html_theme = "furo"
html_title = project
html_show_sphinx = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]

# headings that other pages link to, named as a code host names them
myst_heading_anchors = 3
# what is printed or stands in a file is shown as it is
highlight_language = "text"

_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def within(page: str, text: str) -> str:
    """A page without its links to files of the repository that the site has not; their words stay."""

    def replace(match: re.Match[str]) -> str:
        if "://" in match[2] or match[2].startswith("#"):
            return match[0]
        path = ((DOCS / page).parent / match[2].partition("#")[0]).resolve()
        return match[0] if path.is_relative_to(DOCS) else match[1]

    return _LINK.sub(replace, text)


def contents(text: str) -> str:
    """The trees of contents that the lists of the index stand for, one for each heading; a page stands in the first."""
    trees: list[str] = []
    seen: set[str] = set()
    for section in re.split(r"^(?:## (?=.)|(?=\w.*:$))", text, flags=re.MULTILINE)[1:]:
        pages = [page for page in re.findall(r"\]\(([\w/]+)\.md\)", section) if page not in seen]
        seen.update(pages)
        head = ["```{toctree}", ":hidden:", f":caption: {section.splitlines()[0].rstrip(':')}", ""]
        trees += ["\n".join([*head, *pages, "```"])] if pages else []
    return "\n\n".join(trees)


def _read(_: Any, page: str, source: list[str]) -> None:
    text = within(page, source[0])
    source[0] = f"{text}\n\n{contents(text)}\n" if page == root_doc else text


def _look_for_stale_pages(_: Any) -> None:
    """Warn, which ends the build, where a page that is made is not what it is made from."""
    import json

    from sphinx.util import logging

    from benchmarks import reference, speed

    fresh = {
        reference.PAGE: reference.page(),
        speed.PAGE: speed.filled(speed.PAGE.read_text(), json.loads(speed.KEPT.read_text())),
    }
    makers = {reference.PAGE: "benchmarks.reference", speed.PAGE: "benchmarks.speed"}
    for path, text in fresh.items():
        if path.read_text() != text:
            logging.getLogger(__name__).warning("%s is stale: run python -m %s", path.name, makers[path])


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _read)
    app.connect("builder-inited", _look_for_stale_pages)
