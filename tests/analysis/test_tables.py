"""What is printed: no wider than 80 columns, plain text in a pipe."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from src.analysis.records import read_jobs
from src.analysis.summary import summarise
from src.analysis.words.tables import N_ROWS, N_SENTENCES, plain, print_summary
from tests.analysis.jobs import make_job


def printed(*sweep_dirs: Path, width: int = 80) -> str:
    """Output in a pipe, checked to hold no control characters."""
    out = io.StringIO()
    summary = summarise(read_jobs(sweep_dirs), sweep_dirs, metric=None)
    print_summary(summary, Console(file=out, width=width))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out.getvalue())
    return out.getvalue()


def cells(output: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines() if line[:1] == "│"]


def fill(sweep_dir: Path, *, n_seeds: int = 6) -> None:
    for i, name in enumerate(["relu", "identity"]):
        for seed in range(n_seeds):
            accuracy = (0.95, 0.5)[i] + 0.01 * (seed % 2)
            metrics = {"val/loss": 0.1 + i + 0.001 * seed**2 * i, "test/accuracy": accuracy}
            make_job(sweep_dir / f"{i}_{seed}", f"model.net.activation={name}", f"seed={seed}", metrics=metrics)


def test_groups_comparison_and_sentence_of_a_small_sweep(tmp_path: Path) -> None:
    fill(tmp_path)
    output = printed(tmp_path)
    rows = cells(output)
    assert rows[:2] == [
        ["relu", "6", "0.1000 [0.1000, 0.1000]", "95.5 [95.0, 96.0]", "0 of 6"],
        ["identity", "6", "1.1065 [1.1000, 1.1250]", "50.5 [50.0, 51.0]", "0 of 6"],
    ]
    assert rows[3] == ["identity", "45.0 [45.0, 45.0]", "6/0/0", "0.031"]
    said = " ".join(output.split())
    assert (
        "- relu beats identity: 1.0065 lower validation loss (95% interval 1.0000 to 1.0250, better with 6 of 6 seeds)"
        in said
    )
    assert "median over seeds [95% interval], lowest val/loss first" in output
    assert "runs that failed (no number): relu 0 of 6: 0%, at most 46%; identity 0 of 6: 0%, at most 46%" in said
    assert "intervals cover initial weights; the data are one draw" in said
    assert "12 jobs: 12 completed\n" in output


def test_only_logs_that_are_there_are_named(tmp_path: Path) -> None:
    runs = [make_job(tmp_path / str(i), f"seed={i}", error=ValueError("no")) for i in range(2)]
    assert f"\ntracebacks of failed jobs: {tmp_path}/<job>/result.json\n" in printed(tmp_path)
    (runs[1].path / "train.log").touch()
    one = f"\nlogs of failed jobs: {tmp_path}/<job>/train.log of job 1; tracebacks: result.json beside it\n"
    assert one in printed(tmp_path)
    (runs[0].path / "train.log").touch()
    both = f"\nlogs of failed jobs: {tmp_path}/<job>/train.log; tracebacks: result.json beside it\n"
    assert both in printed(tmp_path)


def test_eighty_columns_hold_everything_but_paths(tmp_path: Path) -> None:
    troubles = [None, ValueError("x" * 500 + "\nsecond line"), RuntimeError("[red]no[/red] :smile:")]
    for i in range(12):
        error = troubles[i % 3]
        overrides = ["model.net.hidden=[128,128,128,128]", f"+some.long.key.name={'very' * 8}{i % 4}", f"seed={i}"]
        metrics = {"val/loss": 123456.0 / (i + 1), "test/accuracy": 0.5}
        make_job(tmp_path / str(i), *overrides, metrics=metrics, error=error, pruned=i == 6)
    make_job(tmp_path / "12", "seed=0")
    output = printed(tmp_path)
    lines = [line for line in output.splitlines() if str(tmp_path) not in line]
    assert max(map(len, lines)) <= 80
    assert "second line" not in output
    assert "[red]no[/red] :smile:" in output.replace("\n", "")
    assert f"tracebacks of failed jobs: {tmp_path}/<job>/result.json" in output
    assert "13 jobs: 3 completed, 8 failed, 1 pruned, 1 unfinished" in output


def test_failures_tell_job_settings_error_and_first_line(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "optimizer.lr=0.1", "seed=1", metrics={"val/loss": 0.5})
    make_job(tmp_path / "1", "optimizer.lr=9", "seed=1", error=ValueError("nan in epoch 3\nmore"))
    make_job(tmp_path / "2", "optimizer.lr=z", error=TypeError("lost")).config_file.unlink()
    output = printed(tmp_path, width=120)
    assert cells(output)[:2] == [["lr=0.1", "1", "0.5000", ""], ["lr=9", "0", "-", "1 failed"]]
    assert cells(output)[-2:] == [
        ["1", "lr=9 seed=1", "ValueError", "nan in epoch 3"],
        ["2", "optimizer.lr=z", "TypeError", "lost"],
    ]
    assert "3 jobs: 1 completed, 2 failed\n" in output


def test_jobs_of_several_sweeps_are_named_with_their_directory(tmp_path: Path) -> None:
    make_job(tmp_path / "a" / "0", metrics={"val/loss": 0.5})
    make_job(tmp_path / "b" / "0", error=ValueError("no"))
    assert cells(printed(tmp_path / "a", tmp_path / "b"))[-1][0] == "b/0"


def test_long_lists_are_cut(tmp_path: Path) -> None:
    for i in range(30):
        for seed in (0, 1):
            path, overrides = tmp_path / f"{i}_{seed}", [f"optimizer.lr={i}", f"seed={seed}"]
            make_job(path, *overrides, metrics={"val/loss": i + 0.1 * seed * (i % 3)})
    output = printed(tmp_path)
    assert len(cells(output)) == 2 * N_ROWS
    assert "and 10 more groups" in output
    assert "and 9 more groups" in output
    assert len(re.findall(r"^- ", output, re.MULTILINE)) == N_SENTENCES


def test_of_many_groups_only_those_with_failures_are_named(tmp_path: Path) -> None:
    for i in range(8):
        for seed in (0, 1):
            metrics = {"val/loss": None if i == 7 and seed else 0.5 + i}
            make_job(tmp_path / f"{i}_{seed}", f"optimizer.lr={i}", f"seed={seed}", metrics=metrics)
    said = " ".join(printed(tmp_path).split())
    assert "runs that failed (no number): lr=7 1 of 2: 50%, 1 to 99%; none of the other groups" in said
    make_job(tmp_path / "7_1", "optimizer.lr=7", "seed=1", metrics={"val/loss": 9.0})
    assert "runs that failed (no number): none of all groups" in " ".join(printed(tmp_path).split())


def test_one_seed_each_is_no_comparison_but_a_hint(tmp_path: Path) -> None:
    fill(tmp_path, n_seeds=1)
    output = printed(tmp_path)
    assert len(cells(output)) == 2
    assert "[" not in "".join(cell for row in cells(output) for cell in row)
    assert "too few seeds to compare groups" in output


def test_what_is_in_no_median_is_said(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "seed=0", metrics={"val/loss": None, "test/loss": 0.5})
    make_job(tmp_path / "1", "seed=1", metrics={"val/loss": 0.25, "test/loss": 0.5})
    output = printed(tmp_path)
    assert cells(output) == [["all jobs", "1", "0.2500", "0.5000 [0.5000, 0.5000]", "1 of 2"]]
    assert "left out of each median of val/loss, which is no finite number there: job 0\n" in output


def test_a_repeated_seed_is_said_to_count_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_job(tmp_path / name / "0", "seed=0", metrics={"val/loss": 0.5})
    output = printed(tmp_path / "a", tmp_path / "b")
    assert cells(output) == [["all jobs", "1", "0.5000"]]
    assert "1 seed was run more than once" in output


def test_a_running_sweep_and_an_empty_one_are_counted(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "seed=0")
    make_job(tmp_path / "1", "seed=1").result_file.write_text('{"sta')
    output = printed(tmp_path)
    assert output.endswith("2 jobs: 0 completed, 2 unfinished\n")
    assert f"{tmp_path}/1/result.json cannot be read: " in output
    assert printed(tmp_path / "nothing") == "0 jobs: 0 completed\n"


@pytest.mark.parametrize(
    ("text", "shown"), [("a\x1b[31mb\n\tc", "a [31mb c"), ("ä ± ü", "ä ± ü"), ("\x00\x07", ""), ("a\u202eb", "a b")]
)
def test_only_printable_characters_are_printed(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_an_interval_of_the_best_of_several_groups_is_told_to_hold_less_often(tmp_path: Path) -> None:
    fill(tmp_path)
    luck = "groups may owe a part of its place to luck, so its interval holds a little less often than it says"
    assert luck not in " ".join(printed(tmp_path).split())
    for seed in range(6):
        make_job(tmp_path / f"2_{seed}", "model.net.activation=tanh", f"seed={seed}", metrics={"val/loss": 0.3 + seed})
    said = " ".join(printed(tmp_path).split())
    assert f"the best of 3 {luck}" in said
