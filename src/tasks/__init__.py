"""LightningModules that wrap a network with its loss and its metrics.

Contract of a task (`base`): the network is a plain module on one batch, the loss a pure function of (outputs, targets),
and the score is given per sample; so the same loop (`training`) trains one network or many that are stacked
(`src.vmap`). A task knows how outputs become probabilities and labels: sigmoid and one half (`binary`), softmax and
argmax (`multiclass`), the outputs themselves (`regression`). Metrics are named ``split/name``: ``val/accuracy``.

What a checkpoint holds, and its file, is in `checkpoint`; which epochs are measured and logged, in `schedule`; metrics
that torchmetrics has not, or computes otherwise, in `metrics`.
"""
