"""What a run prints: no wider than a terminal, plain in a pipe, and word for word what it is given."""

import re
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from src.config.keys import flatten
from src.console.results import print_config, print_hints, print_results
from tests.tasks.runs import small

METRICS = {
    "train/loss": 0.61234,
    "train/accuracy": 0.75,
    "val/loss": float("nan"),
    "val/accuracy": 1.0,
    "val/f1": 12345.67891,
    "test/loss": 0.0,
}
PER_CLASS = [
    {"class": "outer", "precision": 0.5, "recall": 0.25, "f1": 1 / 3, "support": 100},
    {"class": "inner", "precision": 1.0, "recall": 0.0, "f1": 0.0, "support": 1_000_000},
]


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    """Standard output, checked to be plain text."""
    out, err = capsys.readouterr()
    assert err == ""
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out)
    return out


def unwrapped(out: str) -> str:
    """All characters but white space and the lines of a tree."""
    return re.sub(r"[\s│├└─]+", "", out)


@pytest.mark.parametrize("choices", [(), ("data=blobs", "model=mlp", "callbacks=default", "scheduler=cosine")])
def test_configuration_fits_80_columns_and_shows_every_value(
    choices: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg = small(*choices, "logger=default", run_dir=tmp_path)
    cfg.run_dir = "runs/here"
    print_config(cfg)
    out = printed(capsys)
    assert all(len(line) <= 80 for line in out.splitlines())
    shown = unwrapped(out)
    for key, value in flatten(cfg, resolve=True).items():
        assert f"{key.rsplit('.', 1)[-1]}: {value}".replace(" ", "") in shown
    assert "${" not in out


@pytest.mark.parametrize(
    "value", ["[red]text[/red]", "[/]", ["identity", "relu"], "a\\[red]b", ":warning:", {}, None, "x" * 200]
)
def test_values_are_printed_word_for_word(value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    print_config(OmegaConf.create({"group": {"key": value}}))
    out = printed(capsys)
    assert all(len(line) <= 80 for line in out.splitlines())
    assert unwrapped(out).endswith(f"key: {value}".replace(" ", ""))


def test_keys_are_printed_word_for_word(capsys: pytest.CaptureFixture[str]) -> None:
    print_config(OmegaConf.create({"[red]": {"key": 1}, "[blue]x": 2}))
    out = printed(capsys)
    assert "[red]" in out
    assert "[blue]x: 2" in out


def test_results_are_a_table_of_metrics_by_split(capsys: pytest.CaptureFixture[str]) -> None:
    print_results({"metrics": METRICS, "per_class": PER_CLASS}, run_dir=Path("runs/here"))
    out = printed(capsys)
    assert all(len(line) <= 80 for line in out.splitlines())
    rows = [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in out.splitlines() if line[0] in "│┃"]
    assert rows == [
        ["metric", "train", "val", "test"],
        ["loss", "0.6123", "nan", "0.0000"],
        ["accuracy", "0.7500", "1.0000", ""],
        ["f1", "", "12345.6789", ""],
        ["class", "precision", "recall", "f1", "support"],
        ["outer", "0.5000", "0.2500", "0.3333", "100"],
        ["inner", "1.0000", "0.0000", "0.0000", "1000000"],
    ]
    assert out.endswith("run directory: runs/here\n")


@pytest.mark.parametrize("weights", ["best, epoch 834", "last epoch"])
def test_each_column_says_of_which_epoch_it_is(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_results({"metrics": METRICS, "per_class": [], "weights": weights}, run_dir=Path("here"))
    out = printed(capsys)
    assert all(len(line) <= 80 for line in out.splitlines())
    first, second, *_ = [
        [cell.strip() for cell in line.split("┃")[1:-1]] for line in out.splitlines() if line[0] == "┃"
    ]
    assert first == ["", "train", "val", "test"]
    assert second == ["metric", "last epoch", weights, weights]


def test_hints_are_prose_with_a_command_that_can_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    hints = [{"kind": "a", "seen": "[red]the " + "long " * 30 + "story", "try": "python -m src.train " + "a=[1] " * 30}]
    print_hints(hints)
    first, *_, last = printed(capsys).splitlines()
    assert first.startswith("hint: [red]the long")
    assert len(first) <= 80
    # rich before 13.1 leaves out a blank at the end
    assert last.rstrip() == f"  try: {hints[0]['try'].rstrip()}"
    print_results({"metrics": METRICS, "per_class": [], "hints": hints}, run_dir=Path("here"))
    assert hints[0]["try"].rstrip() in printed(capsys)


def test_results_of_a_diverging_run_fit_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {f"{split}/{name}": -1.23456e34 for split in ("train", "val", "test") for name in ("loss", "mae", "r2")}
    print_results({"metrics": metrics, "per_class": []}, run_dir=Path("here"))
    out = printed(capsys)
    assert out.count("-1.235e+34") == 9
    assert all(len(line) <= 80 for line in out.splitlines())


def test_small_numbers_are_printed_with_their_digits(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"class": "a", "precision": 0.99998, "recall": 1.0, "f1": 2e-5, "support": 50_000}]
    print_results({"metrics": {"test/loss": 1.2e-8, "test/r2": 0.99998}, "per_class": rows}, run_dir=Path("here"))
    out = printed(capsys)
    assert all(text in out for text in ("1.2e-08", "0.99998", "1.0000", "0.00002"))
    assert "0.0000 " not in out


def test_a_regression_has_no_table_per_class(capsys: pytest.CaptureFixture[str]) -> None:
    print_results({"metrics": METRICS, "per_class": []}, run_dir=Path("here"))
    assert "per class" not in printed(capsys)


@pytest.mark.parametrize(
    "path",
    [
        "/runs/model.net.hidden=[16,16]",
        "/runs/activation=[identity,relu]",
        "/runs/[/b]",
        "/runs/a:bug:b",
        "/" + "x" * 150,
    ],
)
def test_the_run_directory_is_printed_word_for_word_on_one_line(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_results({"metrics": METRICS, "per_class": []}, run_dir=Path(path))
    assert f"run directory: {path}\n" in printed(capsys)


def test_class_names_are_printed_word_for_word(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{**PER_CLASS[0], "class": "[small] ring"}]
    print_results({"metrics": METRICS, "per_class": rows}, run_dir=Path("here"))
    assert "[small] ring" in printed(capsys)
