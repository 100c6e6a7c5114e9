"""Real servers for the tests: S3 (rclone) and SLURM with several nodes, on this machine alone."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests-secret"}
PACKAGES = ("slurm-wlm", "munge")  # Debian's


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def wait_for(is_so, seconds: float, what: str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.2)


def answers(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as listener:
        return listener.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def s3(store: Path, port: int, *options: str) -> Iterator[subprocess.Popen]:
    """Serve the folders of `store` as S3 buckets on a port, with the keys KEYS."""
    command = [
        *(str(Path(sys.executable).with_name("rclone")), "serve", "s3", str(store)),
        *("--auth-key", ",".join(KEYS.values()), "--addr", f"127.0.0.1:{port}"),
        *("--config", os.devnull, *options),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(port), 20, "the S3 server")
        yield process
    finally:
        process.kill()
        process.wait()


def no_slurm() -> str:
    """Why SLURM cannot run here; it is installed where it can be."""
    programs = ("slurmctld", "slurmd", "munged")
    if all(map(shutil.which, programs)):
        return "" if os.getuid() == 0 else "slurmd needs root"
    if os.getuid() != 0 or not shutil.which("apt-get"):
        return f"SLURM is not here, and {', '.join(PACKAGES)} cannot be installed without root"
    install = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
    for command in (["apt-get", "update"], install):
        ran = subprocess.run(command, capture_output=True, text=True)
    return "" if all(map(shutil.which, programs)) else f"apt-get failed: {ran.stderr[-300:]}"


def configure(repository: Path, **settings: str) -> None:
    """Change settings of a repository's slurm/cluster.env."""
    path = repository / "slurm/cluster.env"
    for key, value in settings.items():
        text, count = re.subn(rf"^{key}=.*", f"{key}={value}", path.read_text(), flags=re.M)
        assert count == 1, key
        path.write_text(text)


CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={root}/munge/sock,cred_expire=5
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool.%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=100000,bf_interval=2
JobCompType=jobcomp/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SlurmdTimeout=15
KillWait=5
MessageTimeout=30
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmdParameters=config_overrides
GresTypes=gpu
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=8000 "
    "Gres=gpu:1 State=UNKNOWN\n"
)


@contextmanager
def slurm(root: Path, nodes: int = 4) -> Iterator[dict[str, str]]:
    """A cluster of some nodes n1, n2, ... with a GPU in name each: the variables to use it."""
    host, ports = socket.gethostname().split(".")[0], free_ports(nodes + 1)
    names = [f"n{number + 1}" for number in range(nodes)]
    for name in ("state", "munge", *(f"spool.{name}" for name in names)):
        (root / name).mkdir(parents=True)
    (root / "munge").chmod(0o711)
    (root / "munge/key").write_bytes(os.urandom(128))
    (root / "munge/key").chmod(0o600)
    lines = [
        NODE.format(name=name, host=host, port=port)
        for name, port in zip(names, ports[1:], strict=True)
    ]
    (root / "slurm.conf").write_text(
        CONFIGURATION.format(host=host, root=root, ports=ports)
        + "".join(lines)
        + "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
    )
    (root / "gres.conf").write_text("Name=gpu File=/dev/null\n")
    environment = {"SLURM_CONF": str(root / "slurm.conf")}
    variables = os.environ | environment
    munge = [f"--{key}={root}/munge/{key.split('-')[0]}" for key in ("key-file", "pid-file")]
    munge += [f"--socket={root}/munge/sock", f"--log-file={root}/munge/log"]
    try:
        start("munged", "--force", *munge, f"--seed-file={root}/munge/seed", env=variables)
        start("slurmctld", env=variables)
        for name in names:
            start("slurmd", "-N", name, env=variables)

        def idle() -> bool:
            asked = ["sinfo", "--noheader", "-N", "-o", "%T"]
            said = subprocess.run(
                asked, env=variables, capture_output=True, text=True
            ).stdout.split()
            return said == ["idle"] * nodes

        wait_for(idle, 60, "the nodes")
        yield environment
    finally:
        subprocess.run(["scancel", "--me"], env=variables, capture_output=True)
        pids = [*root.glob("slurmd.*.pid"), root / "slurmctld.pid", root / "munge/pid"]
        for path in pids:
            stop(path)


def start(*command: str, env: dict[str, str]) -> None:
    """Start a daemon, which goes into the background by itself."""
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, f"{command[0]}: {ran.stderr}"


def stop(pid_file: Path) -> None:
    """End a daemon, and wait until it has gone."""
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, sent)
            wait_for(lambda: not Path(f"/proc/{pid}").exists(), 15, f"the end of {pid_file.name}")
        except ProcessLookupError:
            return
        except AssertionError:
            continue
        return
