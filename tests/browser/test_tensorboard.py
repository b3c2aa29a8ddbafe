"""TensorBoard itself on a small sweep: what a user finds in its tabs."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.sync_api import expect

from src.config.compose import compose_train
from src.train import train
from tests.browser.conftest import Opened
from tests.waiting import LIMIT_S, Started

pytestmark = pytest.mark.browser

Open: TypeAlias = Callable[[str], Opened]

ACTIVATIONS, OPTIMIZERS = ("identity", "relu"), ("sgd", "adam")
JOBS = [f"{i}/tensorboard" for i in range(4)]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four jobs, as a sweep over activation and optimiser leaves them."""
    path = tmp_path_factory.mktemp("sweep")
    shared = ["trainer=cpu", "model=mlp", "trainer.max_epochs=60", "callbacks=histograms"]
    for i, (activation, optimizer) in enumerate(product(ACTIVATIONS, OPTIMIZERS)):
        overrides = [f"model.net.activation={activation}", f"optimizer={optimizer}"]
        train(compose_train([*shared, *overrides], run_dir=path / str(i)))
    return path


@pytest.fixture(scope="module")
def tensorboard(sweep: Path) -> Iterator[str]:
    """Address of a TensorBoard that shows the sweep."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(sweep), "--host", "127.0.0.1", "--port", "0"]
    log = sweep / "tensorboard.log"
    with log.open("w") as file:
        process = subprocess.Popen([*command, "--samples_per_plugin", "images=100"], stdout=file, stderr=file)
    try:
        yield Started(process, log).line(r"at (http://\S+?)/? ")[1]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(LIMIT_S)


def test_scalars_show_every_run(tensorboard: str, open_page: Open) -> None:
    opened = open_page(f"{tensorboard}/#scalars")
    for job in JOBS:
        expect(opened.page.get_by_text(job, exact=True).first).to_be_visible()
    for group in ("train", "val", "whole"):
        expect(opened.page.locator("tf-category-paginated-view").get_by_text(group, exact=True)).to_be_visible()
    opened.screenshot("tensorboard-scalars")
    assert opened.errors == []


def test_images_show_the_boundary_of_every_run_from_the_first_epoch_to_the_last(
    tensorboard: str, open_page: Open
) -> None:
    opened = open_page(f"{tensorboard}/#images")
    opened.page.locator("tf-tag-filterer input").fill("train/boundary")
    # the tags that match stand first, in a group of their own
    pictures = opened.page.locator("tf-category-paginated-view").first.locator("tf-image-loader")
    expect(pictures).to_have_count(len(JOBS))
    for i in range(len(JOBS)):
        expect(pictures.nth(i).get_by_text("59", exact=True)).to_be_visible()
        image = pictures.nth(i).locator("img")
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
        # sixty epochs, every third of them a frame, and the last one
        assert pictures.nth(i).locator("paper-slider").evaluate("slider => slider.max") == 20
    opened.screenshot("tensorboard-images")
    assert opened.errors == []


def test_hparams_show_what_was_swept_and_what_came_out(tensorboard: str, open_page: Open) -> None:
    opened = open_page(f"{tensorboard}/#hparams")
    table = opened.page.locator("tf-hparams-table-view")
    for job in JOBS:
        expect(table.get_by_text(job, exact=True)).to_be_visible()
    # what differs between the jobs comes first, and is chosen to be shown
    names = opened.page.locator("tf-hparams-query-pane .hparam-checkbox").all_text_contents()
    assert [name.strip() for name in names[:3]] == ["model.net.activation", "optimizer", "optimizer.lr"]
    # where the curves ended is in sight; what the whole run has come to, too, at a click
    metrics = opened.page.locator("tf-hparams-query-pane .metric-checkbox").all_text_contents()
    assert {"val/accuracy", "whole/val/accuracy", "whole/test/accuracy"} <= {name.strip() for name in metrics}
    for value in (*ACTIVATIONS, "SGD", "Adam"):
        expect(table.get_by_text(value, exact=True)).to_have_count(2)
    opened.screenshot("tensorboard-hparams")
    opened.page.get_by_text("PARALLEL COORDINATES VIEW").click()
    plot = opened.page.locator("tf-hparams-parallel-coords-plot")
    expect(plot.locator(".foreground path")).to_have_count(len(JOBS))
    for axis in ("model.net.activation", "optimizer", "optimizer.lr", "val/accuracy"):
        expect(plot.locator(".axis").get_by_text(axis, exact=True)).to_be_visible()
    opened.screenshot("tensorboard-parallel-coordinates")
    assert opened.errors == []


def test_curves_of_precision_and_recall_show_both_classes(tensorboard: str, open_page: Open) -> None:
    opened = open_page(f"{tensorboard}/#pr_curves")
    for name in ("inner", "outer"):
        tag = opened.page.get_by_text(f"tag: test/precision_recall/{name}")
        expect(tag).to_be_visible()
    opened.screenshot("tensorboard-precision-recall")
    assert opened.errors == []


def test_the_graph_is_the_network(tensorboard: str, open_page: Open) -> None:
    opened = open_page(f"{tensorboard}/#graphs")
    boxes = opened.page.locator("tf-graph-scene text.nodelabel")
    expect(boxes).to_contain_text(["input", "MLP", "output"])
    for box in ("MLP", "layers"):
        opened.page.locator(f"tf-graph-scene g.node.meta[data-name$='{box}']").dblclick()
    for name in ("0_Linear", "1_Linear", "2_Linear"):
        expect(boxes.filter(has_text=name)).to_be_visible()
    opened.screenshot("tensorboard-graph")
    assert opened.errors == []


def test_histograms_show_weights_and_gradients(tensorboard: str, open_page: Open) -> None:
    opened = open_page(f"{tensorboard}/#histograms")
    for kind in ("weights", "gradients"):
        group = opened.page.locator("tf-category-paginated-view").get_by_text(kind, exact=True)
        expect(group).to_be_visible()
    opened.screenshot("tensorboard-histograms")
    assert opened.errors == []


def test_text_shows_the_configuration(tensorboard: str, open_page: Open) -> None:
    opened = open_page(f"{tensorboard}/#text")
    expect(opened.page.get_by_text("seed: 42").first).to_be_visible()
    opened.screenshot("tensorboard-text")
    assert opened.errors == []
