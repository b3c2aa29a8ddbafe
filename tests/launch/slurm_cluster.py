"""A real Slurm on this machine: a controller and two nodes, in a temporary folder, by unprivileged ports."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import LIMIT_S, wait_for

SEARCH = os.environ["PATH"] + ":/usr/sbin:/sbin"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel")

CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
KillWait=2
ReturnToService=2
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1 RealMemory=4000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 RealMemory=4000
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """What this machine lacks."""
    if os.geteuid() != 0:
        return "a Slurm of its own is started as root"
    absent = [name for name in PROGRAMS if shutil.which(name, path=SEARCH) is None]
    return f"not installed: {', '.join(absent)} (apt-get install slurm-wlm munge)" if absent else None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def slurm() -> Iterator[dict[str, str]]:
    """Start it; gives the environment in which its commands find it."""
    # munge wants its folders readable from the root on, which those of pytest are not
    folder = Path(tempfile.mkdtemp(prefix="slurm_", dir="/tmp"))
    folder.chmod(0o755)
    for name in ("munge", "state", "n1", "n2"):
        (folder / name).mkdir()
    munge, key = folder / "munge", folder / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    for path in (munge, key):
        shutil.chown(path, "munge", "munge")
    ports = [free_port() for _ in range(3)]
    (folder / "slurm.conf").write_text(CONF.format(host=socket.gethostname(), folder=folder, ports=ports))
    # nodes of this cluster are no names that the network knows
    env = {**os.environ, "PATH": SEARCH, "SLURM_CONF": str(folder / "slurm.conf"), "MASTER_ADDR": "127.0.0.1"}
    files = [f"--{name}={munge / name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
    commands = [
        ["munged", f"--key-file={key}", *files],
        ["slurmctld", "-D"],
        *(["slurmd", "-D", "-N", n] for n in ("n1", "n2")),
    ]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            user = "munge" if command[0] == "munged" else None
            flags = ["--foreground"] if user else []
            started.append(
                subprocess.Popen(
                    [*command, *flags], env=env, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
            if user:
                wait_for((munge / "socket").exists, "munge", said=lambda: _logs(folder))
        wait_for(lambda: _idle_nodes(env) == 2, "both nodes", said=lambda: _logs(folder))
        yield env
    finally:
        # a node ends once its jobs have; a test that failed may have left some
        subprocess.run(["scancel", "--user=root"], env=env, check=False, capture_output=True)
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(LIMIT_S)
        shutil.rmtree(folder, ignore_errors=True)


def _idle_nodes(env: dict[str, str]) -> int:
    command = ["sinfo", "--noheader", "--Node", "--states=idle"]
    return len(subprocess.run(command, env=env, capture_output=True, text=True, check=False).stdout.splitlines())


def _logs(folder: Path) -> str:
    return "\n".join(path.read_text() for path in folder.glob("*.log"))
