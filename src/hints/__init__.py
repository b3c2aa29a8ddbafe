"""What a run's own numbers say about what went wrong, and the command to try next.

`rules`: from facts to hints, pure functions without torch; a hint's form in ``result.json``.
`facts`: measures a trained network and its data. It asks the network itself, takes nothing from a generator, and leaves
weights, modes and hooks as they were.
The callback `src.callbacks.hints.Hints` remembers where a run began, and has both look at where it ended.
"""
