"""A real Ray on this machine: a head and a second node, in a temporary folder."""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.launch.slurm_cluster import free_port
from tests.waiting import LIMIT_S, completed, wait_for


def missing() -> str | None:
    """What this machine lacks."""
    return None if importlib.util.find_spec("ray") else "not installed: ray (pip install -e '.[ray]')"


@contextmanager
def ray_cluster() -> Iterator[dict[str, str]]:
    """Start it; gives the environment in which it lets processes in, with its address as RAY_TEST_ADDRESS."""
    # sockets have short names
    folder = Path(tempfile.mkdtemp(prefix="ray_", dir="/tmp"))
    address = f"127.0.0.1:{free_port()}"
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    env = {**os.environ, **secret, "RAY_USAGE_STATS_ENABLED": "0", "RAY_TEST_ADDRESS": address}
    head = ["--head", f"--port={address.split(':')[1]}", "--include-dashboard=false", f"--temp-dir={folder}"]
    nodes: list[subprocess.Popen[bytes]] = []
    try:
        for i, place in enumerate((head, [f"--address={address}"])):
            with (folder / f"node{i}.log").open("w") as log:
                command = [str(Path(sys.executable).with_name("ray")), "start", "--block", *place]
                sizes = ["--num-cpus=1", "--object-store-memory=80000000"]
                nodes.append(
                    subprocess.Popen([*command, *sizes], env=env, stdout=log, stderr=log, start_new_session=True)
                )
            _wait_for_nodes(i + 1, env, folder)
        yield env
    finally:
        for node in nodes:
            os.killpg(node.pid, signal.SIGKILL)
            node.wait(LIMIT_S)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_nodes(n: int, env: dict[str, str], folder: Path) -> None:
    program = (
        "import ray, sys\n"
        "ray.init(address=sys.argv[1], log_to_driver=False, logging_level='error')\n"
        "sys.exit(sum(node['Alive'] for node in ray.nodes()) != int(sys.argv[2]))"
    )

    def answers() -> bool:
        answer = completed(sys.executable, "-c", program, env["RAY_TEST_ADDRESS"], str(n), env=env)
        said.append(answer.stderr)
        return answer.returncode == 0

    def logs() -> str:
        return "\n".join([said[-1], *(path.read_text() for path in folder.glob("*.log"))])

    said = [""]
    wait_for(answers, f"a Ray of {n} nodes", said=logs)
