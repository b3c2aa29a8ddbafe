"""Writes the table, the sentences of methods and the pictures of a sweep into files that belong together; or JSON."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.text import Text

from src.analysis.as_json import as_json
from src.analysis.file_names import with_metric
from src.analysis.options import DEFAULTS, Options
from src.analysis.paper.letters import in_latex
from src.analysis.paper.methods import methods
from src.analysis.paper.table import as_csv, latex, markdown, table_of
from src.analysis.records import JobRecord
from src.analysis.summary import Summary, other_metric, summarise
from src.config.errors import ConfigError
from src.console.terminal import open_terminal
from src.run.files import write_atomically

ENDINGS = {"latex": "tex", "csv": "csv", "markdown": "md"}
_PICTURES = {"latex": "pdf", "csv": "svg", "markdown": "svg"}

# Draws the pictures of a summary into files; gives those that it has written.
Draw = Callable[[Summary, Callable[[str], Path]], list[Path]]


def write_paper(
    sweep_dirs: Sequence[Path],
    jobs: Sequence[JobRecord],
    *,
    metric: str | None,
    form: str,
    output: str | None,
    draw: Draw,
    options: Options = DEFAULTS,
) -> Summary:
    """Write what a paper needs, and say where.

    ``table.tex``, ``methods.txt`` (for LaTeX also ``methods.tex``) and the pictures go into the first sweep's
    directory; or the table into ``output``, and the others beside it, with its name before theirs. ``-`` prints the
    table and writes nothing.

    Args:
        sweep_dirs: What was read.
        jobs: What was found there.
        metric: As in `src.analysis.summary.summarise`.
        form: A key of `ENDINGS`.
        output: Where the table goes; None for the directory of the first sweep.
        draw: Draws the pictures: the summary, and a function that gives the file of each by its name.
        options: As in `src.analysis.summary.summarise`.

    Raises:
        ConfigError: If no job has completed with a number, or a file cannot be written.
    """
    metric = other_metric(jobs, sweep_dirs, metric)
    summary = summarise(jobs, sweep_dirs, metric=metric, options=options)
    if not any(ranked.estimates for ranked in summary.groups):
        raise ConfigError(f"format={form}: no job has completed with a number, so that there is no table yet")
    sentences = methods(summary)
    text = _table(summary, form, sentences, label=with_metric(f"{sweep_dirs[0].resolve().name}.", metric).rstrip("."))
    if output == "-":
        sys.stdout.write(text)
        return summary
    path = sweep_dirs[0] / with_metric(f"table.{ENDINGS[form]}", metric) if output is None else Path(output)

    def beside(name: str) -> Path:
        return path.with_name(with_metric(name, metric) if output is None else f"{path.stem}.{name}")

    try:
        write_atomically(path.expanduser(), text.encode("utf-8", errors="replace"))
        texts = {"methods.txt": sentences, **({"methods.tex": in_latex(sentences)} if form == "latex" else {})}
        for name, content in texts.items():
            write_atomically(beside(name), content.encode("utf-8", errors="replace"))
        pictures = draw(summary, lambda name: beside(f"{name}.{_PICTURES[form]}"))
    except OSError as error:
        raise ConfigError(f"{error.filename or path} cannot be written: {error.strerror or error}") from error
    console = open_terminal()
    written = [("table", path), *(("methods", beside(name)) for name in texts)]
    for what, file in [*written, *(("picture", each) for each in pictures)]:
        console.print(Text(f"{what}: {file}"), soft_wrap=True)
    return summary


def write_json(
    sweep_dirs: Sequence[Path],
    jobs: Sequence[JobRecord],
    *,
    metric: str | None,
    output: str | None,
    options: Options = DEFAULTS,
) -> Summary:
    """Write the whole answer as JSON to standard output and nothing else there, or into a file.

    Args:
        sweep_dirs: What was read.
        jobs: What was found there.
        metric: As in `src.analysis.summary.summarise`.
        output: The file; None or ``-`` for standard output.
        options: As in `src.analysis.summary.summarise`.

    Raises:
        ConfigError: If the file cannot be written.
    """
    summary = summarise(jobs, sweep_dirs, metric=other_metric(jobs, sweep_dirs, metric), options=options)
    text = as_json(summary)
    if output in (None, "-"):
        sys.stdout.write(text)
        return summary
    path = Path(str(output)).expanduser()
    try:
        write_atomically(path, text.encode("utf-8", errors="replace"))
    except OSError as error:
        raise ConfigError(f"{error.filename or path} cannot be written: {error.strerror or error}") from error
    open_terminal().print(Text(f"answer: {path}"), soft_wrap=True)
    return summary


def _table(summary: Summary, form: str, sentences: str, *, label: str) -> str:
    if form == "csv":
        return as_csv(summary)
    table = table_of(summary)
    return latex(table, methods=sentences, label=label) if form == "latex" else markdown(table, methods=sentences)
