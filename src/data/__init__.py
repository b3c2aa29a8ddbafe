"""LightningDataModules over in-memory tensors.

`base`: what all share; `blobs`, `circles`, `line`: one source each; `spec`: what a data set tells of itself; `split`
and `ranges`: helpers of the sources.

A data module tells its `DataSpec`, kind of task, sizes and names, before any data are made. Its three parts share no
sample: train and test as the notebook publishes them, 80 and 20 % (the line in order, so that its test part lies to
the right of training), and validation, which training watches, a draw of its own from the same distribution, or the
midpoints of the line's training grid. The test part is used once, at the end. Every draw and every order of batches
has a generator of its own, seeded by the configuration, and takes nothing from the global ones.
"""
