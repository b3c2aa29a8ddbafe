"""Sweeps of which no job could run: refused before the first of them."""

from omegaconf import DictConfig

from src.compat.hydra import BASIC_LAUNCHER
from src.compat.torchmetrics import without_scipy_signal
from src.config.compose import CONF_DIR
from src.config.errors import ConfigError
from src.config.origins import Origins
from src.config.schema import problems
from src.launch.ranks import be_alone, check_processes, wants_many
from src.run.directory import RunDir
from src.sweep.jobs import Job, as_its_run, compose_jobs
from src.sweep.values import expand, first_values, swept_keys


def refuse_hopeless(config: DictConfig) -> None:
    """Refuse a sweep in which a value is wrong for every job; one with a job that can run goes on.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.

    Raises:
        ConfigError: If no job of a grid passes the check of its configuration, or a value is wrong that a search does
            not search; lists all that is wrong with the first job.
    """
    jobs = expand(config)
    if jobs is None:
        # what is searched may be right in the next job
        searched = swept_keys(config)
        (job,) = compose_jobs(config, [first_values(config)])
        found = {key: text for key, text in _problems(job).items() if not _is_below(key, searched)}
        if found:
            raise ConfigError(_said(job, found))
        return
    first: str | None = None
    tries = _trains_here(config)
    for job in compose_jobs(config, jobs):
        found = _problems(job)
        mistake = _said(job, found) if found else _found_by_building(job) if tries else None
        if mistake is None:
            return
        first = first or mistake
    if first is not None:
        more = f"\nnone of the {len(jobs)} jobs can run; this is job 0" if len(jobs) > 1 else ""
        raise ConfigError(f"{first}{more}")


def _trains_here(config: DictConfig) -> bool:
    """Whether jobs train in this process, which loads torch in any case."""
    launcher = config.hydra.launcher
    is_stacked = str(launcher._target_).endswith(".VmapLauncher") and launcher.get("executor") == "local"
    return launcher._target_ == BASIC_LAUNCHER or is_stacked


def _found_by_building(job: Job) -> str | None:
    """What only shows once the parts of a job are made, such as a model that does not fit the data."""
    if RunDir(job.run_dir).result_file.is_file() or wants_many(job.cfg.trainer):
        return None
    check_processes(job.cfg, job.hydra_cfg.hydra)
    be_alone(job.cfg)
    with without_scipy_signal():
        from src.build import build  # and with it torch
    try:
        with as_its_run(job):
            build(job.cfg)
    except ConfigError as error:
        return str(error)
    # a part of one's own may raise anything, which is no mistake of the configuration: its job runs, and records it
    except Exception:
        return None
    return None


def _problems(job: Job) -> dict[str, str]:
    return problems(job.cfg, choices=job.hydra_cfg.hydra.runtime.choices, conf_dir=CONF_DIR)


def _said(job: Job, found: dict[str, str]) -> str:
    where = Origins(job.own_overrides, CONF_DIR, "train")
    return "\n".join(f"{key}{where.find(key)}: {text}" for key, text in found.items())


def _is_below(key: str, above: list[str]) -> bool:
    return any(key == each or key.startswith(f"{each}.") for each in above)
