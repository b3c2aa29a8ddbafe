"""Sweeps that add seeds until their answer is clear, with jobs that compute a formula."""

import json
import logging
import random
import re
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from src.analysis.settling import file as settling_file
from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.run.result import Failure, Metric, Result
from src.sweep.guard import guarded
from src.sweep.jobs import compose_jobs
from src.sweep.until import n_asked, sweep_until_clear
from src.sweep.values import expand
from src.tasks.finite import NonFiniteLossError
from tests.moments import Moment
from tests.sweep.commands import run as command
from tests.sweep.commands import start
from tests.sweep.configs import composed
from tests.tasks.runs import QUIET

pytestmark = pytest.mark.usefixtures("hydra")

METRIC = "optimized_metric=val/accuracy"
TWO = ("optimizer.lr=0.1,0.2", "sweep.until=clear", METRIC)

Formula = Callable[[float, int], float]


class Jobs:
    """A launcher whose jobs leave what a formula makes of learning rate and seed."""

    def __init__(self, config: DictConfig, formula: Formula) -> None:
        self.config, self.formula = config, formula
        self.batches: list[list[int]] = []

    def __call__(self, jobs: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        numbers = range(first, first + len(jobs))
        self.batches.append(list(numbers))
        for job in compose_jobs(self.config, jobs, numbers):
            run = RunDir(job.run_dir)
            run.claim(job.cfg, overrides=job.own_overrides)
            about: dict[str, Any] = {"seed": job.cfg.seed, "overrides": job.own_overrides}
            try:
                value = self.formula(job.cfg.optimizer.lr, job.cfg.seed)
            except Exception as error:
                Result(status="failed", error=Failure.of(error), **about).write(run.result_file)
                continue
            metric = Metric("val/accuracy", value)
            result = Result(status="completed", metrics={"val/accuracy": value}, optimized_metric=metric, **about)
            result.write(run.result_file)
        return [JobReturn(status=JobStatus.COMPLETED) for _ in jobs]


def sweep(sweep_dir: Path, formula: Formula, *given: str) -> tuple[Jobs, settling_file.Record]:
    """Run a sweep; what was launched, and what it has come to."""
    config = composed(*(given or TWO), f"hydra.sweep.dir={sweep_dir}")
    jobs = Jobs(config, formula)
    sweep_until_clear(config, jobs)
    record = settling_file.read(sweep_dir)
    assert record is not None
    return jobs, record


def clear(lr: float, seed: int) -> float:
    return lr + 0.001 * (seed % 5)


def noise(lr: float, seed: int) -> float:
    return random.Random(f"{lr} {seed}").random()


def test_a_clear_answer_ends_after_the_first_batch(tmp_path: Path) -> None:
    jobs, record = sweep(tmp_path, clear)
    assert jobs.batches == [list(range(16))]
    assert (record.is_clear, record.is_over, record.n_asked) == (True, True, 8)
    assert (
        "lr=0.2 beats lr=0.1 in validation accuracy on 8 of 8 seeds; median difference 10.0 points" in record.lines[1]
    )
    content = json.loads((tmp_path / "until.json").read_text())
    assert content["comparisons"][0]["verdict"] == "better"
    assert (content["metric"], content["margin"], content["n_seeds"]) == ("val/accuracy", 0.01, 8)


def test_seeds_begin_at_the_configurations_and_groups_of_a_seed_have_numbers_together(tmp_path: Path) -> None:
    config = composed(*TWO, "sweep.max_seeds=3", f"hydra.sweep.dir={tmp_path}")
    assert [line[-1] for line in expand(config) or []] == ["seed=42", "seed=42", "seed=43", "seed=43", *["seed=44"] * 2]
    first = composed(*TWO, "seed=7", "sweep.max_seeds=2", f"hydra.sweep.dir={tmp_path}")
    assert [[line for line in job if "seed=" in line] for job in expand(first) or []] == [
        *[["seed=7"]] * 2,
        *[["seed=8"]] * 2,
    ]


@pytest.mark.slow
def test_what_is_not_clear_goes_on_to_the_last_seed_and_the_last_batch_is_smaller(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        jobs, record = sweep(tmp_path, noise, *TWO, "sweep.max_seeds=20")
    # how far it is after each batch but the last, whose state is that of the sweep
    assert re.findall(r"(\d+) seeds: no clear difference", caplog.text) == ["8", "16"]
    assert [len(batch) for batch in jobs.batches] == [16, 16, 8]
    assert (record.is_clear, record.is_over, record.n_asked) == (False, True, 20)
    assert "not clear after 20 seeds; sweep.max_seeds=40 goes on" in record.lines[0]
    assert "no clear difference between lr=" in record.lines[1]


@pytest.mark.slow
def test_a_repeated_command_launches_nothing_and_says_it_again(tmp_path: Path) -> None:
    _, before = sweep(tmp_path, noise, *TWO, "sweep.max_seeds=16")
    jobs, record = sweep(tmp_path, noise, *TWO, "sweep.max_seeds=16")
    assert not jobs.batches
    assert record == before
    # with more of them it goes on
    more, record = sweep(tmp_path, noise, *TWO, "sweep.max_seeds=24")
    assert more.batches == [list(range(32, 48))]
    assert record.n_asked == 24


@pytest.mark.slow
def test_what_is_settled_stays_settled_with_another_largest_number_of_seeds(tmp_path: Path) -> None:
    def late(lr: float, seed: int) -> float:
        return lr if seed > 44 else -lr

    before = sweep(tmp_path, late, *TWO, "sweep.max_seeds=20")[1]
    assert (before.is_clear, before.n_asked) == (True, 20)
    stored = (tmp_path / "until.json").read_text()
    fewer = composed(*TWO, "sweep.max_seeds=10", f"hydra.sweep.dir={tmp_path}")
    words = r"sweep.max_seeds=10: 20 seeds .* give sweep.max_seeds=20 or more"
    with pytest.raises(ConfigError, match=words), guarded(fewer):
        pytest.fail("it ran")
    assert (tmp_path / "until.json").read_text() == stored
    # 20 is no end of a batch
    jobs, after = sweep(tmp_path, late, *TWO, "sweep.max_seeds=24")
    assert not jobs.batches
    assert (after.is_clear, after.n_asked, after.lines) == (True, 20, before.lines)


@pytest.mark.slow
def test_a_run_that_succeeds_when_it_is_repeated_takes_no_seed_out_of_the_verdict(tmp_path: Path) -> None:
    broken = {42}

    def formula(lr: float, seed: int) -> float:
        if seed in broken:
            raise OSError("no network")
        return clear(lr, seed)

    assert sweep(tmp_path, formula)[1].n_asked == 16
    broken.clear()
    jobs, record = sweep(tmp_path, formula)
    assert jobs.batches == [list(range(16))]
    # eight of eight would have been enough
    assert record.lines[1].startswith("- lr=0.2 beats lr=0.1 in validation accuracy on 16 of 16 seeds")
    assert record.n_asked == 16


@pytest.mark.slow
def test_an_interrupted_batch_is_taken_up_again(tmp_path: Path) -> None:
    def interrupted(lr: float, seed: int) -> float:
        if seed == 52:
            raise KeyboardInterrupt
        return noise(lr, seed)

    config = composed(*TWO, "sweep.max_seeds=16", f"hydra.sweep.dir={tmp_path}")
    with pytest.raises(KeyboardInterrupt):
        sweep_until_clear(config, Jobs(config, interrupted))
    assert n_asked(config, len(expand(config) or [])) == 32
    jobs, record = sweep(tmp_path, noise, *TWO, "sweep.max_seeds=16")
    assert jobs.batches == [list(range(16, 32))]
    assert record.is_over
    assert sweep(tmp_path / "other", noise, *TWO, "sweep.max_seeds=16")[1] == record


def test_a_run_that_diverges_loses_and_one_that_breaks_is_left_out(tmp_path: Path) -> None:
    def diverges(lr: float, seed: int) -> float:
        if lr == 0.1:
            raise NonFiniteLossError.at(3, float("inf"), None)
        if seed == 43:
            raise OSError("no network")
        return 0.5

    _, record = sweep(tmp_path, diverges)
    # seven of seven are too few, so that there was a second batch
    assert record.lines[1] == "- lr=0.2 beats lr=0.1 in validation accuracy on 15 of 15 seeds"


def test_where_a_group_has_no_number_at_all_no_seed_is_added(tmp_path: Path) -> None:
    def broken(lr: float, seed: int) -> float:
        if lr == 0.1:
            raise RuntimeError("never")
        return clear(lr, seed)

    jobs, record = sweep(tmp_path, broken)
    assert len(jobs.batches) == 1
    assert "no more are added: no run of lr=0.1 has come to a number of val/accuracy" in record.lines[0]


def test_groups_within_the_margin_are_equal(tmp_path: Path) -> None:
    _, record = sweep(tmp_path, lambda lr, seed: 0.9 + 0.01 * lr + 0.01 * (seed % 4))
    assert record.is_clear
    assert "practically equal" in record.lines[1]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            ("optimizer.lr=0.1,0.2", "seed=0,1,2"),
            r"seed=0,1,2: sweep.until=clear chooses the seeds itself.* such as seed=0",
        ),
        (("optimizer.lr=0.1,0.2", "seed=range(0,5)"), r"seed=range\(0,5\): sweep.until=clear chooses"),
        (
            ("optimizer.lr=0.1,0.2", "data.seed=1,2"),
            "data.seed=1,2: sweep.until=clear adds seeds and no values of data.seed",
        ),
        (("model=circle_v1,circle_v2", "data=circles,moons"), "data=circles,moons: .* on one data set"),
        ((), "there is one group and nothing to compare it with"),
        (("optimizer.lr=0.1,0.2", "sweep.max_seeds=1"), "sweep.max_seeds: got 1; allowed"),
        (("optimizer.lr=0.1,0.2", "sweep.margin=-1"), "sweep.margin: got -1; allowed"),
        (("optimizer.lr=0.1,0.2", "sweep.margin=abc"), "sweep.margin: got 'abc'; allowed"),
        (("optimizer.lr=0.1,0.2", METRIC, "sweep.margin=1"), "sweep.margin=1: val/accuracy is a share of 1.* 0.01 for"),
        (("optimizer.lr=0.1,0.2", "optimized_metric=val/mine"), "whether more of it is better is not known"),
        (("hydra/sweeper=optuna", "optimizer.lr=interval(0.1,1)"), "repeats its trials with hydra.sweeper.n_seeds"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, given: tuple[str, ...], words: str) -> None:
    config = composed(*given, "sweep.until=clear", f"hydra.sweep.dir={tmp_path}/sweep")
    with pytest.raises(ConfigError, match=words), guarded(config):
        pytest.fail("it ran")
    assert not (tmp_path / "sweep").exists()


@pytest.mark.slow
def test_a_sweep_counts_the_jobs_that_it_has_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = composed(*TWO, f"hydra.sweep.dir={tmp_path}/sweep")
    with guarded(config):
        sweep_until_clear(config, Jobs(config, clear))
    out = " ".join(capsys.readouterr().out.split())
    assert "16 jobs: 16 completed" in out
    assert "sweep.until=clear: clear after 8 seeds. What follows is right in 95% of all sweeps" in out


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "vmap", "joblib"])
def test_every_launcher_ends_with_the_verdict_and_trains_nothing_twice(tmp_path: Path, launcher: str) -> None:
    given = (
        *(
            "-m",
            f"hydra/launcher={launcher}",
            *QUIET,
            "model=circle_v2,circle_v1",
            "optimizer=adam",
            "sweep.until=clear",
        ),
        *("trainer.max_epochs=30", "optimizer.lr=0.05", "optimized_metric=val/accuracy", "sweep.max_seeds=24"),
        f"hydra.sweep.dir={tmp_path}/sweep",
    )
    output = tmp_path / "output"
    assert command(*given, output=output) == 0
    record = settling_file.read(tmp_path / "sweep")
    assert record is not None
    assert record.is_clear
    assert "circle_v2 beats circle_v1 in validation accuracy" in record.lines[1]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "sweep").glob("*/result.json")}
    assert len(before) == 2 * record.n_asked
    assert command(*given, output=output) == 0
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "sweep").glob("*/result.json")}
    assert settling_file.read(tmp_path / "sweep") == record
    text = output.read_text()
    assert text.count("Launching") <= 3
    assert " ".join(text.split()).count("sweep.until=clear: clear after") == 2


@pytest.mark.slow
def test_a_single_run_is_told_to_be_a_sweep(tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert command(*QUIET, "sweep.until=clear", f"hydra.run.dir={tmp_path}/run", output=output) == 1
    assert "sweep.until=clear adds seeds to the groups of a sweep" in " ".join(output.read_text().split())
    assert "add -m, and give a key several values" in " ".join(output.read_text().split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "moments"),
    [
        ("basic", (Moment("*/3/result.json"), Moment("*/until.json", n=2), Moment("*/20/result.json"))),
        ("vmap", (Moment("*/result.json", n=5), Moment("*/until.json", n=2), Moment("*/result.json", n=3))),
    ],
)
def test_a_sweep_that_is_killed_and_repeated_ends_with_the_verdict_of_one_that_is_not(
    tmp_path: Path, launcher: str, moments: tuple[Moment, ...]
) -> None:
    given = (
        *("-m", f"hydra/launcher={launcher}", *QUIET, "optimizer.lr=0.05,0.06", "sweep.until=clear"),
        *("trainer.max_epochs=3", "optimized_metric=val/accuracy", "sweep.max_seeds=12", "sweep.margin=0"),
    )
    output = tmp_path / "output"
    for moment in moments:
        process = start(*given, f"hydra.sweep.dir={tmp_path}/killed", output=output, killed_at=moment)
        assert process.end() == -signal.SIGKILL, process.said()
    assert command(*given, f"hydra.sweep.dir={tmp_path}/killed", output=output) == 0, output.read_text()
    assert command(*given, f"hydra.sweep.dir={tmp_path}/whole", output=output) == 0
    found, expected = (json.loads((tmp_path / name / "until.json").read_text()) for name in ("killed", "whole"))
    assert found == expected
    assert found["n_asked"] == 12
