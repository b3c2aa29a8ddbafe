"""Folders of runs and sweeps that have never run."""

from pathlib import Path

from tests.analysis.jobs import make_job

CHOICES = "hydra:\n  runtime:\n    cwd: /somewhere\n    choices:\n      debug: null\n      data: {data}\n    other: 1\n"


def make_run(path: Path, *overrides: str, data: str = "circles", **found: object) -> Path:
    """A run as `make_job` makes it, with its choices."""
    make_job(path, *overrides, **found)  # type: ignore[arg-type]  # passed on as they are
    (path / ".hydra" / "hydra.yaml").write_text(CHOICES.format(data=data))
    return path


def make_outputs(under: Path) -> Path:
    """Three single runs and a sweep of three jobs."""
    make_run(under / "runs" / "a", "seed=1", metrics={"val/loss": 0.5, "val/accuracy": 0.8})
    make_run(under / "runs" / "b", "seed=2", data="blobs", metrics={"val/loss": 0.3, "val/accuracy": 0.95})
    make_run(under / "runs" / "c", "optimizer.lr=9.0", error=ValueError("no"))
    sweep = under / "sweeps" / "s"
    make_run(sweep / "0", "seed=0", metrics={"val/loss": 0.4, "val/accuracy": 0.9})
    make_run(sweep / "1", "seed=1", metrics={"val/loss": 0.2, "val/accuracy": 0.7})
    make_run(sweep / "2", "seed=2")
    (sweep / "multirun.yaml").write_text("hydra: {}\n")
    return under
