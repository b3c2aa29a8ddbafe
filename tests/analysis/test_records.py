"""Run directories as they are met: finished, running, broken."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from src.analysis.records import find_runs, is_run, read_job, read_jobs
from src.config.compose import compose_train
from src.config.keys import flatten
from src.run.directory import RunDir
from src.run.result import Failure, Result
from tests.analysis.jobs import make_job


def test_jobs_come_in_natural_order_at_any_depth(tmp_path: Path) -> None:
    names = ["0", "1", "2", "10", "b/lr=0.1", "b/lr=0.01", "b2/9", "b10/9"]
    for name in names:
        make_job(tmp_path / name, metrics={})
    (tmp_path / "0" / "checkpoints").mkdir()
    make_job(tmp_path / ".hidden" / "0", metrics={})
    found = [path.relative_to(tmp_path).as_posix() for path in find_runs(tmp_path)]
    assert sorted(found) == sorted(names)
    assert found.index("2") < found.index("10")
    assert found.index("b2/9") < found.index("b10/9")
    assert [job.name for job in read_jobs([tmp_path])] == found


def test_a_directory_that_is_given_twice_counts_once(tmp_path: Path) -> None:
    make_job(tmp_path / "a" / "0", metrics={})
    make_job(tmp_path / "b" / "0", metrics={})
    assert [job.name for job in read_jobs([tmp_path, tmp_path / "a"])] == ["a/0", "b/0"]


def test_a_finished_job_is_read_whole(tmp_path: Path) -> None:
    run = make_job(
        tmp_path / "0", "model=mlp", "optimizer.lr=0.5", "seed=3", metrics={"val/loss": 0.25, "val/f1": None}
    )
    job = read_job(run.path, tmp_path)
    assert (job.name, job.status, job.seed, job.duration_s) == ("0", "completed", 3, 1.5)
    assert job.overrides == {"model": "mlp", "optimizer.lr": "0.5", "seed": "3"}
    assert (job.metrics, job.lost_metrics, job.optimized) == ({"val/loss": 0.25}, ("val/f1",), "val/loss")
    assert (job.leaves["optimizer.lr"], job.leaves["data.batch_seed"]) == (0.5, "${seed}")
    assert job.problems == ()


def test_a_failed_job_tells_its_error(tmp_path: Path) -> None:
    run = make_job(tmp_path / "0", "seed=3", error=ValueError("loss is nan in epoch 7\nlower the rate"))
    job = read_job(run.path, tmp_path)
    assert (job.status, job.error_type) == ("failed", "ValueError")
    assert job.error_message == "loss is nan in epoch 7\nlower the rate"
    assert (job.metrics, job.optimized) == ({}, None)


def test_a_job_without_a_result_is_unfinished(tmp_path: Path) -> None:
    run = make_job(tmp_path / "0", "model=mlp", "seed=3")
    job = read_job(run.path, tmp_path)
    assert (job.status, job.seed, job.overrides["model"], job.problems) == ("unfinished", 3, "mlp", ())


def test_a_pruned_job_is_read(tmp_path: Path) -> None:
    run = make_job(tmp_path / "0", metrics={"val/loss": 0.5}, pruned=True)
    assert read_job(run.path, tmp_path).status == "pruned"


@pytest.mark.parametrize("content", ["", '{"status": "compl', "[]", "3", "null", '{"status": "great"}', "{}", "\x00"])
def test_a_broken_result_names_itself(tmp_path: Path, content: str) -> None:
    run = make_job(tmp_path / "0", "seed=3", metrics={"val/loss": 0.5})
    run.result_file.write_text(content)
    job = read_job(run.path, tmp_path)
    assert (job.status, job.seed, job.metrics) == ("unfinished", 3, {})
    assert len(job.problems) == 1
    assert job.problems[0].startswith(str(run.result_file))


@pytest.mark.parametrize("part", [{"metrics": {"a": "x"}}, {"duration_s": "?"}, {"hints": [{}]}, {"format": 2}])
def test_a_result_with_an_odd_part_names_itself_and_the_others_are_read(tmp_path: Path, part: dict[str, Any]) -> None:
    odd, whole = (make_job(tmp_path / name, "seed=3", metrics={"val/loss": 0.5}) for name in "01")
    odd.result_file.write_text(json.dumps({**json.loads(odd.result_file.read_text()), **part}))
    first, second = read_jobs([tmp_path])
    assert (first.status, first.overrides) == ("unfinished", {"seed": "3"})
    assert len(first.problems) == 1
    assert first.problems[0].startswith(str(odd.result_file))
    assert (second.path, second.status, second.problems) == (whole.path, "completed", ())


@pytest.mark.parametrize("content", [b"", b"- a\n- b\n", b"a: [1\nb: 2\n", b"\xff\xfe\x00", b"just words"])
def test_a_broken_configuration_names_itself_and_keeps_the_result(tmp_path: Path, content: bytes) -> None:
    run = make_job(tmp_path / "0", "seed=3", metrics={"val/loss": 0.5})
    run.config_file.write_bytes(content)
    job = read_job(run.path, tmp_path)
    assert (job.status, job.metrics, job.seed, job.leaves) == ("completed", {"val/loss": 0.5}, 3, {})
    assert len(job.problems) == 1
    assert job.problems[0].startswith(f"{run.config_file} cannot be read: ")


@pytest.mark.parametrize(("content", "named"), [(b"a: [1\nb: 2\n", "config.yaml"), (b"seed: 4\n", "result.json")])
def test_a_configuration_that_a_result_is_not_of_is_named_once(tmp_path: Path, content: bytes, named: str) -> None:
    run = make_job(tmp_path / "0", "seed=3", metrics={"val/loss": 0.5})
    result = run.result()
    assert result is not None
    run.write_result(result)
    assert read_job(run.path, tmp_path).status == "completed"
    run.config_file.write_bytes(content)
    job = read_job(run.path, tmp_path)
    assert (job.status, job.metrics) == ("unfinished", {})
    assert len(job.problems) == 1
    assert f"{named} cannot be read: " in job.problems[0]


def test_a_job_that_failed_before_its_configuration_was_written_is_found(tmp_path: Path) -> None:
    result = Result(status="failed", error=Failure.of(ValueError("no")), seed=1, overrides=["a=1"])
    result.write(RunDir(tmp_path / "0").result_file)
    assert is_run(tmp_path / "0")
    (job,) = read_jobs([tmp_path])
    assert (job.status, job.seed, job.overrides, job.leaves) == ("failed", 1, {"a": "1"}, {})


@pytest.mark.parametrize(
    ("override", "pair"),
    [
        ("a.b=1", ("a.b", "1")),
        ("+a=x=y", ("a", "x=y")),
        ("++a='[1,2]'", ("a", "[1,2]")),
        ("~callbacks.progress", ("callbacks.progress", "removed")),
        ("a=", ("a", "")),
        ("a='", ("a", "'")),
    ],
)
def test_overrides_are_split_into_key_and_value(tmp_path: Path, override: str, pair: tuple[str, str]) -> None:
    Result(status="failed", overrides=[override]).write(RunDir(tmp_path / "0").result_file)
    assert read_job(tmp_path / "0", tmp_path).overrides == dict([pair])


def test_the_leaves_are_those_that_omegaconf_reads(tmp_path: Path) -> None:
    cfg = compose_train(["model=mlp", "callbacks=early_stopping"], run_dir=tmp_path / "0")
    RunDir(tmp_path / "0").claim(cfg)
    assert read_job(tmp_path / "0", tmp_path).leaves == flatten(OmegaConf.load(tmp_path / "0/.hydra/config.yaml"))


@pytest.mark.parametrize(
    "tree",
    [
        {"a": ["x", {"b": [1, 2]}], "list": [], "z": {}},
        {"text": "two\nlines\n\nand # more", "quote": 'it\'s: - "x"', "-odd": 1, "? ": 2, "#key": 3, "": 4},
        {"long": "word " * 60, "umlaut": "ä\u2028ö", "nested": {"deep": {"deeper": ["- x", "b: c"]}}},
    ],
)
def test_blocks_add_up_to_the_whole(tmp_path: Path, tree: dict[str, object]) -> None:
    run = make_job(tmp_path / "0", metrics={})
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    run.config_file.write_text(text, encoding="utf-8")
    assert read_job(run.path, tmp_path).leaves == flatten(yaml.safe_load(text))


def test_a_configuration_with_an_alias_is_refused_since_none_is_stored_so(tmp_path: Path) -> None:
    run = make_job(tmp_path / "0", metrics={})
    run.config_file.write_text("a: &x\n  b: 1\n# note\nc: *x\n")
    job = read_job(run.path, tmp_path)
    assert job.leaves == {}
    assert job.problems[0].startswith(f"{run.config_file} cannot be read: it holds an anchor or an alias")
