"""What a job knows of the search that it belongs to: a file in its run directory, written before it starts.

It names the study, so that a job in another process or on another machine can report to it. It is no part of the
configuration, so that the same run is the same run without a search. No torch here.
"""

import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, unquote

from src.config.errors import ConfigError, suggest
from src.run.files import write_atomically
from src.run.reading import UnreadableError, read_json, short

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

SQLITE, JOURNAL = "sqlite:///", "journal://"

_INSTEAD = "remove it, and the run reports to no search; the command of its search writes it again"


# Packages of database drivers that are not called as what is imported.
_PACKAGES = {"MySQLdb": "mysqlclient", "psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary"}

# Bytes of a database that is looked through before it is used.
_SMALL = 50_000_000


class PrunedError(Exception):
    """A search has given up the run that raises this.

    Args:
        metrics: What was measured last, by ``split/name``.
        epoch: The epoch after which it ends.
    """

    def __init__(self, metrics: Mapping[str, float], *, epoch: int) -> None:
        super().__init__(f"pruned at epoch {epoch}")
        self.metrics, self.epoch = dict(metrics), epoch


@dataclass(frozen=True, kw_only=True)
class TrialLink:
    """The trial of a study that a run belongs to.

    Attributes:
        storage: URL of the storage.
        study: Name of the study.
        number: Number of the trial.
        monitor: Metric that it reports.
        pruner: `_target_` and arguments of Optuna's pruner.
    """

    storage: str
    study: str
    number: int
    monitor: str
    pruner: dict[str, Any]

    def write(self, run_dir: Path) -> None:
        """Leave it for the job that runs there."""
        write_atomically(run_dir / "trial.json", json.dumps(asdict(self), indent=2).encode())

    @classmethod
    def read(cls, run_dir: Path) -> "TrialLink | None":
        """What stands in a run directory; None where no search has written.

        Raises:
            UnreadableError: If it is something else.
        """
        path = run_dir / "trial.json"
        try:
            found = read_json(path, instead=_INSTEAD)
        except FileNotFoundError:
            return None
        kinds: dict[str, type] = {"storage": str, "study": str, "number": int, "monitor": str, "pruner": dict}
        if wrong := [name for name, kind in kinds.items() if type(found.get(name)) is not kind]:
            raise UnreadableError(path, f"{', '.join(wrong)} is missing or of another type", _INSTEAD)
        if unknown := found.keys() - kinds.keys():
            raise UnreadableError(path, f"{', '.join(sorted(unknown))} is not known", _INSTEAD)
        # as `storage_url` writes it: no other way to name a file, which would be made
        if found["storage"].startswith("sqlite") and not found["storage"].startswith(SQLITE):
            raise UnreadableError(path, "storage is written as no search does", _INSTEAD)
        if not isinstance(found["pruner"].get("_target_"), str):
            raise UnreadableError(path, "pruner names no class", _INSTEAD)
        return cls(**found)


def storage_url(given: str | None, *, default: Path) -> str:
    """URL of a storage, the same for every process, whatever directory it works in.

    Args:
        given: URL, or path of a file that ends in .db (SQLite) or .log (journal).
        default: File of the SQLite database that is meant by None.

    Raises:
        ConfigError: If it is neither.
    """
    if given is None:
        # not `resolve`, which raises where links lead in a circle
        return _sqlite(Path(os.path.realpath(default)))
    text = str(given)
    scheme = next((each for each in (SQLITE, JOURNAL) if text.startswith(each)), None)
    if scheme is None:
        scheme = {".db": SQLITE, ".log": JOURNAL}.get(Path(text).suffix)
    is_path = text.startswith((SQLITE, JOURNAL)) or ":" not in text
    path = _path_in(text)
    if scheme is not None and is_path and path and path != ":memory:":
        whole = Path(os.path.realpath(Path(path).expanduser()))
        return _sqlite(whole) if scheme == SQLITE else f"{scheme}{whole}"
    if "://" in text and not text.startswith(("sqlite:", "journal:")):
        return text
    raise ConfigError(
        f"hydra.sweeper.storage: got {text}; allowed: a database, such as sqlite:///study.db or "
        "postgresql://host/name, a journal, journal:///absolute/path.log, or a path that ends in .db or .log"
    )


def _sqlite(path: Path) -> str:
    """URL of a database file, in which ``?``, ``#`` and ``%`` are letters of its path."""
    from sqlalchemy import URL, make_url

    url = URL.create("sqlite", database=str(path)).render_as_string()
    if make_url(url).database == str(path):
        return url
    # SQLAlchemy 2.0 quotes nothing; SQLite's own form of a URL has quotes
    return f"sqlite:///file:{quote(str(path))}?uri=true"


def _path_in(text: str) -> str:
    """The path that a URL or a path names."""
    if not text.startswith(SQLITE):
        return text.removeprefix(JOURNAL)
    from sqlalchemy import make_url

    url = make_url(text)
    database = url.database or ""
    is_quoted = "uri" in url.query and database.startswith("file:")
    return unquote(database.removeprefix("file:")) if is_quoted else database


def open_storage(url: str, *, is_new: bool = True) -> "BaseStorage":
    """Open the storage of a study.

    Args:
        url: Its URL.
        is_new: Whether a file that is not there is made.

    Raises:
        ConfigError: If it cannot be opened, or its file is none that Optuna has made.
    """
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    scheme = next((each for each in (SQLITE, JOURNAL) if url.startswith(each)), None)
    if scheme is not None:
        _check_file(url, Path(_path_in(url)), is_new=is_new)
    if url.startswith(JOURNAL):
        path = Path(url.removeprefix(JOURNAL))
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return JournalStorage(JournalFileBackend(str(path)))
        # whatever it meets in a file that a disk or somebody else has changed
        except Exception as error:
            raise ConfigError(f"hydra.sweeper.storage={url} cannot be opened: {_said(error)}") from error
    options: dict[str, Any] = {}
    if url.startswith(SQLITE):
        Path(_path_in(url)).parent.mkdir(parents=True, exist_ok=True)
        from sqlalchemy.pool import NullPool

        # seconds for which a job waits for the others that report; and no connection that nobody closes
        options = {"connect_args": {"timeout": 60}, "poolclass": NullPool}
    try:
        return _retried(lambda: RDBStorage(url, engine_kwargs=options))
    # whatever SQLAlchemy and the drivers of many databases raise: no such driver, no such host, no such password
    except Exception as error:
        if driver := _missing_driver(error):
            raise ConfigError(
                f"hydra.sweeper.storage={url} needs the package {_PACKAGES.get(driver, driver)}: "
                f"pip install '{_PACKAGES.get(driver, driver)}'"
            ) from error
        raise ConfigError(f"hydra.sweeper.storage={url} cannot be opened: {_said(error)}") from error


def _missing_driver(error: Exception) -> str | None:
    """The module of a database's driver that is not installed; None if that is not what is wrong."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ModuleNotFoundError):
        cause = cause.__cause__ or cause.__context__
    return None if cause is None or cause.name is None else cause.name.partition(".")[0]


def _said(error: Exception) -> str:
    return short(" ".join(str(error).split()) or type(error).__name__, 500)


def _check_file(url: str, path: Path, *, is_new: bool) -> None:
    """Refuse a file that is no whole database, or one with programs of its own, which it would run at each trial."""
    why = None
    if path.is_symlink() and not path.exists():
        why = "its symbolic links lead nowhere"
    elif not path.exists():
        why = None if is_new else "there is no such file"
    elif not path.is_file():
        why = "it is no file but a directory or a device"
    elif url.startswith(SQLITE) and path.stat().st_size:
        try:
            with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
                kinds = {kind for (kind,) in database.execute("SELECT type FROM sqlite_master")}
                if kinds - {"table", "index"}:
                    why = f"it holds {' and '.join(sorted(kinds - {'table', 'index'}))}, which no study does"
                elif (
                    path.stat().st_size < _SMALL
                    and (found := next(database.execute("PRAGMA quick_check(1)"))[0]) != "ok"
                ):
                    why = f"it is damaged: {found}"
        except sqlite3.OperationalError as error:
            # another process is writing, say
            why = None if "locked" in str(error) else str(error)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            why = str(error)
    if why is not None:
        raise ConfigError(
            f"hydra.sweeper.storage={url} cannot be opened: {_said(ValueError(why))}; give another hydra.sweep.dir or "
            "storage, or remove the file to search anew"
        )


def _retried(connect: "Callable[[], BaseStorage]") -> "BaseStorage":
    """Try again where two processes have made the tables of a new database at once, and got in each other's way."""
    for seconds in (0.1, 0.5, 2):
        try:
            return connect()
        except Exception as error:
            if not re.search("already exists|UNIQUE|duplicate", str(error), re.IGNORECASE):
                raise
        time.sleep(seconds)
    return connect()


def make(kind: Literal["sampler", "pruner"], node: Mapping[str, Any], **more: Any) -> Any:
    """Make a sampler or pruner of Optuna, and nothing else: a run directory may come from somebody else.

    Args:
        kind: What to make.
        node: ``_target_`` in ``optuna.samplers`` or ``optuna.pruners``, and arguments.
        **more: Further arguments.

    Raises:
        ConfigError: If there is no such class, or it does not take the arguments.
    """
    import optuna

    name = str(node["_target_"]).removeprefix(f"optuna.{kind}s.")
    classes = getattr(optuna, f"{kind}s")
    if name not in classes.__all__:
        raise ConfigError(f"hydra.sweeper.{kind}._target_: {suggest(name, classes.__all__, prefix=f'optuna.{kind}s.')}")
    arguments = {**{key: value for key, value in node.items() if key != "_target_"}, **more}
    try:
        return getattr(classes, name)(**arguments)
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{key}={value}" for key, value in node.items())
        raise ConfigError(f"hydra.sweeper.{kind}: {error} (given: {given})") from error
