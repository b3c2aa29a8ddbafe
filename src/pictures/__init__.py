"""The pictures of a run: what `src.plots` draws, with a task and its data put in.

`subject`: the network and its data, as the arrays and functions that a picture takes.
`catalogue`: every picture by name, with what it needs; one that does not fit is left out, or refused by name.
"""
