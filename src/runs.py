"""List, find and delete runs and sweeps: ``python -m src.runs data=circles 'val/accuracy>0.9' since=3d``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # in the place of the current folder, which may be that of a stranger
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C while modules are imported, and once all is said, wants no traceback of either
        signal.signal(signal.SIGINT, signal.SIG_DFL)

from collections.abc import Callable, Sequence
from datetime import datetime

from src.config.command.readers import outlive_readers
from src.config.errors import ConfigError
from src.console.terminal import open_terminal
from src.find.cleaning import delete, in_words, plan
from src.find.index import Catalogue, Found, find_all
from src.find.listing import as_json, best_as_json, print_best, print_rows
from src.find.query import best_by_metric, select, unseen
from src.find.rows import rows_of
from src.find.words import Words, read_words

HELP = """\
python -m src.runs [best | clean] [CONDITION ...] [SETTING ...] [--json]

List runs and sweeps, the newest first; a sweep is one line.
  best              the best run by each metric
  clean             delete what the conditions name, after asking

Conditions; all must hold, and those with > or < stand in quotes, since the shell has a use for them:
  data=circles              option of a group; data=circles,blobs: one of them
  optimizer.lr=0.1          value of a run's configuration
  'val/accuracy>0.9'        metric
  status=failed             completed, failed, pruned, unfinished, unreadable
  seed=3  duration_s  n_parameters  directory
Operators: = != > >= < <=

Settings:
  under=outputs     the folder that is searched
  since=yesterday   until=2026-11-20: begun then; today, yesterday, 3d, 12h, 2w, a day, a time
  sort=-val/loss    sort by any key of a condition, or by begun; with - from high to low
  jobs=true         a line for each job of a sweep
  limit=50          most lines; null for all
  yes=true          clean without asking
  foreign=true      clean also what no run has written into its directory

--json prints a list for programs.
"""


def runs(words: Words, *, ask: Callable[[str], str] = input) -> None:
    """List, show the best, or delete.

    Args:
        words: What is asked.
        ask: Shows a question and gives the answer.

    Raises:
        ConfigError: If the folder is missing, a key is unknown, or all would be deleted.
    """
    if words.command == "clean" and not words.has_filter:
        raise ConfigError(
            "clean: give a filter, such as status=failed or until=2026-01-31; without one it deletes nothing"
        )
    if not words.under.is_dir():
        what = "a file" if words.under.exists() else "no such directory"
        raise ConfigError(f"under={words.under}: {what}; give a folder of runs and sweeps, such as outputs")
    catalogue = find_all(words.under)
    selected = select(catalogue.runs, words)
    console = open_terminal()
    if not selected and (hint := unseen(catalogue.runs, words)) is not None:
        raise ConfigError(hint)
    if words.command == "clean":
        _clean(catalogue, selected, words, ask)
    elif words.command == "best":
        best = best_by_metric(selected)
        if words.as_json:
            sys.stdout.write(f"{best_as_json(best)}\n")
        else:
            print_best(best, console)
    else:
        rows = rows_of(catalogue, selected, words)
        if words.as_json:
            sys.stdout.write(f"{as_json(rows)}\n")
        elif rows:
            print_rows(rows, words, console)
        else:
            fits = " fits these words; under=DIR looks in another folder" if words.has_filter else ""
            sys.stdout.write(f"no run below {words.under}{fits}\n")


def _clean(catalogue: Catalogue, selected: Sequence[Found], words: Words, ask: Callable[[str], str]) -> None:
    doomed, kept = plan(catalogue, selected, foreign=words.foreign)
    _say(kept)
    if not doomed:
        _say([f"nothing to delete below {words.under}"])
        return
    size = in_words(sum(each.n_bytes for each in doomed))
    for each in doomed:
        jobs = f" (sweep of {len(each.jobs)})" if each.jobs else ""
        _say([f"{each.name}{jobs}  {in_words(each.n_bytes)}"])
    n = f"{len(doomed)} {'directory' if len(doomed) == 1 else 'directories'}"
    if not words.yes and not _agreed(f"Delete {n} for good, {size}? yes or no: ", ask):
        _say(["nothing is deleted"])
        return
    freed = delete(catalogue, doomed, say=lambda line: _say([line]))
    # without what is gone
    find_all(words.under)
    _say([f"{in_words(freed)} are free"])


def _agreed(question: str, ask: Callable[[str], str]) -> bool:
    try:
        answer = ask(question).strip().lower()
    except EOFError:
        raise ConfigError("clean: nobody is there to answer; yes=true deletes without asking") from None
    return answer in ("yes", "y")


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    given = sys.argv[1:] if argv is None else argv
    if {"--help", "-h"} & set(given):
        sys.stdout.write(HELP)
        return
    outlive_readers()
    try:
        runs(read_words(given, now=datetime.now().astimezone()))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
