"""A browser for tests: opens pages, listens to their consoles, keeps screenshots in outputs/screenshots."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect, sync_playwright

from src.analysis.page.write import write_page
from src.analysis.records import read_jobs
from src.analysis.summary import summarise
from tests.analysis.jobs import make_job
from tests.analysis.thousand import draw_boundary, write_metrics
from tests.waiting import LIMIT_S

SCREENSHOTS = Path(__file__).resolve().parents[2] / "outputs" / "screenshots"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Opened:
    """A page that a test has opened.

    Attributes:
        page: Playwright's page; its selectors look into shadow roots.
        errors: What the page has complained about, and requests that left this machine and were stopped.
    """

    page: Page
    errors: list[str] = field(default_factory=list)

    def screenshot(self, name: str) -> Path:
        """Keep what is seen as ``outputs/screenshots/<name>.png``."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The Chromium of this machine."""
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        # `make test-all` asks for no system package; CI installs it, and fails on a skip
        pytest.skip(f"needs one of {', '.join(CHROMIUM)} in PATH, such as of `apt-get install chromium`")
    expect.set_options(timeout=LIMIT_S * 1000)
    with sync_playwright() as playwright:
        # root, as in a container, may not use the sandbox; nothing but our own pages is opened
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """Opens a URL, or the file at a path, in a fresh window, by default of 1400 x 900 pixels.

    Arguments by name are those of Playwright's ``new_context``, such as ``color_scheme="dark"``.
    """
    contexts = []

    def open_(where: str | Path, **how: Any) -> Opened:
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **how})
        context.set_default_timeout(LIMIT_S * 1000)
        contexts.append(context)
        opened = Opened(context.new_page())
        context.route("**/*", lambda route, request: _stay_here(route, request, opened.errors))
        opened.page.on("console", lambda m: opened.errors.append(m.text) if m.type == "error" else None)
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.page.goto(where.resolve().as_uri() if isinstance(where, Path) else where)
        return opened

    yield open_
    for context in contexts:
        context.close()


def _stay_here(route: Route, request: Request, errors: list[str]) -> None:
    url = urlparse(request.url)
    if url.scheme in ("http", "https", "ws", "wss") and url.hostname not in ("localhost", "127.0.0.1"):
        errors.append(f"asks {url.hostname} for {url.path}")
        route.abort()
    else:
        route.continue_()


def write_report(sweep_dir: Path) -> Path:
    """Write a sweep's report, and return its path."""
    path = sweep_dir / "report.html"
    write_page(path, summarise(read_jobs([sweep_dir]), [sweep_dir], metric=None))
    return path


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two activations, two rates and two seeds, and a job that failed with a message that is no markup."""
    sweep_dir = tmp_path_factory.mktemp("sweep")
    for i in range(8):
        overrides = (f"model.net.activation={('identity', 'relu')[i // 4]}", f"optimizer.lr={(0.1, 1)[i // 2 % 2]}")
        metrics = {"val/loss": 0.7 - 0.08 * i, "test/accuracy": 0.4 + 0.07 * i}
        run = make_job(sweep_dir / str(i), *overrides, f"seed={i % 2}", metrics=metrics)
        write_metrics(run.path, rate=0.001 * (i + 1))
        draw_boundary(run.path, slope=float(i))
    error = ValueError("<b>not</b> </script> & finite")
    make_job(sweep_dir / "8", "model.net.activation=relu", "optimizer.lr=100", error=error)
    return write_report(sweep_dir)
