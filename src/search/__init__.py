"""Searches: Optuna chooses the values of the next jobs by what the earlier ones have measured.

- `SearchOptions` is ``hydra.sweeper``, checked; `Space` is what is searched, as sweeps of Hydra's grammar.
- A `SearchStudy` is Optuna's study as one sweep directory sees it. A trial is a job of the search; its owner is the
  sweep directory that has started it.
- `search` asks for trials, launches their jobs and tells the study what these have left in their run directories.
- `findings` is what is printed and written at the end, `pictures` the page of Optuna's charts.

Kept here: the same command goes on where it was stopped, killed or finished, and draws the values that it would have
drawn (`sampler`). A trial has one owner from the moment it exists, so that several sweep directories, on several
machines, work on one study and none trains the trial of another. Settings that a study was started with stay.
"""
