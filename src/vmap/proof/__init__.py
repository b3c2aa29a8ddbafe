"""The proof that a stack computes what its single runs compute.

`prove` chooses jobs, trains them both ways and compares; `attributes` reads what modules keep in Python; `elementwise`
tries an optimiser by itself.
"""
