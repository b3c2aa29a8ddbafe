"""What is refused before any training, beyond what the schema of `src.config` can see.

`parts`: model, task, loss, metric and data fit together; a message names both options and what would fit.
`forward`: a network and its loss, tried on a few samples: shapes of outputs, and that neither changes its input.
`device`: the machine has what the configuration asks for, and which device that is.
"""
