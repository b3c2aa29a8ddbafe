"""Storages by URL, and what a job knows of its search."""

import re
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

from src.config.errors import ConfigError
from src.run.trial import TrialLink, make, open_storage, storage_url

HERE = Path.cwd()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        (None, "sqlite:////default/study.db"),
        ("sqlite:///study.db", f"sqlite:///{HERE}/study.db"),
        ("sqlite:////abs/study.db", "sqlite:////abs/study.db"),
        ("journal:///abs/study.log", "journal:///abs/study.log"),
        ("journal://study.log", f"journal://{HERE}/study.log"),
        ("some/study.db", f"sqlite:///{HERE}/some/study.db"),
        ("/abs/study.log", "journal:///abs/study.log"),
        ("postgresql://host/name", "postgresql://host/name"),
    ],
)
def test_a_storage_is_named_by_url_or_path_and_is_the_same_in_every_directory(given: str | None, url: str) -> None:
    assert storage_url(given, default=Path("/default/study.db")) == url
    assert storage_url(url, default=Path("/default/study.db")) == url


@pytest.mark.parametrize(
    "given", ["study", "study.csv", "sqlite://", "sqlite:///:memory:", "journal://", "sqlite:a.db"]
)
def test_anything_else_is_no_storage(given: str) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.storage: got"):
        storage_url(given, default=Path("study.db"))


@pytest.mark.parametrize("name", ["new/study.db", "new/study.log", "a?b#c%20 d&e=1/study.db", "a?b#c%20/study.log"])
def test_what_is_stored_is_there_for_the_next_one_who_opens_it(name: str, tmp_path: Path) -> None:
    url = storage_url(str(tmp_path / name), default=tmp_path)
    assert storage_url(url, default=tmp_path) == url
    study = optuna.create_study(storage=open_storage(url), study_name="mine")
    study.tell(study.ask(), 1.5)
    again = optuna.load_study(storage=open_storage(url), study_name="mine")
    assert [trial.value for trial in again.trials] == [1.5]
    assert (tmp_path / name).is_file()


@pytest.mark.parametrize("given", [None, "study.db", "study.log"])
def test_a_link_that_leads_to_itself_is_no_storage(
    given: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / (given or "study.db")).symlink_to(tmp_path / (given or "study.db"))
    url = storage_url(given, default=tmp_path / "study.db")
    with pytest.raises(ConfigError, match="cannot be opened: its symbolic links lead nowhere"):
        open_storage(url)


def test_a_database_that_cannot_be_opened_is_told_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.storage=nosuchbase://host/x cannot be opened"):
        open_storage("nosuchbase://host/x")
    (tmp_path / "text.db").write_text("no database" * 100)
    with pytest.raises(ConfigError, match=r"text\.db cannot be opened: .*not a database"):
        open_storage(f"sqlite:///{tmp_path}/text.db")


def test_tables_that_two_processes_make_at_once_are_opened_at_the_second_try(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, calls = optuna.storages.RDBStorage, []

    def clumsy(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) < 3:
            raise RuntimeError("table studies already exists")
        return real(*args, **kwargs)

    monkeypatch.setattr("optuna.storages.RDBStorage", clumsy)
    monkeypatch.setattr("src.run.trial.time.sleep", lambda _: None)
    assert isinstance(open_storage(f"sqlite:///{tmp_path}/study.db"), real)
    assert len(calls) == 3


def test_a_link_comes_back_as_it_was_written(tmp_path: Path) -> None:
    link = TrialLink(storage="sqlite:////a.db", study="s", number=3, monitor="val/loss", pruner={"_target_": "x"})
    assert TrialLink.read(tmp_path) is None
    link.write(tmp_path)
    assert TrialLink.read(tmp_path) == link


def test_samplers_and_pruners_are_made_from_their_nodes() -> None:
    pruner = make("pruner", {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 3})
    assert isinstance(pruner, optuna.pruners.MedianPruner)
    assert isinstance(make("sampler", {"_target_": "optuna.samplers.TPESampler"}, seed=1), optuna.samplers.TPESampler)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"_target_": "optuna.samplers.TPESample"}, r"_target_: did you mean optuna\.samplers\.TPESampler\?"),
        ({"_target_": "os.system"}, r"hydra\.sweeper\.sampler\._target_"),
        ({"_target_": "optuna.samplers.NSGAIISampler", "population_size": 1}, "population_size.*given: _target_="),
    ],
)
def test_nothing_else_is_made(node: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make("sampler", node)


@pytest.mark.parametrize(
    ("driver", "module", "package"),
    [
        ("postgresql+psycopg2", "psycopg2", "psycopg2-binary"),
        ("postgresql+psycopg", "psycopg", r"psycopg\[binary\]"),
        ("mysql", "MySQLdb", "mysqlclient"),
        ("mysql+pymysql", "pymysql", "pymysql"),
    ],
)
def test_a_database_whose_driver_is_missing_is_answered_with_its_package(
    driver: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as if it were not installed
    monkeypatch.setitem(sys.modules, module, None)
    url = f"{driver}://host/name"
    with pytest.raises(
        ConfigError, match=rf"storage={re.escape(url)} needs the package {package}: pip install '{package}'"
    ):
        open_storage(url)
