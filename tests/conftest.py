"""What all tests share."""

import os

# Tests run side by side, one per core: threads that wait for each other would take longer than the arithmetic. Set
# before torch is imported, and inherited by the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"
