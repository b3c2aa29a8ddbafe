"""Say what a sweep has found: ``python -m src.report sweep=DIR`` or ``sweep=[DIR1,DIR2]``, also for a paper."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":  # in the place of the current folder, which may be that of a stranger
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C while modules are imported, and once all is said, wants no traceback of either
        signal.signal(signal.SIGINT, signal.SIG_DFL)

from omegaconf import DictConfig, ListConfig, OmegaConf

from src.analysis.data_sets.across import across_data
from src.analysis.finish import publish
from src.analysis.options import Options
from src.analysis.paper.pictures import label, shown
from src.analysis.paper.write import ENDINGS, write_json, write_paper
from src.analysis.records import is_run, read_jobs
from src.analysis.scale import Scale
from src.analysis.summary import Summary
from src.config.command.entry import entry
from src.config.errors import ConfigError, suggest

_JSON = "json"


def report(cfg: DictConfig) -> Summary:
    """Read run directories, print the answer, write a summary.csv into each directory and report.html into the first.

    With ``format`` a table for a paper is written instead, with pictures and a text on methods; or the answer as JSON.

    Args:
        cfg: Holds ``sweep``, a directory or a list of them, ``metric``, ``format``, ``output`` and ``report``.

    Raises:
        ConfigError: If a directory is missing or holds no jobs, or no job has the metric.
    """
    form, output = _form(cfg)
    options = _options(cfg)
    given = list(cfg.sweep) if isinstance(cfg.sweep, ListConfig) else [cfg.sweep]
    sweep_dirs = list({path.resolve(): path for path in map(_checked, given)}.values())
    if not sweep_dirs:
        raise ConfigError("sweep=[] names no directory; give one, such as sweep=outputs/sweeps/<start>_<id>")
    jobs = read_jobs(sweep_dirs)
    folders = [folder.resolve() for folder in {job.path.parent for job in jobs}]
    above = {parent for folder in folders for parent in (folder, *folder.parents)}
    for sweep_dir in sweep_dirs:
        if sweep_dir.resolve() not in above:
            raise ConfigError(_no_jobs(sweep_dir))
    options = options.with_margin_of(jobs)
    if form == _JSON:
        return write_json(sweep_dirs, jobs, metric=cfg.metric, output=output, options=options)
    if form is not None:
        return write_paper(sweep_dirs, jobs, metric=cfg.metric, form=form, output=output, draw=_draw, options=options)
    return publish(sweep_dirs, jobs, metric=cfg.metric, options=options)


def _options(cfg: DictConfig) -> Options:
    own = cfg.get("report", {})
    given = OmegaConf.to_container(own, resolve=True) if isinstance(own, DictConfig) else own
    if not isinstance(given, dict):
        raise ConfigError(f"report={own}: allowed: its keys estimate, failed and margin")
    return Options.of({str(key): value for key, value in given.items()})


def _form(cfg: DictConfig) -> tuple[str | None, str | None]:
    form, output = cfg.get("format"), cfg.get("output")
    forms = [*ENDINGS, _JSON]
    if form is not None and form not in forms:
        hint = suggest(str(form), forms)
        raise ConfigError(
            f"format={form}: {hint}{'' if hint.startswith('allowed') else ' Allowed: ' + ', '.join(forms)}"
        )
    if output is not None and form is None:
        raise ConfigError(
            f"output={output}: it is where what format=latex, csv, markdown or json makes goes; give one of them"
        )
    if output is not None and (not isinstance(output, str) or output == "" or Path(output).expanduser().is_dir()):
        raise ConfigError(f"output={output}: allowed: a file, such as output=table.tex, or - for the terminal")
    return form, output


def _draw(summary: Summary, file: Callable[[str], Path]) -> list[Path]:
    """Draw the metric by group, learning curves where there are some, and of several data sets the ranks of groups."""
    from src.plots.paper import GroupCurve, GroupValues, group_curves_figure, groups_figure, save_vector

    what = shown(summary)
    written = [file("groups")]
    values = [GroupValues(**each) for each in what.groups]
    save_vector(groups_figure(values, metric=what.scale.words, is_share=what.scale.is_share), written[0])
    if what.curves:
        curves = {
            name: [
                GroupCurve(label(each), each.color, band.epochs, band.mean, band.low, band.high) for each, band in bands
            ]
            for name, bands in what.curves.items()
        }
        written.append(file("curves"))
        save_vector(group_curves_figure(curves, shares=what.shares), written[1])
    if (ranked := across_data(summary, summary.metrics[0])) is not None:
        from src.plots.ranks import ranks_figure

        written.append(file("ranks"))
        found, words = ranked.ranking, Scale.of(ranked.metric).words
        figure = ranks_figure(ranked.labels, found.average, found.alike, critical=found.critical, metric=words)
        save_vector(figure, written[-1])
    return written


def _checked(given: object) -> Path:
    if not isinstance(given, str | int) or given == "":
        raise ConfigError(f"sweep={given}: not a directory; give one, or a list of them as sweep=[DIR1,DIR2]")
    path = Path(str(given)).expanduser()
    if not path.is_dir():
        what = "a file" if path.exists() else "no such directory"
        raise ConfigError(f"sweep={given}: {what}; give the directory of a sweep, such as outputs/sweeps/<start>_<id>")
    return path


def _no_jobs(path: Path) -> str:
    if not is_run(path):
        return f"sweep={path} holds no jobs: there is no run directory below it, with .hydra/config.yaml or result.json"
    above = path.resolve().parent
    beside = f"; its sweep is sweep={above}" if (above / "multirun.yaml").is_file() else ""
    return f"sweep={path} is the directory of a single run: python -m src.eval run={path} measures it again{beside}"


@entry("report")
def main(cfg: DictConfig) -> None:
    """Command line; ends with status 0 whatever the jobs' own."""
    report(cfg)


if __name__ == "__main__":
    main()
