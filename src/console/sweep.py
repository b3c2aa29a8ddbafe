"""What a sweep shows while its stacked models train."""

import logging
from time import monotonic
from types import TracebackType

from src.console.bars import Bars
from src.console.place import in_words
from src.console.terminal import open_terminal

log = logging.getLogger(__name__)


class NoProgress:
    """Shows nothing."""

    def epochs_done(self, n: int) -> None:
        """So many models have been trained for an epoch, or one model for so many."""

    def models_recorded(self, n: int) -> None:
        """So many models have their files."""


class StackBar(NoProgress):
    """Two bars, for epochs and for files, over all stacks; without a terminal a line per stack, and now and then.

    Args:
        stacks: Numbers of models and of epochs of each.
    """

    # Seconds from one line to the next.
    LINE_EVERY_S = 5.0

    def __init__(self, stacks: list[tuple[int, int]]) -> None:
        self._stacks, self._stack = stacks, 0
        self._bar: Bars | None = None
        self._started = self._said = monotonic()
        self._n_epochs = self._n_models = 0

    def __enter__(self) -> "StackBar":
        console = open_terminal()
        # a log file wants no bar
        if console.is_terminal and self._stacks:
            self._bar = Bars(console)
            self._epochs = self._bar.add("epochs", total=sum(m * e for m, e in self._stacks))
            self._files = self._bar.add("recorded", total=sum(m for m, _ in self._stacks))
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self) -> None:
        """The next stack."""
        self._stack += 1
        self._started = self._said = monotonic()
        self._n_epochs = self._n_models = 0
        if self._bar is not None:
            self._bar.update(self._epochs, description=f"stack {self._stack} of {len(self._stacks)}, epochs")

    def end(self) -> None:
        """Say how fast a stack was."""
        n_models, _ = self._stacks[self._stack - 1]
        seconds = monotonic() - self._started
        log.info("%d models in %.1f s, %.3g a second", n_models, seconds, n_models / max(seconds, 1e-9))

    def epochs_done(self, n: int) -> None:
        """Move the bar of epochs."""
        self._n_epochs += n
        self._say()
        if self._bar is not None:
            self._bar.update(self._epochs, advance=n)

    def models_recorded(self, n: int) -> None:
        """Move the bar of files."""
        self._n_models += n
        self._say()
        if self._bar is not None:
            self._bar.update(self._files, advance=n)

    def _say(self) -> None:
        """How far a stack is, where there is no bar that shows it."""
        now = monotonic()
        if self._bar is not None or not 0 < self._stack <= len(self._stacks) or now - self._said < self.LINE_EVERY_S:
            return
        self._said = now
        n_models, n_epochs = self._stacks[self._stack - 1]
        trained = self._n_epochs / max(1, n_models * n_epochs)
        log.info(
            "stack %d of %d: %.0f%% trained, %d of %d models recorded, after %s",
            *(self._stack, len(self._stacks), 100 * trained, self._n_models, n_models),
            in_words(now - self._started),
        )
