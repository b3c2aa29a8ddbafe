"""LightningDataModules over in-memory tensors.

`base`: what all share; `blobs`, `circles`, `line`: one source each; `spec`: what a data set tells of itself; `parts`:
what it is split into; `check`: whether the two fit; `split` and `ranges`: helpers of the sources.

What a data module makes is looked at once, before anything is trained: brought into the form that training needs where
that loses nothing, else refused with all that is wrong. Samples that two parts share are a warning.

A data module tells its `DataSpec`, kind of task, sizes and names, before any data are made. Its three parts share no
sample: train and test as the notebook publishes them, 80 and 20% (the line in order, so that its test part lies to
the right of training), and validation, which training watches, a draw of its own from the same distribution, or the
midpoints of the line's training grid. The test part is used once, at the end. Every draw and every order of batches
has a generator of its own, seeded by the configuration, and takes nothing from the global ones.
"""
