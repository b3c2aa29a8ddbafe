"""The proof that a stack computes what its single runs compute.

`prove` tells why jobs cannot be stacked, if so. `members` chooses which are tried, `trial` trains them both ways,
`compare` finds what differs, `words` says what an exception means. `attributes` reads what modules keep in Python, and
`elementwise` tries an optimiser by itself.
"""
