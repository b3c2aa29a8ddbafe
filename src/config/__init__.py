"""What a run is asked to do: composed, checked, explained. No torch.

From the command line to a configuration: `entry` makes a function a command, `compose` composes, `schema` checks by
what `signature` reads from source files and by what `values` knows of each key, `explain` says what to mend and
`origins` where it stands. `allowed` is how a class declares the range of an argument, and what that is in words.
`keys` knows which keys count, and for what; `metrics` which end of a metric is the better one; `resolvers` are the
functions that a configuration may call. `stored` knows what a stored configuration may name, which somebody else may
have written.

Contracts:

- YAML owns the values that an experiment changes, and Python gives those no defaults; Python owns the mathematics.
- A class takes plain arguments, never ``cfg``: `_target_` is the full dotted path of the module that defines it,
  `_partial_` is for optimisers and schedulers.
- A mistake is one message and exit status 1: what was given, what is allowed, the file and line or the override where
  it stands, and the nearest word that is valid. What YAML and source files tell is found before torch is imported and
  before a directory is made.
- Importing a module changes nothing: a command registers its resolvers when it starts.
"""
