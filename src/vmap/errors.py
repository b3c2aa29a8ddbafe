"""The one error of this package. No torch here."""


class NotStackedError(Exception):
    """A job that cannot be stacked with others; says why."""
