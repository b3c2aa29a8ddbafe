"""The writer of ready records below PyTorch's for TensorBoard."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

from tests.compat.parts import part_of


def test_a_ready_record_is_written_also_after_the_writer_was_closed(tmp_path: Path) -> None:
    with part_of("torch", "tensorboard"):
        from src.compat.tensorboard import file_writer

        writer = SummaryWriter(str(tmp_path))
        for step in (1, 2):
            record = Summary(value=[Summary.Value(tag="a", simple_value=step / 2)])
            file_writer(writer).add_summary(record, step)
            writer.close()
    values: list[tuple[int, float]] = []
    for file in sorted(tmp_path.iterdir()):
        read = EventAccumulator(str(file)).Reload()
        values += [(each.step, each.value) for each in read.Scalars("a")]
    assert sorted(values) == [(1, 0.5), (2, 1.0)]
