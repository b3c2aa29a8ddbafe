"""The run directory: who may use it, and what it holds at the end."""

import math
import os
import re
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from src.config.errors import ConfigError
from src.run.directory import OtherRunError, RunDir
from src.run.files import to_yaml, write_atomically
from src.run.result import Failure, Metric, Result, Status
from src.tasks.finite import NonFiniteLossError
from src.train import train
from tests.tasks.runs import listing, small

SHORT = ("data.n_samples=50", "data.n_val=30", "trainer.max_epochs=2")


def config(**changes: Any) -> DictConfig:
    given: dict[str, Any] = {
        "seed": 42,
        "model": {"net": {"hidden": [10, 10]}},
        "optimizer": {"lr": "${suggested.lr}", "weight_decay": 1e-5},
        "suggested": {"lr": 0.1},
        "scheduler": {},
        "run_dir": "somewhere",
    }
    return OmegaConf.create(given | changes)


def end(run: RunDir, status: Status) -> None:
    Result(status=status).write(run.result_file)


# Taking a directory


def test_a_new_directory_is_fresh_and_gets_what_was_asked(tmp_path: Path) -> None:
    run, hydra = RunDir(tmp_path / "new" / "run"), OmegaConf.create({"job": {"name": "train"}})
    assert run.claim(config(), overrides=["seed=42"], hydra_cfg=hydra) == "fresh"
    assert listing(run.path) == [".hydra/begun.txt", ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"]
    assert OmegaConf.load(run.config_file) == config()
    assert OmegaConf.load(run.config_file.with_name("overrides.yaml")) == ["seed=42"]
    assert OmegaConf.load(run.config_file.with_name("hydra.yaml")) == {"hydra": hydra}


def test_when_a_run_began_stays_with_it_until_it_begins_anew(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.claim(config())
    run.begun_file.write_text("2020-01-02T03:04:05+00:00\n")
    run.checkpoints.mkdir()
    run.checkpoint("last").touch()
    assert (run.claim(config()), run.begun) == ("resume", 1577934245.0)
    end(run, "failed")
    assert run.claim(config()) == "fresh"
    assert run.begun is not None
    assert run.begun > 1577934245.0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"yesterday",
        b"\xff",
        b"0001-01-01T00:00:00+00:00",
        b"9999-12-31T00:00:00+00:00",
        b"2020-01-01" + b" " * 200,
    ],
)
def test_what_is_no_time_tells_not_when_a_run_began(tmp_path: Path, content: bytes) -> None:
    run = RunDir(tmp_path)
    run.claim(config())
    run.begun_file.write_bytes(content)
    assert run.begun is None
    run.begun_file.unlink()
    assert run.begun is None


def test_outside_a_hydra_application_there_is_no_hydra_yaml(tmp_path: Path) -> None:
    RunDir(tmp_path).claim(config())
    assert listing(tmp_path) == [".hydra/begun.txt", ".hydra/config.yaml", ".hydra/overrides.yaml"]


def test_the_stored_configuration_keeps_references_unresolved(tmp_path: Path) -> None:
    RunDir(tmp_path).claim(config())
    assert "${suggested.lr}" in (tmp_path / ".hydra" / "config.yaml").read_text()


def test_a_directory_with_neither_checkpoint_nor_result_is_fresh_again(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert [run.claim(config()), run.claim(config())] == ["fresh", "fresh"]


def test_a_directory_with_a_last_checkpoint_is_resumed(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.claim(config())
    write_atomically(run.checkpoints / "last.ckpt", b"weights")
    assert run.claim(config()) == "resume"
    assert (run.checkpoints / "last.ckpt").read_bytes() == b"weights"


@pytest.mark.parametrize("left", ["result", "checkpoint"])
def test_what_a_run_without_its_configuration_has_left_is_neither_taken_over_nor_lost(
    left: str, tmp_path: Path
) -> None:
    run = RunDir(tmp_path)
    run.claim(config())
    if left == "result":
        end(run, "completed")
    else:
        write_atomically(run.checkpoint("last"), b"weights")
    run.config_file.unlink()
    before = listing(tmp_path)
    with pytest.raises(ConfigError, match=r"without \.hydra/config\.yaml.*Choose another directory"):
        run.claim(config(seed=1))
    assert listing(tmp_path) == before


def test_a_completed_run_stays_as_it_is(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.claim(config(), overrides=["seed=42"])
    write_atomically(run.checkpoints / "last.ckpt", b"weights")
    end(run, "completed")
    before = {name: (tmp_path / name).read_bytes() for name in listing(tmp_path)}
    assert run.claim(config(), overrides=["other=1"]) == "completed"
    assert {name: (tmp_path / name).read_bytes() for name in listing(tmp_path)} == before


def test_what_is_stored_letter_for_letter_need_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDir(tmp_path)
    texts = (to_yaml(OmegaConf.to_container(config(), resolve=False)), "hydra: {}\n")
    run.claim(config(), texts=lambda: texts)
    end(run, "completed")
    # whoever gives another text of the same configuration, or of another one, is answered by what it means
    assert run.look(config(), texts=lambda: (f"# mine\n{texts[0]}", "")) == "completed"
    with pytest.raises(OtherRunError, match="seed: stored 42, given 0"):
        run.look(config(seed=0), texts=lambda: (texts[0].replace("42", "0"), ""))
    monkeypatch.setattr(RunDir, "_stored", lambda _: pytest.fail("it was read"))
    assert run.look(config(), texts=lambda: texts) == "completed"
    assert run.claim(config(), texts=lambda: texts) == "completed"


def test_what_a_failed_run_has_left_is_removed_but_its_log(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.claim(config())
    for name in ("checkpoints/last.ckpt", "tensorboard/events", "plots/boundary.png", "metrics.csv", "train.log"):
        write_atomically(tmp_path / name, b"old")
    end(run, "failed")
    assert run.claim(config(), overrides=["new=1"]) == "fresh"
    assert listing(tmp_path) == [".hydra/begun.txt", ".hydra/config.yaml", ".hydra/overrides.yaml", "train.log"]
    assert run.result() is None


@pytest.mark.parametrize("status", ["nothing", "resume", "failed", "completed"])
def test_another_configuration_is_refused_with_the_keys_that_differ(status: str, tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.claim(config())
    if status == "resume":
        write_atomically(run.checkpoints / "last.ckpt", b"weights")
    elif status == "failed":
        write_atomically(run.metrics_file, b"epoch\n")
        end(run, "failed")
    elif status == "completed":
        end(run, "completed")
    before = listing(tmp_path)
    other = config(seed=0, model={"net": {"hidden": [16]}}, extra={"key": 1})
    message = (
        r"holds a run of another configuration:\n  extra\.key: not stored, given 1\n"
        r"  model\.net\.hidden: stored \[10, 10\], given \[16\]\n  seed: stored 42, given 0\n"
    )
    with pytest.raises(ConfigError, match=message):
        run.claim(other)
    assert listing(tmp_path) == before


def test_the_record_of_a_refused_job_does_not_stand_in_the_way_of_the_corrected_command(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.claim(config(seed=-1))
    Result(status="failed", error=Failure.of(ConfigError("seed: got -1"))).write(run.result_file)
    assert run.claim(config(seed=1)) == "fresh"
    assert run.config().seed == 1
    assert run.result() is None
    # however it was told
    Result(status="failed", error=Failure("UnsupportedInterpolationType", "nope", "")).write(run.result_file)
    assert run.claim(config(seed=3)) == "fresh"
    assert run.claim(config(seed=3)) == "fresh"
    # one that has trained is somebody's
    Result(status="failed", error=Failure.of(ConfigError("monitor"))).write(run.result_file)
    run.metrics_file.touch()
    with pytest.raises(ConfigError, match="seed: stored 3, given 2"):
        run.claim(config(seed=2))


def test_a_run_that_has_lost_its_loss_makes_room_for_the_corrected_command(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.claim(config(seed=0))
    for name in ("checkpoints/last.ckpt", "metrics.csv", "logged.csv"):
        write_atomically(tmp_path / name, b"old")
    Result(status="failed", error=Failure.of(NonFiniteLossError("nan"))).write(run.result_file)
    assert run.look(config(seed=1)) == run.claim(config(seed=1)) == "fresh"
    assert listing(tmp_path) == [".hydra/begun.txt", ".hydra/config.yaml", ".hydra/overrides.yaml"]
    assert run.config().seed == 1


@pytest.mark.parametrize("what", ["pipe", "file", "dangling link", "link to a folder"])
def test_whatever_is_in_the_place_of_a_folder_is_removed(what: str, tmp_path: Path) -> None:
    run, elsewhere = RunDir(tmp_path / "run"), tmp_path / "elsewhere" / "kept"
    run.claim(config())
    write_atomically(elsewhere, b"of somebody")
    if what == "pipe":
        os.mkfifo(run.checkpoints)
    elif what == "file":
        run.checkpoints.touch()
    else:
        run.checkpoints.symlink_to(elsewhere.parent if what == "link to a folder" else tmp_path / "nowhere")
    assert run.claim(config()) == "fresh"
    assert listing(run.path) == [".hydra/begun.txt", ".hydra/config.yaml", ".hydra/overrides.yaml"]
    assert elsewhere.exists()


def test_a_key_that_is_gone_is_a_difference(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.claim(config(extra=1))
    with pytest.raises(ConfigError, match="extra: stored 1, not given"):
        run.claim(config())


def test_null_differs_from_a_key_that_is_absent(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.claim(config())
    with pytest.raises(ConfigError, match="extra: not stored, given None"):
        run.claim(config(extra=None))


def test_a_directory_that_was_moved_is_still_the_same_run(tmp_path: Path) -> None:
    RunDir(tmp_path / "old").claim(config(run_dir=str(tmp_path / "old")))
    end(RunDir(tmp_path / "old"), "completed")
    moved = RunDir((tmp_path / "old").rename(tmp_path / "new"))
    assert moved.claim(config(run_dir=str(tmp_path / "new"))) == "completed"
    assert moved.config().run_dir == str(tmp_path / "new")
    assert moved.config().seed == 42


def test_values_come_back_from_yaml_as_they_were(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    values = {
        "text": ["1e3", "yes", "0x10", "null", "", "a: b", "ü", "line\nbreak", "1_000", "2026-01-01", "~", "1e-5"],
        "numbers": [1e-5, 1e3, 1e300, 0.1 + 0.2, -0.0, math.inf, 10**12, True, None],
        "betas": (0.9, 0.999),
        "empty": {"list": [], "map": {}},
    }
    run.claim(config(values=values))
    end(run, "completed")
    assert run.claim(config(values=values)) == "completed"


def test_a_directory_whose_result_is_damaged_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.claim(config())
    run.result_file.write_text('{"status": "comp')
    with pytest.raises(ConfigError, match=rf"^{re.escape(str(run.result_file))} cannot be read: "):
        run.claim(config())
    assert run.result_file.read_text() == '{"status": "comp'


def test_a_whole_result_of_another_run_is_not_believed(tmp_path: Path) -> None:
    one, same, other = (RunDir(tmp_path / name) for name in ("one", "another place that is long" * 5, "other"))
    for run, seed in ((one, 1), (same, 1), (other, 2)):
        run.claim(config(seed=seed, run_dir=str(run.path)))
        run.write_result(Result(status="completed", seed=seed))
    assert one.digest == same.digest
    foreign = other.result_file.read_bytes()
    one.result_file.write_bytes(foreign)
    why = f"{one.result_file} cannot be read: it is the result of another configuration than that of {one.config_file}"
    for ask in (one.result, lambda: one.claim(config(seed=1))):
        with pytest.raises(ConfigError, match=f"^{re.escape(why)}; .* or remove it"):
            ask()
    assert one.result_file.read_bytes() == foreign
    one.result_file.unlink()
    assert one.claim(config(seed=1)) == "fresh"


def test_a_result_without_a_digest_is_one_of_an_earlier_version(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.claim(config())
    end(run, "completed")
    assert run.claim(config()) == "completed"


def test_the_record_of_a_run_that_had_no_configuration_yet_is_not_that_of_the_next_one(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.write_result(Result(status="failed", error=Failure("ValueError", "", "")))
    assert run.claim(config()) == "fresh"
    assert run.result() is None


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not a run directory: it holds no \.hydra/config\.yaml"):
        RunDir(tmp_path).config()


# What a training leaves


def test_a_trained_run_leaves_a_whole_result_and_returns_at_once_the_second_time(tmp_path: Path) -> None:
    cfg = small(*SHORT, run_dir=tmp_path)
    value = train(cfg)
    result = RunDir(tmp_path).result()
    assert result is not None
    assert result.status == "completed"
    assert result.optimized_metric == Metric("val/loss", value)
    assert result.metrics["val/loss"] == value
    assert {name.split("/")[0] for name in result.metrics} == {"train", "val", "test"}
    assert (result.seed, result.overrides, result.device) == (42, [], "cpu")
    assert result.n_parameters == 2 * 10 + 10 + 10 * 10 + 10 + 10 + 1
    assert [row["class"] for row in result.per_class] == ["outer", "inner"]
    written_at = RunDir(tmp_path).result_file.stat().st_mtime_ns
    assert train(cfg) == value
    assert RunDir(tmp_path).result_file.stat().st_mtime_ns == written_at


def test_a_run_that_raises_is_recorded_and_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = small(*SHORT, "logger=csv", run_dir=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("src.fit.measure", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(cfg)
    result = RunDir(tmp_path).result()
    assert result is not None
    assert result.error is not None
    assert (result.status, result.error.type) == ("failed", "ZeroDivisionError")
    assert train(cfg) is not None
    result = RunDir(tmp_path).result()
    assert result is not None
    assert result.status == "completed"
    assert result.error is None
