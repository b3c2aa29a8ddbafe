"""A command outlives whoever reads what it says, as `head` does once it has seen enough: results are in files."""

import io
import os
import sys


def outlive_readers() -> None:
    """Let writes into a pipe that nobody reads any longer lead nowhere; what stands in their place is left alone."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is io.TextIOWrapper and not stream.isatty():
            setattr(sys, name, _Unheard.instead_of(stream))


class _Unheard(io.TextIOWrapper):
    """The same stream, which turns to the null device where its pipe is closed."""

    # the stream that owns the buffer, which ends with it
    _owner: io.TextIOWrapper

    @classmethod
    def instead_of(cls, stream: io.TextIOWrapper) -> "_Unheard":
        """A stream on the same buffer."""
        found = cls(
            stream.buffer,
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        found._owner = stream
        return found

    def write(self, text: str, /) -> int:
        """Write, or let it go."""
        try:
            return super().write(text)
        except BrokenPipeError:
            self._turn_away()
            return len(text)

    def flush(self) -> None:
        """Flush, or let it go."""
        try:
            super().flush()
        except BrokenPipeError:
            self._turn_away()

    def _turn_away(self) -> None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fileno())
        os.close(null)
