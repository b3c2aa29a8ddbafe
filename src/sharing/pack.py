"""Write a run or sweep into one zip: nothing from outside of its directory, and no path of this machine."""

import csv
import hashlib
import io
import json
import os
import re
import stat
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, get_args

from src.analysis.records import JobRecord, find_runs, is_run, read_job
from src.config.errors import ConfigError
from src.config.keys import flatten
from src.run import patch
from src.run.directory import RunDir, digest_of
from src.run.files import to_yaml
from src.run.lock import LockedError, locked
from src.run.reading import (
    PARSE_ERRORS,
    UnreadableError,
    parse_json,
    parse_yaml,
    read_bytes,
    refuse_damaged_zip,
    short,
)
from src.sharing.contents import CHECKPOINT, PICTURE, README, files_below, is_of_run, is_of_sweep
from src.sharing.places import Places, outside_files
from src.sharing.readme import Report, readme
from src.sharing.whole import SUMS, sums_text

Weights = Literal["best", "all", "none"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)

_LARGEST_TEXT = 200_000_000
_PIECE = 1 << 20
_KNOWN_ELSEWHERE = re.compile(r"(tensorboard|wandb|mlruns|csv)/.*|(study\.(db|log).*|trial\.json|\.index\.json)")
_INSTEAD = "it is left out"
_ELSEWHERE = "it names this machine, and no command needs it"
_PICTURES = "pictures=false"
# of whole folders
_TOLD_ONCE = (_ELSEWHERE, _PICTURES)
_CODE = "it is code, which is yours to send"

# Before the files of a sweep, which are few and small.
_Rewrite = Callable[[bytes], bytes]


def share(path: Path, output: Path, *, weights: Weights, pictures: bool) -> Report:
    """Write a zip, aside at first.

    Args:
        path: Directory of a run or sweep.
        output: The zip, which is not there yet.
        weights: ``best`` for those that the run has tested, ``all`` also for the last ones, or ``none``.
        pictures: Whether pictures are in it.

    Returns:
        What it holds and what it lacks.

    Raises:
        ConfigError: If there is no run, or the zip cannot be written.
    """
    path = path.resolve()
    runs = [path] if is_run(path) else find_runs(path)
    if not runs:
        raise ConfigError(f"{path} is no directory of a run or sweep: no .hydra/config.yaml or result.json is below it")
    is_sweep = runs != [path]
    jobs = [read_job(run, path) for run in runs]
    # as any system takes it
    name = re.sub(r"[^\w.=,+@ -]", "_", path.name) or "run"
    report = Report(name, is_sweep, jobs)
    packer = _Packer(path, report, weights=weights, pictures=pictures)
    with _aside(output) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        packer.pack(archive)
    return report


@contextmanager
def _aside(output: Path) -> Iterator[BinaryIO]:
    """A file that gets its name once it is whole."""
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.", suffix=".part")
    except OSError as error:
        # in the name that is known
        error.filename = str(output)
        raise
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            Path(name).chmod(0o644)
            file.flush()
            os.fsync(file.fileno())
        try:
            # not `replace`: what has come there meanwhile is somebody's
            os.link(name, output)
        except FileExistsError:
            raise
        except OSError:
            # a file system without a second name for a file
            Path(name).replace(output)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


class _Packer:
    def __init__(self, path: Path, report: Report, *, weights: Weights, pictures: bool) -> None:
        self.path, self.report, self.weights, self.pictures = path, report, weights, pictures
        self.places = Places(path, report.name)
        self._sums: dict[str, str] = {}

    def pack(self, archive: zipfile.ZipFile) -> None:
        """Write all files, and last the README, which tells of them."""
        self._learn()
        if self.report.is_sweep:
            self._say_locked(self.path, self.report.name)
        owners = {"" if job.path == self.path else f"{job.name}/": job for job in self.report.jobs}
        kept = {prefix: self._weights_of(job) for prefix, job in owners.items()}
        for prefix, job in owners.items():
            self._missing(job, prefix)
        for name, is_plain in files_below(self.path):
            home = next((each for each in owners if name.startswith(each)), None)
            inner = name if home is None else name.removeprefix(home)
            belongs = is_of_sweep(name) if home is None else is_of_run(inner)
            why = self._why_not(
                self.path / name, inner, belongs=belongs, is_plain=is_plain, kept=() if home is None else kept[home]
            )
            if why is None:
                self._add(archive, name, None if home is None else owners[home])
            else:
                self._leave_out(name if why != _ELSEWHERE else inner, why)
        text = self.places.in_exact(readme(self.report))
        self._write(archive, README, text.encode(), time.time())
        archive.writestr(self._info(SUMS, time.time()), sums_text(self._sums))

    def _learn(self) -> None:
        """Gather the places that configurations name, so that logs and pages lose them too."""
        for job in self.report.jobs:
            name = self.report.name if job.path == self.path else f"{self.report.name}/{job.name}"
            hydra = _yaml(job.path / ".hydra" / "hydra.yaml")
            node = hydra.get("hydra") if isinstance(hydra, dict) else None
            leaves = flatten(node) if isinstance(node, dict) else {}
            self.places.learn(leaves.get("runtime.cwd"), ".", is_vague=True)
            self.places.learn(leaves.get("runtime.output_dir"), name)
            if self.report.is_sweep:
                self.places.learn(leaves.get("sweep.dir"), self.report.name)
            for key, value in outside_files(job.leaves):
                self.places.learn(value)
                self.report.data_files[key] = self.places.in_value(key.rpartition(".")[2], value)

    def _weights_of(self, job: JobRecord) -> tuple[str, ...]:
        if self.weights == "none":
            return ()
        if self.weights == "all":
            return ("best", "last")
        has_best = _why_damaged(RunDir(job.path).checkpoint("best")) is None
        return ("best",) if has_best and job.leaves.get("evaluate", "best") == "best" else ("last",)

    def _missing(self, job: JobRecord, prefix: str) -> None:
        """Say what a run lacks that has not completed, or is broken."""
        name, lacks = prefix.rstrip("/") or "the run", self.report.missing
        if not self.report.is_sweep:
            self._say_locked(job.path, name)
        lacks.extend(self.places.in_text(problem) for problem in job.problems)
        if job.status == "failed":
            lacks.append(f"{name} has failed: {self.places.in_text((job.error_message or '').strip()[:200])}")
        elif job.status == "unfinished" and not job.problems:
            more = "" if self.weights == "all" else "; with weights=all it could go on from where it was"
            lacks.append(f"{name} has not ended: it runs, or was interrupted, and has no result.json{more}")
        elif job.status == "pruned":
            lacks.append(f"{name} was ended early by its search")
        has_weights = any(_why_damaged(RunDir(job.path).checkpoint(each)) is None for each in ("best", "last"))
        if self.weights != "none" and not has_weights:
            lacks.append(f"{name} has no weights, so that src.eval and src.draw cannot open it")

    def _say_locked(self, path: Path, name: str) -> None:
        try:
            with locked(path, key="run"):
                pass
        except LockedError:
            self.report.missing.append(f"a command was still writing to {name}: this is how far it was")
        except OSError:
            # one that may not be locked
            pass

    def _why_not(self, path: Path, inner: str, *, belongs: bool, is_plain: bool, kept: Sequence[str]) -> str | None:
        """Why a file is not shared; empty if that need not be told, None if it is."""
        if not is_plain:
            return "it is no plain file but a link, a device, or a folder that may not be read"
        if _KNOWN_ELSEWHERE.fullmatch(inner):
            return _ELSEWHERE
        if inner == patch.NAME:
            return _CODE
        if not belongs:
            # what waits to be written, or lets a run go on
            is_own = (
                inner.endswith(".part")
                or inner.startswith((".", "checkpoints/", "plots/frames/"))
                or inner in (README, SUMS)
            )
            return "" if is_own else "no run or sweep writes a file of this name, or it is not needed"
        found = CHECKPOINT.fullmatch(inner)
        if found and (self.weights == "all" or (self.weights == "best" and found[1] == "best")):
            damage = _why_damaged(path)
            if damage is not None:
                return f"it is damaged: {self.places.in_text(damage)}"
        if found and found[1] not in kept:
            return "" if self.weights == "best" else f"weights={self.weights}"
        return _PICTURES if PICTURE.fullmatch(inner) and not self.pictures else None

    def _leave_out(self, name: str, why: str) -> None:
        """Tell it once of all files of a folder that every job has."""
        if why in _TOLD_ONCE and "/" in name:
            name = f"{name.partition('/')[0]}/"
        line = f"{name}: {why}"
        if why and line not in self.report.left_out:
            self.report.left_out.append(line)

    def _add(self, archive: zipfile.ZipFile, name: str, job: JobRecord | None) -> None:
        rewrite = self._rewrite(name, job)
        source = self.path / name
        try:
            # the last part of the path is looked at as it is opened; a link there is an error
            handle = os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
            with os.fdopen(handle, "rb") as file:
                info = os.fstat(handle)
                if not stat.S_ISREG(info.st_mode):
                    raise ValueError("it is no plain file")
                if rewrite is None:
                    with archive.open(self._info(name, info.st_mtime), "w", force_zip64=True) as target:
                        self._copy(file, target, name)
                    return
                data = file.read(_LARGEST_TEXT + 1)
                if len(data) > _LARGEST_TEXT:
                    raise ValueError(f"it is larger than {_LARGEST_TEXT} bytes")
                self._write(archive, name, rewrite(data), info.st_mtime)
        except (OSError, ConfigError, *PARSE_ERRORS) as error:
            if isinstance(error, OSError) and error.filename is None and error.errno is not None:
                # of the zip
                raise
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.report.left_out.append(f"{name}: {self.places.in_text(' '.join(why.split())[:200])}")

    def _rewrite(self, name: str, job: JobRecord | None) -> _Rewrite | None:
        """How a text loses the paths of this machine; None for what holds none."""
        last = name.rpartition("/")[2]
        if job is not None and last in ("config.yaml", "result.json"):
            return lambda data: self._config(data) if last == "config.yaml" else self._result(data, job)
        if last in ("hydra.yaml", "multirun.yaml", "optimization_results.yaml"):
            return lambda data: to_yaml(self.places.in_all(parse_yaml(data.decode()))).encode()
        if last == "overrides.yaml":
            return self._overrides
        if last == "data.json":
            return self._data
        if job is not None and last == "calibration.json":
            return lambda data: _json(self._belonging(parse_json(data.decode()), job))
        if last.startswith("summary") and last.endswith(".csv"):
            return self._summary
        if last.endswith((".log", ".txt", ".tex", ".md")):
            return lambda data: self.places.in_text(data.decode(errors="replace")).encode()
        if last.endswith(".html") or last == "study.json":
            return lambda data: self.places.in_exact(data.decode(errors="replace")).encode()
        return None

    def _config(self, data: bytes) -> bytes:
        """The configuration, byte for byte where it names no place."""
        tree = parse_yaml(data.decode())
        found = self.places.in_value("", tree)
        return data if found == tree else to_yaml(found).encode()

    def _overrides(self, data: bytes) -> bytes:
        return to_yaml([self.places.in_override(str(line)) for line in parse_yaml(data.decode())]).encode()

    def _data(self, data: bytes) -> bytes:
        """What was learnt of a table, whose columns may be called anything."""
        tree = parse_json(data.decode())
        return _json({**tree, "path": self.places.in_value("path", tree["path"])} if "path" in tree else tree)

    def _result(self, data: bytes, job: JobRecord) -> bytes:
        """The result, which goes with the configuration as it is shared; not that of another one."""
        RunDir(job.path).result()
        tree = parse_json(data.decode())
        found = self.places.in_all({key: value for key, value in tree.items() if key != "overrides"})
        found["overrides"] = [self.places.in_override(str(line)) for line in tree.get("overrides") or []]
        found = self._belonging({key: found[key] for key in tree if key in found}, job)
        return data if found == tree else _json(found)

    def _belonging(self, record: dict[str, Any], job: JobRecord) -> dict[str, Any]:
        """A record of a run, with the digest of its configuration as that is shared."""
        with suppress(OSError, UnreadableError, *PARSE_ERRORS):
            stored = read_bytes(RunDir(job.path).config_file, instead=_INSTEAD)
            if record.get("configuration") == digest_of(stored):
                return {**record, "configuration": digest_of(self._config(stored))}
        return record

    def _summary(self, data: bytes) -> bytes:
        """The table of jobs, each with its directory inside of the sweep's."""
        rows = list(csv.reader(io.StringIO(data.decode(errors="replace"))))
        header = rows[0] if rows else []
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        for row in rows[1:]:
            cells = {key: self.places.in_text(cell) for key, cell in zip(header, row, strict=True)}
            writer.writerow(({**cells, "directory": cells["job"]} if "directory" in cells else cells).values())
        return text.getvalue().encode()

    def _copy(self, file: IO[bytes], target: IO[bytes], name: str) -> None:
        digest = hashlib.sha256()
        while piece := file.read(_PIECE):
            digest.update(piece)
            target.write(piece)
        self._sums[name] = digest.hexdigest()

    def _write(self, archive: zipfile.ZipFile, name: str, data: bytes, when: float) -> None:
        self._sums[name] = hashlib.sha256(data).hexdigest()
        archive.writestr(self._info(name, when), data)

    def _info(self, name: str, when: float) -> zipfile.ZipInfo:
        moment = time.localtime(max(when, 315_619_200))
        info = zipfile.ZipInfo(f"{self.report.name}/{name}", date_time=moment[:6])
        info.external_attr = (stat.S_IFREG | 0o644) << 16
        packed = name.endswith((".png", ".gif"))
        info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        return info


def _why_damaged(path: Path) -> str | None:
    """What is wrong with a checkpoint's file; None where nothing is."""
    if not path.is_file():
        return "there is none"
    try:
        refuse_damaged_zip(path)
    # whatever zipfile meets
    except Exception as error:
        return short(" ".join(str(error).split()) or type(error).__name__)
    return None


def _yaml(path: Path) -> Any:
    try:
        return parse_yaml(read_bytes(path, instead=_INSTEAD).decode())
    except (OSError, UnreadableError, *PARSE_ERRORS):
        return None


def _json(tree: Any) -> bytes:
    return json.dumps(tree, indent=2, ensure_ascii=False).encode()
