"""Hints of a sweep's jobs, each kind once."""

import json
from pathlib import Path
from typing import Any

from src.analysis.finish import finish_sweep
from src.analysis.records import read_jobs
from src.analysis.words.hints import shared_hints


def job(folder: Path, number: int, hints: Any) -> None:
    run = folder / str(number)
    (run / ".hydra").mkdir(parents=True)
    (run / ".hydra" / "config.yaml").write_text(f"seed: {number}\n")
    (run / ".hydra" / "overrides.yaml").write_text(f"- seed={number}\n")
    result = {
        "status": "completed",
        "metrics": {"val/loss": 1.0},
        "optimized_metric": {"name": "val/loss"},
        "hints": hints,
    }
    (run / "result.json").write_text(json.dumps(result))


def hint(kind: str, number: int) -> dict[str, str]:
    return {"kind": kind, "seen": f"seen <{number}>", "try": f"python -m src.train seed={number}"}


def test_each_kind_is_told_once_with_its_first_job_and_the_most_frequent_first(tmp_path: Path) -> None:
    job(tmp_path, 0, [hint("dead_relus", 0)])
    job(tmp_path, 1, [hint("too_slow", 1), hint("dead_relus", 1)])
    job(tmp_path, 2, [hint("too_slow", 2)])
    job(tmp_path, 3, [hint("too_slow", 3)])
    found = shared_hints(read_jobs([tmp_path]))
    assert [(each.kind, each.seen, [job.name for job in each.jobs]) for each in found] == [
        ("too_slow", "seen <1>", ["1", "2", "3"]),
        ("dead_relus", "seen <0>", ["0", "1"]),
    ]
    assert found[0].line == "hint for job 1 and 2 more: seen <1>"


def test_what_is_no_hint_is_left_out(tmp_path: Path) -> None:
    for number, hints in enumerate((None, [], "text", [{"kind": "half"}], [3])):
        job(tmp_path, number, hints)
    assert shared_hints(read_jobs([tmp_path])) == []


def test_hints_stand_on_the_console_and_on_the_page(tmp_path: Path, capsys: Any) -> None:
    job(tmp_path, 0, [hint("too_slow", 0)])
    finish_sweep(tmp_path)
    assert "hint for job 0: seen <0>\n  try: python -m src.train seed=0\n" in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text()
    assert "seen &lt;0&gt;" in page
    assert "<code>python -m src.train seed=0</code>" in page
