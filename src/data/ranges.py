"""Checks of the numbers that describe data."""


def check_range(
    key: str,
    value: float,
    *,
    low: float,
    high: float = float("inf"),
    open_low: bool = False,
    open_high: bool = False,
    whole: bool = False,
    or_null: bool = False,
) -> None:
    """Refuse a number outside its range.

    Args:
        key: Configuration key, for the message.
        value: What was given.
        low: Smallest allowed number.
        high: Largest allowed number.
        open_low: Whether ``low`` itself is refused as well.
        open_high: Whether ``high`` itself is refused as well.
        whole: Whether only whole numbers are allowed.
        or_null: Whether the message says that the key may be left open as well.

    Raises:
        ValueError: If ``value`` is outside.
    """
    is_number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if is_number and (low < value if open_low else low <= value) and (value < high if open_high else value <= high):
        return
    allowed = f"{'greater than' if open_low else 'at least'} {low:g}"
    if high < float("inf") and open_low == open_high:
        allowed = f"between {low:g} and {high:.10g}{', exclusive' if open_low else ''}"
    elif high < float("inf"):
        allowed += f" and {'below' if open_high else 'at most'} {high:.10g}"
    kind = f"{'null or ' * or_null}{'a whole number of ' * (whole and not is_number)}"
    raise ValueError(f"{key} must be {kind}{allowed}, got {value!r}")


def check_seed(key: str, value: int) -> None:
    """Refuse what cannot seed a generator.

    Raises:
        ValueError: If ``value`` is no whole number from 0 to 2**32 - 1.
    """
    check_range(key, value, low=0, high=2**32 - 1, whole=True)
