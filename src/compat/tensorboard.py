"""A private part of PyTorch's writer for TensorBoard.

Its public methods pack pictures, graphs and scalars once more, one record each. What takes ready records is the
`FileWriter` below it. An open one is the public ``writer.file_writer``; but Lightning closes it at the end of a
fit, and what comes later, such as measurements on the test part, has to open it again.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.utils.tensorboard import FileWriter, SummaryWriter


def file_writer(writer: "SummaryWriter") -> "FileWriter":
    """What writes ready records, opened again where it was closed."""
    found: FileWriter = writer._get_file_writer()  # type: ignore[no-untyped-call]  # PyTorch has no types there
    return found
