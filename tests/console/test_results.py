"""What a run prints: no wider than a terminal, plain in a pipe, and word for word what it is given."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from rich.table import Table
from rich.text import Text

from src.build import build_data
from src.config.keys import flatten
from src.console.place import Place, count, counting
from src.console.results import print_config, print_end, print_hints, print_results
from src.console.setup import setup_lines
from src.console.terminal import open_terminal, print_table, shown
from src.run.result import Metric, Result
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


def test_a_narrow_terminal_gets_all_numbers_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    metrics = {f"{split}/{name}": 0.123456 for split in ("train", "val", "test") for name in ("loss", "a_long_name")}
    print_results({"metrics": metrics, "per_class": PER_CLASS, "weights": "best, epoch 834"}, run_dir=Path("here"))
    out = printed(capsys)
    assert all(len(line) <= 40 for line in out.splitlines())
    assert out.count("0.1235") == 6
    assert "…" not in out
    lines = out.splitlines()
    at = lines.index("a_long_name")
    assert lines[at + 1 : at + 3] == ["  train, last epoch: 0.1235", "  val, best, epoch 834: 0.1235"]
    assert lines[lines.index("outer") + 1 :][:2] == ["  precision: 0.5000", "  recall: 0.2500"]


def test_a_log_keeps_results_and_hints(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    handler = logging.FileHandler(tmp_path / "train.log")
    logging.getLogger().addHandler(handler)
    try:
        for place in (None, Place(4, 16, elapsed_s=10.0)):
            print_end(RESULT, run_dir=tmp_path, place=place)
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    lines = [
        "train (last epoch): loss 0.5000",
        "val (best, epoch 3): loss 1.2e-08, accuracy 0.7500",
        "hint: it is late; try: go to bed",
    ]
    end = f"val/loss=1.2e-08 in {tmp_path} (5 of 16, about 22 s left)"
    assert (tmp_path / "train.log").read_text().splitlines() == [*lines, *lines, end]
    # shown in tables, or at the end of the sweep
    assert [record.message for record in caplog.records if record.name == "src.console.results"] == [end]


RESULT = Result(
    status="completed",
    overrides=[],
    seed=0,
    duration_s=1.0,
    optimized_metric=Metric("val/loss", 1.2e-8),
    metrics={"train/loss": 0.5, "val/loss": 1.2e-8, "val/accuracy": 0.75},
    hints=[{"kind": "late", "seen": "it is late", "try": "go to bed"}],
    weights="best, epoch 3",
)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (Place(0), ""),
        (Place(15, 16, elapsed_s=80.0), " (16 of 16)"),
        (Place(0, 3, elapsed_s=100.0), " (1 of 3, about 3 min left)"),
        (Place(1, 1000, elapsed_s=100.0), " (2 of 1000, about 14 h left)"),
        # began on another machine
        (Place(0, 3, elapsed_s=-5.0), " (1 of 3)"),
    ],
)
def test_a_job_knows_its_place(place: Place, words: str) -> None:
    assert place.words() == words


def test_who_counts_jobs_is_heard_until_they_are_over() -> None:
    assert Place.of(3) == Place(3)
    with counting():
        count(5)
        assert Place.of(3)[:2] == (3, 5)
        # added later
        assert Place.of(5) == Place(5)
    assert Place.of(3) == Place(3)


def test_a_path_is_shown_as_one_would_type_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "runs" / "a") == Path("runs/a")
    assert shown(tmp_path.parent / "b") == tmp_path.parent / "b"
    assert shown(Path("runs/a")) == Path("runs/a")


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        (
            ("model=circle_v1",),
            [
                "data: CirclesDataModule, 800 training, 200 validation, 200 test samples; 2 features; "
                "classes: outer and inner",
                "model: circle_v1, MLP(hidden=[10, 10], activation=identity), 331 parameters",
                "optimizer: SGD(lr=0.1), BCEWithLogitsLoss, 1,000 epochs, one batch an epoch",
            ],
        ),
        (
            (
                "data=line",
                "model=line",
                "optimizer=adam",
                "scheduler=step",
                "data.batch_size=7",
            ),
            [
                "data: LineDataModule, 800 training, 200 validation, 200 test samples; 1 feature; target y",
                "model: line, MLP(hidden=[10, 10], activation=identity), 331 parameters",
                "optimizer: Adam(lr=0.01), StepLR(step_size=250, gamma=0.5), L1Loss, 1,000 epochs, batches of 7",
            ],
        ),
    ],
)
def test_a_run_says_what_it_trains(given: tuple[str, ...], lines: list[str], tmp_path: Path) -> None:
    cfg = small(*given, run_dir=tmp_path)
    data: Any = build_data(cfg)
    assert setup_lines(cfg, n_parameters=331, spec=data.spec, n_samples=[800, 200, 200]) == lines


def test_a_table_that_does_not_fit_becomes_lines_of_which_none_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table("group", "seeds", "val/loss", title="medians")
    table.add_row("circle_v2 lr=0.1", "64", "0.6912\n[0.6866, 0.6935]")
    table.add_row(Text("[b]circle_v1"), "", "0.7")
    monkeypatch.setenv("COLUMNS", "20")
    print_table(open_terminal(), table)
    assert printed(capsys).splitlines() == [
        "medians",
        "circle_v2 lr=0.1",
        "  seeds: 64",
        "  val/loss: 0.6912 ",
        "[0.6866, 0.6935]",
        "[b]circle_v1",
        "  val/loss: 0.7",
    ]
    monkeypatch.setenv("COLUMNS", "60")
    print_table(open_terminal(), table)
    assert printed(capsys).count("┃") == 4
