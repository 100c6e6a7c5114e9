"""Shared helpers of the tests."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Before the first import of the package: every call in tests checks its shapes and types, an int
# passing for a float. The processes that tests start run without it.
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
install_import_hook("guess_or_recall", CHECKER)
import run as program  # noqa: E402
from guess_or_recall.io.scratch import declared_stages  # noqa: E402
from tests import processes  # noqa: E402

ROOT = Path(__file__).parents[1]
os.environ["PYTHONPATH"] = str(ROOT / "src")  # for the processes that tests start
# A thread for each worker of pytest and for each process that a test starts: on as many cores as
# workers, more of them only wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as src/run.py sets it
# Programs that are started in the background ignore Ctrl-C, and all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
NO_NETWORK = {
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "no_proxy": "127.0.0.1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Weights that a test or a fixture draws without a seed do not depend on the tests before."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty working folder, as the stages know one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUESS_OR_RECALL_SCRATCH", str(tmp_path / ".scratch"))
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    """What a user of the repository has: its programs in PATH; nothing outside this machine."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("GUESS_", "DVC_", "WANDB_", "AWS_", "SLURM_"))
        and key != "PYTHONPATH"
    }
    return kept | NO_NETWORK | {"PATH": path} | more


def run(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess:
    """Run a command in a repository; its output is text."""
    if command[0] == "python":
        return processes.finished(folder, command[1:], environment(**more))
    return subprocess.run(
        command, cwd=folder, env=environment(**more), capture_output=True, text=True, check=False
    )


def must(folder: Path, *command: str, **more: str) -> str:
    """What a command says that must succeed."""
    done = run(folder, *command, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def line_of(process: subprocess.Popen) -> str:
    """The next line that a program prints."""
    assert process.stdout is not None
    return process.stdout.readline()


def new_repository(folder: Path) -> Path:
    """This repository as it stands, in a folder of its own, on the micro profile; nothing run."""
    for file in must(ROOT, "git", "ls-files", "-co", "--exclude-standard").splitlines():
        if (ROOT / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, folder / file)
    (folder / "dvc.lock").unlink(missing_ok=True)
    must(folder, "git", "init", "-q", "-b", "main")
    must(folder, "git", "config", "user.email", "tests@example.org")
    must(folder, "git", "config", "user.name", "tests")
    must(folder, "python", "src/run.py", "profile", "micro")
    return folder


def commit(folder: Path) -> None:
    """Commit all that differs."""
    must(folder, "git", "add", "-A")
    must(folder, "git", "commit", "-qm", "micro")


@pytest.fixture(scope="session")
def micro(tmp_path_factory):
    """The micro study after `dvc repro`, committed: made once for all workers, to be copied."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "micro" / "guess-or-recall"
    with open(shared / "micro.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            study = new_repository(shared / "micro.new" / "guess-or-recall")
            must(study, "dvc", "repro")
            commit(study)
            study.parent.rename(folder.parent)
    return folder


def stages() -> list[str]:
    """Names of the stages of this repository, in their order."""
    return list(declared_stages())


def run_stages(folder: Path, *names: str) -> None:
    """Run stages of a repository by hand, without DVC, in this process."""
    with contextlib.chdir(folder):
        for name in names:
            program.run_stage(name)


def copy_of(repository: Path, folder: Path) -> Path:
    """A repository of its own, with all that another has."""
    return Path(shutil.copytree(repository, folder / "guess-or-recall", symlinks=True))
