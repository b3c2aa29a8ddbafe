"""Takes the pictures of runs, report.html and TensorBoard that pages show: ``python -m benchmarks.screens``.

It runs README's commands in a folder of its own, and opens what they leave in the Chromium of this machine.
"""

import io
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from benchmarks.gallery import PICTURES
from benchmarks.timing import ROOT, scratch

# Both networks of the question, in an order that gives each its colour, and a wider one.
MODELS = {"linear": "circle_v1", "relu": "circle_v2", "wide": "mlp"}
COMPARED = ("linear", "relu")
# Pictures of runs, and the names that pages know them by.
DRAWN = {
    ("linear", "boundary"): "circle_v1.png",
    ("relu", "boundary"): "circle_v2.png",
    ("linear", "folds"): "folds_linear.png",
    ("relu", "folds"): "folds_relu.png",
    ("wide", "units"): "units.png",
}
PORT = 6023
# What TensorBoard shows of them: validation, and the boundary as it is learnt.
TAGS = "%5E(val/(loss%7Caccuracy)%7Ctrain/boundary)$"


def train(folder: Path) -> None:
    """Run the commands of README, and other networks beside them."""
    for name, model in MODELS.items():
        run = folder / "runs" / name
        _python("-m", "src.train", f"model={model}", "optimizer=adam", f"hydra.run.dir={run}")
        _python("-m", "src.draw", f"run={run}", "pictures=[boundary,folds,units]")
        if name in COMPARED:
            shutil.copytree(run / "tensorboard", folder / "tensorboard" / name)
    _python("-m", "src.train", "experiment=linear_vs_relu", f"hydra.sweep.dir={folder / 'linear_vs_relu'}")


def of_runs(folder: Path) -> None:
    """What runs draw, as they draw it."""
    for (run, picture), name in DRAWN.items():
        shutil.copy(folder / "runs" / run / "plots" / f"{picture}.png", PICTURES / name)


def report(browser: Browser, folder: Path) -> None:
    """The top of the report."""
    page = browser.new_page(viewport={"width": 1100, "height": 860})
    page.goto((folder / "linear_vs_relu" / "report.html").as_uri())
    page.wait_for_selector("svg.main-svg")
    _keep(page.screenshot(), "report.png")


def tensorboard(browser: Browser, folder: Path) -> None:
    """Curves and boundaries of both networks, side by side."""
    log = ["--logdir", str(folder / "tensorboard"), "--port", str(PORT), "--samples_per_plugin", "images=100"]
    with subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *log], stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        for line in server.stderr:
            if "Press CTRL+C" in line:
                break
        # what it has read of the runs: it answers at once, and reads then
        while b"val/loss" not in _asked("data/plugin/timeseries/tags"):
            pass
        page = browser.new_page(viewport={"width": 1100, "height": 860})
        page.goto(f"http://localhost:{PORT}/?tagFilter={TAGS}&smoothing=0#timeseries")
        page.wait_for_load_state("networkidle")
        page.get_by_role("button", name="Settings").click()
        page.wait_for_timeout(3000)
        _keep(page.screenshot(), "tensorboard.png")
        server.terminate()


def _asked(path: str) -> bytes:
    with urllib.request.urlopen(f"http://localhost:{PORT}/{path}") as answer:
        body: bytes = answer.read()
    return body


def _keep(png: bytes, name: str) -> None:
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(PICTURES / name, optimize=True)
    print(f"{PICTURES / name}: {(PICTURES / name).stat().st_size / 1000:.0f} kB")


def _python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)


def main(folder: Path | None = None) -> None:
    """Take all, of what lies in a folder or is made now."""
    if folder is None:
        folder = scratch()
        train(folder)
    of_runs(folder)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--use-gl=swiftshader"])
        report(browser, folder)
        tensorboard(browser, folder)
        browser.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
