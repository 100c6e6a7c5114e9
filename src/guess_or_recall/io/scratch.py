"""Scratch folders, in which long stages keep finished work through any kill, and locks."""

import errno
import fcntl
import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path

from guess_or_recall.errors import UserError, first_line
from guess_or_recall.io.files import content_hash
from guess_or_recall.settings.yaml import read_yaml

PROJECT = Path(__file__).parents[3]  # whose code runs: of an experiment, its workspace


def repository() -> Path:
    """Folder of dvc.yaml; from a workspace of `dvc exp run --temp`, that of the repository."""
    here = Path.cwd()
    for parent in here.parents:
        if parent.parts[-3:] == (".dvc", "tmp", "exps"):
            return parent.parents[2]
    return here


def scratch_root() -> Path:
    """Folder of all scratch folders; GUESS_OR_RECALL_SCRATCH lets several clones share one."""
    return Path(os.environ.get("GUESS_OR_RECALL_SCRATCH", repository() / ".scratch"))


def work_name(kind: str, *matters: object) -> str:
    """A name for a work, another one where anything that it depends on differs."""
    work = json.dumps([kind, *matters], sort_keys=True, default=str)
    return f"{kind}-{hashlib.sha256(work.encode()).hexdigest()[:16]}"


@cache
def code_of(stage: str) -> str:
    """Hash of the modules that decide what a stage makes, as dvc.yaml lists them."""
    return content_hash(
        *(PROJECT / dep for dep in declared_stages()[stage]["deps"] if dep[:4] == "src/")
    )


@cache
def versions_of(stage: str) -> dict[str, str]:
    """Installed versions of the libraries that decide what a stage makes, by dvc.yaml."""
    files = [entry for entry in declared_stages()[stage]["params"] if isinstance(entry, dict)]
    names = [name for file in files for name in file["versions.yaml"]]
    return {name: version(name) for name in names}


@cache
def declared_stages() -> dict[str, dict]:
    """The stages of dvc.yaml, by name."""
    return read_yaml(PROJECT / "dvc.yaml")["stages"]


@contextmanager
def scratch(
    stage: str, *matters: object, keep: bool = False, shared: bool = False
) -> Iterator[Path]:
    """Give the scratch folder of a long stage; it outlives a kill and is removed after success.

    Args:
        stage: the stage's name.
        matters: everything that the result depends on (params, hashes of inputs); another
            value, other code or another version of a library that dvc.yaml lists for the stage
            is another folder, so that nothing stale is ever taken up again.
        keep: whether the folder stays after success too, for who asks next.
        shared: whether others who share it may work in it at the same time; it stays then too.

    A second process with the same work waits here until the first has ended.
    """
    name = work_name(stage, code_of(stage), versions_of(stage), *matters)
    folder = scratch_root() / name
    with locked(folder.with_suffix(".lock"), shared):
        folder.mkdir(exist_ok=True)
        yield folder
        if not keep and not shared:
            shutil.rmtree(folder)


def unusable(path: Path, error: Exception) -> UserError:
    """The error for finished work of an earlier run that cannot be read."""
    return UserError(
        f"{path} is damaged ({first_line(error)}): it is work of an earlier run: remove it "
        f"(`rm -r {shlex.quote(str(path))}`), and it is made again"
    )


@contextmanager
def locked(path: Path, shared: bool = False) -> Iterator[None]:
    """Hold a lock file; wait for it where another process does, but for those who share it.

    It is removed after success, unless it is shared.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(path, "a+") as lock:  # NFS shares no lock of a file open to write alone
            lock_file(lock.fileno(), path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            if not stands_at(path, lock.fileno()):
                continue  # who held it has removed it meanwhile: others would lock a new file
            yield
            if not shared:
                path.unlink()  # while it is held: nobody else's file, put there later, is removed
            return


def lock_file(descriptor: int, path: Path, kind: int) -> None:
    """Lock an open file, or wait for it; UserError where its file system has no locks."""
    try:
        fcntl.flock(descriptor, kind)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        raise UserError(
            f"{path} cannot be locked ({error.strerror}): its file system has no locks; set "
            "GUESS_OR_RECALL_SCRATCH to a folder on one that has"
        ) from None


def stands_at(path: Path, descriptor: int) -> bool:
    """Whether an open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
