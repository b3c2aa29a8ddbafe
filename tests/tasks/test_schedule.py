"""Epochs in blocks: each once, every block up to a logged one."""

import pytest

from src.tasks.schedule import DEFAULT_ROWS, Schedule

CASES = [
    (max_epochs, log_every, eval_every)
    for max_epochs in (1, 2, 7, 50, 100, 250, 1000)
    for log_every, eval_every in ((None, None), (1, None), (10, None), (10, 5), (None, 7), (12, 3), (9999, None))
]


def blocks(schedule: Schedule, *, until: int, start: int = 0) -> list[range]:
    """Blocks from ``start`` on, as a trainer asks for them."""
    found: list[range] = []
    epoch = start
    while epoch < until:
        found.append(schedule.block(epoch))
        epoch = found[-1].stop
    return found


@pytest.mark.parametrize(("max_epochs", "log_every", "eval_every"), CASES)
def test_blocks_hold_every_epoch_once_and_end_where_a_row_is_logged(
    max_epochs: int, log_every: int | None, eval_every: int | None
) -> None:
    schedule = Schedule.of(max_epochs=max_epochs, log_every=log_every, eval_every=eval_every)
    found = blocks(schedule, until=max_epochs)
    assert [epoch for block in found for epoch in block] == list(range(max_epochs))
    logged = [epoch for epoch in range(max_epochs) if schedule.is_logged(epoch)]
    assert [block[-1] for block in found] == logged
    assert logged[0] == 0
    assert logged[-1] == max_epochs - 1
    assert all(schedule.is_measured(epoch) for epoch in logged)
    measured = {epoch for epoch in range(max_epochs) if schedule.is_measured(epoch)}
    assert measured == {*range(0, max_epochs, schedule.eval_every), max_epochs - 1}


@pytest.mark.parametrize("start", range(25))
def test_a_run_that_goes_on_anywhere_logs_the_same_epochs(start: int) -> None:
    schedule = Schedule.of(max_epochs=25, log_every=10, eval_every=None)
    found = blocks(schedule, until=25, start=start)
    assert [epoch for block in found for epoch in block] == list(range(start, 25))
    assert [block[-1] for block in found] == [epoch for epoch in (0, 10, 20, 24) if epoch >= start]


@pytest.mark.parametrize("max_epochs", [1, 99, 100, 101, 1000, 12345])
def test_about_a_hundred_rows_by_default(max_epochs: int) -> None:
    schedule = Schedule.of(max_epochs=max_epochs, log_every=None, eval_every=None)
    n_rows = sum(schedule.is_logged(epoch) for epoch in range(max_epochs))
    assert min(max_epochs, DEFAULT_ROWS) <= n_rows <= 2 * DEFAULT_ROWS
    assert schedule.eval_every == schedule.log_every


def test_the_default_rows_fall_on_measured_epochs() -> None:
    schedule = Schedule.of(max_epochs=1000, log_every=None, eval_every=4)
    assert (schedule.log_every, schedule.eval_every) == (8, 4)
    assert Schedule.of(max_epochs=1000, log_every=None, eval_every=30).log_every == 30


@pytest.mark.parametrize(("eval_every", "log_every"), [(None, 1), (5, 5)])
def test_without_an_end_there_is_a_row_for_every_measurement(eval_every: int | None, log_every: int) -> None:
    schedule = Schedule.of(max_epochs=None, log_every=None, eval_every=eval_every)
    assert schedule.log_every == log_every
    assert schedule.block(1)[-1] == log_every
    assert not schedule.is_logged(3 * log_every + 1) or log_every == 1


@pytest.mark.parametrize("value", [0, -1])
def test_numbers_below_one_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match=rf"task\.log_every_n_epochs must be null or at least 1, got {value}"):
        Schedule.of(max_epochs=10, log_every=value, eval_every=None)
    with pytest.raises(ValueError, match=rf"task\.eval_every_n_epochs must be null or at least 1, got {value}"):
        Schedule.of(max_epochs=10, log_every=None, eval_every=value)


def test_rows_between_two_measurements_are_refused() -> None:
    with pytest.raises(ValueError, match=r"task\.eval_every_n_epochs=3 must divide task\.log_every_n_epochs=10"):
        Schedule.of(max_epochs=10, log_every=10, eval_every=3)
