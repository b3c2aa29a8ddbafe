"""Sweeps whose jobs do next to nothing, in no time, and a Slurm made of shell scripts."""

import os
import signal
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from src.launch.job import JobSpec


def jobs(*deeds: str) -> list[JobSpec]:
    """Jobs that do what their only override says."""
    return [JobSpec(number, (deed,)) for number, deed in enumerate(deeds)]


@dataclass
class FakeSweep:
    """Stands for `src.launch.job.Sweep`."""

    config: DictConfig = field(default_factory=lambda: OmegaConf.create({"hydra": {"job": {"name": "fake"}}}))

    def run(self, job: JobSpec, *, job_id: str) -> JobReturn:
        value: Any = {"job_id": job_id, "pid": os.getpid(), "env": dict(os.environ)}
        deed, _, about = job.overrides[0].partition("=")
        if deed == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if deed == "raise":
            raise ArithmeticError(about)
        if deed == "stay":
            Path(about).write_text(str(os.getpid()))
            # until it is killed
            signal.pause()
        if deed == "threads":
            import torch

            value = torch.get_num_threads()
        return JobReturn(status=JobStatus.COMPLETED, _return_value=value, overrides=list(job.overrides))


_SBATCH = """
number=$(($(ls {folder} | grep -c queue) + 7))
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\)%.*/\\1/p' $1)
command=$(grep _submit $1 | sed 's/.*\\.err //; s/^srun .*%t_log.out //')
for i in $(seq 0 ${{last:-0}}); do
  name=$number${{last:+_$i}}
  echo $name >> {folder}/queue_$number
  export SUBMITIT_EXECUTOR=slurm SLURM_JOB_ID=$number SLURM_PROCID=0 SLURM_CPUS_PER_TASK=3
  [ -n "$last" ] && export SLURM_ARRAY_JOB_ID=$number SLURM_ARRAY_TASK_ID=$i
  say() {{ echo $1 > {folder}/said_$name; mv {folder}/said_$name {folder}/state_$name; }}
  # Slurm knows a job once it has taken it
  say RUNNING
  # whoever cancels says so before it looks for processes to kill, and a process tells its number before it looks
  (cd {cwd} && bash -c "echo \\$\\$ > {folder}/pid_$name
     grep -qs ^$number {folder}/cancelled || exec $command"; say FAILED) > {folder}/log_$name 2>&1 &
done
echo Submitted batch job $number
"""

_SQUEUE = """
# once the job has long been dead, and this was asked some more times, Slurm answers again
if [ -e {folder}/silent ]; then
  grep -q FAILED {folder}/state_* && echo asked >> {folder}/silent
  [ $(wc -l < {folder}/silent) -gt 5 ] || exit 1
fi
[ -e {folder}/forgetful ] && echo slurm_load_jobs error: Invalid job id specified >&2 && exit 1
for file in {folder}/state_*; do echo ${{file##*state_}} $(cat $file); done
"""

_SCANCEL = """
echo $@ >> {folder}/cancelled
for file in {folder}/pid_*; do kill -9 $(cat $file); done
"""


def fake_slurm(folder: Path, cwd: Path) -> str:
    """Write the scripts, and give the PATH on which they are found."""
    programs = folder / "bin"
    programs.mkdir()
    for name, script in {"sbatch": _SBATCH, "squeue": _SQUEUE, "scancel": _SCANCEL, "srun": ""}.items():
        program = programs / name
        program.write_text("#!/bin/bash\n" + script.format(folder=folder, cwd=cwd))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
