"""Files that a disk, a kill or somebody else has changed: one message with the file's name, and no time or memory."""

import itertools
import os
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.run.metrics import MetricsFile, read_metrics
from src.run.reading import DEEPEST, LARGEST, WIDEST, UnreadableError, parse_json, parse_yaml, read_json, read_yaml
from src.run.result import Result
from src.run.trial import TrialLink

STORED = Path(__file__).parents[1] / "stored"
LEVELS = "abcdefghi"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{below}'] * 9)}]\n" for below, name in itertools.pairwise(LEVELS)
)

# What may stand in the place of any file; none of it is one.
ANYTHING: dict[str, bytes] = {
    "zero bytes": b"\0\0\0",
    "no utf-8": b"\xff\xfe\x00a",
    "list": b"[]",
    "number": b"3",
    "null": b"null",
    "text": b'"x"',
    "long number": b"1" + b"0" * 400,
    "longer number": b"9" * 5000,
    "number of base 60": b"1:" * 200_000 + b"1",
    "nested lists": b"[" * 2000 + b"]" * 2000,
    "open lists": b"[" * 100_000,
    "nested mappings": b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "nested blocks": b"- " * 2000,
    "nested keys": b"? " * 2000,
    "alias onto itself": b"a: &a [*a]",
    "mapping onto itself": b"&a {b: *a}",
    "bomb": BOMB.encode(),
    "tag": b"!!python/object/apply:os.mkdir [x]",
    "set": b"!!set {a, b}",
    "two documents": b"--- 1\n--- 2\n",
    "too large": b"#" * (LARGEST + 1),
    "half a character": b'"\\ud800"',
    "many": b"[" + b"[]," * 600_000 + b"[]]",
    "open quote": b'"' + b"a" * 1000,
}

Reader = Callable[[Path], object]

READERS: dict[str, tuple[str, Reader]] = {
    "result": ("result.json", Result.read),
    "trial": ("trial.json", lambda path: TrialLink.read(path.parent)),
    "config": (".hydra/config.yaml", lambda path: RunDir(path.parents[1]).config()),
    "claim": (".hydra/config.yaml", lambda path: RunDir(path.parents[1]).claim(OmegaConf.create({"seed": 1}))),
    "yaml": ("multirun.yaml", lambda path: read_yaml(path, instead="x")),
    "json": ("any.json", lambda path: read_json(path, instead="x")),
}


@contextmanager
def read_or_named(path: Path) -> Iterator[None]:
    """What is done with a file may be refused, with its name."""
    message = str(path)
    try:
        yield
    except ConfigError as error:
        message = str(error)
    assert str(path) in message


def stored(folder: Path, reader: str, content: bytes) -> tuple[Path, Reader]:
    name, read = READERS[reader]
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(content)
    return path, read


@pytest.mark.slow
@pytest.mark.parametrize("content", ANYTHING)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_none_of_our_files_is_named(reader: str, content: str, tmp_path: Path) -> None:
    path, read = stored(tmp_path, reader, ANYTHING[content])
    with pytest.raises(ConfigError, match=rf"^{re.escape(str(path))} cannot be read: .*; \w") as error:
        read(path)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("reader", READERS)
def test_an_empty_file_a_directory_and_a_pipe_are_named(reader: str, tmp_path: Path) -> None:
    path, read = stored(tmp_path, reader, b"")
    message = rf"^{re.escape(str(path))} cannot be read: "
    with pytest.raises(ConfigError, match=message):
        read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match=message):
        read(path)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(ConfigError, match=message):
        read(path)


@pytest.mark.parametrize("content", ANYTHING)
def test_what_is_no_table_of_metrics_is_named_or_has_no_rows(content: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(ANYTHING[content])
    with read_or_named(path):
        assert all(len(column) == 0 for column in read_metrics(path).values())


@pytest.mark.parametrize(
    "content",
    ["epoch,epoch\n1,2\n", "epoch,a\n1,x\n", "epoch,a\n" + "1" * 200_000 + ",1\n", 'epoch,"a\n1,2\n' + "b" * 200_000],
)
def test_a_table_of_something_else_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(content)
    with read_or_named(path):
        assert read_metrics(path) == {}


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "epoch,a\nx,2\n", "epoch,a\n1e3,2\n"])
def test_a_run_does_not_go_on_from_a_table_of_something_else(content: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(content)
    with pytest.raises(UnreadableError, match=rf"^{re.escape(str(path))} cannot be read: it has rows without a number"):
        MetricsFile(path).append({"epoch": 5, "a": 1.0})


def test_a_very_long_table_is_read_in_part_and_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.run.metrics._MOST_CELLS", 20)
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,a\n" + "".join(f"{i},{i}\n" for i in range(100)))
    found = read_metrics(path)["epoch"]
    assert found == [16 * i for i in range(7)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["result.json", "metrics.csv", ".hydra/config.yaml"])
@pytest.mark.parametrize("seed", range(3))
def test_a_file_with_one_bit_flipped_or_its_end_cut_off_is_read_or_named(name: str, seed: int, tmp_path: Path) -> None:
    path, draw = tmp_path / name, random.Random(seed)
    path.parent.mkdir(exist_ok=True)
    whole = (STORED / "run" / name).read_bytes()
    read: Callable[[], object] = {
        "result.json": lambda: RunDir(tmp_path).result(),
        "metrics.csv": lambda: read_metrics(path),
        ".hydra/config.yaml": lambda: RunDir(tmp_path).config(),
    }[name]
    for _ in range(60):
        data = bytearray(whole)
        place = draw.randrange(len(data))
        data[place] ^= 1 << draw.randrange(8)
        for content in (bytes(data), whole[:place]):
            path.write_bytes(content)
            with read_or_named(path):
                read()


# Limits


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1e-3", {"a": 0.001}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: 2026-01-31", {"a": "2026-01-31"}),
        ("a: '1e3'", {"a": "1e3"}),
        ("a: ${b}", {"a": "${b}"}),
        (f"a: {'9' * 300}", {"a": int("9" * 300)}),
        (f"a: {'x' * WIDEST}", {"a": "x" * WIDEST}),
        ("[" * DEEPEST + "]" * DEEPEST, None),
    ],
)
def test_what_omegaconf_reads_is_read_alike(text: str, value: Any) -> None:
    found = parse_yaml(text)
    assert value is None or found == value == OmegaConf.to_container(OmegaConf.create(text), resolve=False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "nested more than 50 deep"),
        (f"a: {'9' * 301}", "a number of 301 characters"),
        (f"a: '{'x' * (WIDEST + 1)}'", "a text of 120001 characters"),
        ("a: &b 1", "an anchor or an alias"),
        ("a: !b 1", "the tag !b"),
        ("".join(f"a{i}: 1\n" for i in range(30_000)), "more keys and values"),
        ("a: 1\na: 2", "duplicate key a"),
    ],
)
def test_what_is_beyond_the_limits_of_yaml_is_told(text: str, why: str) -> None:
    with pytest.raises(Exception, match=why):
        parse_yaml(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * (DEEPEST + 2) + "]" * (DEEPEST + 2), "nested more than 50 deep"),
        ('{"a": ' + "9" * 301 + "}", "a number of 301 digits"),
        (f'["{"x" * (WIDEST + 1)}"]', "a text of 120001 characters"),
        ('{"\\ud800": 1}', "surrogates not allowed"),
    ],
)
def test_what_is_beyond_the_limits_of_json_is_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_json(text)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            '{"status": "completed", "optimized_metric": {"value": 1}}',
            "optimized_metric.name is None; allowed: a string",
        ),
        ('{"status": "completed", "optimized_metric": 3}', "optimized_metric is 3; allowed: a mapping or null"),
        ('{"status": ["completed"]}', "status is ['completed']; allowed: completed, failed, pruned"),
        ('{"status": "completed", "git": {"commit": ["x"]}}', "git.commit is ['x']; allowed: a single value"),
        ('{"status": "completed", "seed": ' + "9" * 400 + "}", "it holds a number of 400 digits"),
        (
            '{"status": "completed", "metrics": {' + ",".join(f'"{i}":1' for i in range(2001)) + "}}",
            "metrics has 2001 entries; allowed: 2000",
        ),
    ],
)
def test_a_result_with_odd_values_is_named_with_what_is_allowed(content: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(content)
    with pytest.raises(UnreadableError, match=rf"^{re.escape(f'{path} cannot be read: {why}')}.*; remove it, and"):
        Result.read(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{}", "storage, study, number, monitor, pruner is missing"),
        ('{"storage": "x", "study": "s", "number": true, "monitor": "m", "pruner": {}}', "number is missing"),
        ('{"storage": "x", "study": "s", "number": 0, "monitor": "m", "pruner": {}}', "pruner names no class"),
        ('{"storage":"x","study":"s","number":0,"monitor":"m","pruner":{"_target_":"x"},"y":1}', "y is not known"),
    ],
)
def test_a_trial_with_odd_values_is_named(content: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "trial.json").write_text(content)
    with pytest.raises(UnreadableError, match=rf"trial\.json cannot be read: {why}"):
        TrialLink.read(tmp_path)


def test_a_long_message_of_a_failure_is_kept_as_far_as_it_can_be_read_again(tmp_path: Path) -> None:
    from src.run.result import Failure

    path = tmp_path / "result.json"
    Result(status="failed", error=Failure.of(ValueError("a" * 3_000_000 + "end"))).write(path)
    found = Result.read(path)
    assert found is not None
    assert found.error is not None
    assert found.error.message.startswith("aaa")
    assert found.error.message.endswith("end")
