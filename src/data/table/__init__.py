"""Tables: a file of columns becomes parts of numbers, and what was learnt of it stays with the run."""
