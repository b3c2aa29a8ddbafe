"""One run's directory: each file has one module that writes and reads it. No torch.

::

    <run>/
      .hydra/        config.yaml, overrides.yaml, hydra.yaml: what was asked, and begun.txt: when (`directory`)
      train.log      what was said (`log`)
      metrics.csv    a row per measured epoch (`metrics`)
      checkpoints/   best.ckpt, last.ckpt: weights and optimiser (`src.tasks.checkpoint`); while training goes on also
                     last.previous.ckpt, the one before last.ckpt
      tensorboard/   event files
      plots/         PNG, and frames/ of a run that was asked for them
      trial.json     the trial of a search that the run belongs to (`trial`)
      calibration.json  a temperature that was fitted afterwards (`src.tasks.temperature`)
      code.patch     how the code differed from its commit; jobs of a sweep have that of the sweep (`patch`)
      .extending/    a longer run that goes on from this one, until it is whole: a run directory of its own
      result.json    how it ended, written last (`result`): a run without it has not ended

Contracts:

- *Claim.* A directory belongs to one configuration. Asked for the same again, a run that has completed, or that its
  search has pruned, returns the stored value; one with a last.ckpt and no result goes on from it; one that failed
  starts afresh. A run of another configuration is refused, with the keys that differ (`src.config.keys` knows which
  ones count). So any sweep goes on by repeating its command.
- *Extension.* Asked for a completed run but longer, with ``resume=extend``, the longer one is made aside and then put
  into its place: the result last, so that a kill leaves the one or the other.
- *Failure.* A run that raises leaves ``failed`` with type, message and traceback, whichever of its processes it was; an
  interrupted one leaves no result. A single run raises, a job of a sweep lets the others go on.
- *Whole files.* A file is written aside, flushed to the disk and renamed: a reader sees the old content or the new
  (`files`). metrics.csv alone grows by lines, and a line that is cut off does not count. What a kill leaves of a file
  that was not whole goes with the next command. Checksums of a checkpoint are verified before it is used; a damaged one
  is set aside by a run that goes on, which takes the one before.
- *One writer.* A directory is locked while a command writes there (`lock`).
- *Trust.* Reading results, tables and checkpoints runs nothing that they hold, takes a moment at most, and an error
  names the file (`reading`); of a search, only Optuna's own pruners are made (`trial`). Where a run is rebuilt,
  config.yaml names classes of known or trusted packages, and those are of the right kind, or nothing is imported
  (`src.config.stored`, `src.checks.targets`).
"""
