"""The jobs of a multirun, before the first of them runs and after the last.

`jobs`: which jobs a command line means, composed without running any. `conflicts`: jobs that would write to one
directory, or into another run's. `mistakes`: sweeps of which no job could run. `guard`: what every sweep of ours runs
inside: it refuses, locks the directory, and shows at the end what the jobs have come to. `before_run`: what happens
before Hydra makes a directory, `after_job`: what is forgotten once a job is over. `dry_run`: all jobs composed and
checked, none trained. `pictures`: those that the report shows of stacked jobs.

Contract: a sweep ends with a table of what failed and status 1 if a job has not come to a good end; the same command
with the same ``hydra.sweep.dir`` goes on.
"""
