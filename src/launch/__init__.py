"""Jobs of a sweep in other processes: of this machine, of a Slurm cluster or of a Ray cluster.

- A `JobSpec` is the number and the command line of a job, a `Sweep` what all jobs share. ``sweep.run(spec)`` runs one
  in another process.
- A launcher starts jobs and returns Hydra's `JobReturn` of each, in order: `joblib_workers`, `ray_tasks`, and by
  submitit, which carries a `Submission`, `local` and `slurm`.
- A slot is a share of this machine's cores and GPUs: one job at a time runs in it.
- `ranks` is about runs that several processes train.

Kept here: a job that dies (`JobDiedError`) takes no other with it. What a sweep has started ends with it, also when it
is killed (`parent_death`). No job starts in a directory in which one of an earlier call still trains. Nothing here
loads torch: threads and GPUs of a job are set before it does.
"""
