"""An end that is cut short leaves out nothing but taking objects apart."""

import sys

from tests.waiting import completed

SCRIPT = """
import atexit, sys
from src.compat.python import leave

class Slow:
    def __del__(self):
        print("taken apart", flush=True)

kept = Slow()
atexit.register(print, "registered")
sys.stdout.write("said before, ")
sys.stderr.write("and here")
leave(143)
"""


def test_what_is_registered_is_called_and_what_was_said_is_written() -> None:
    done = completed(sys.executable, "-c", SCRIPT)
    assert (done.returncode, done.stdout, done.stderr) == (143, "said before, registered\n", "and here")
