"""Scratch folders, in which long stages keep finished work through any kill, and locks."""

import ast
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path

from guess_or_recall.io.files import content_hash

PACKAGE = Path(__file__).parents[1]


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


def work_name(stage: str, *matters: object) -> str:
    """A name for a stage's work, another one where anything that it depends on differs.

    That is what `matters`, the versions of torch and transformers, and the stage's own code: the
    modules that it imports, not those of the rest of the project.
    """
    versions = [version("torch"), version("transformers")]
    code = content_hash(*sorted(modules_of(PACKAGE / "stages" / f"{stage}.py")))
    work = json.dumps([stage, *matters, versions, code], sort_keys=True, default=str)
    return f"{stage}-{hashlib.sha256(work.encode()).hexdigest()[:16]}"


@cache
def modules_of(path: Path) -> frozenset[Path]:
    """The files of this package that a module imports, directly or through others, and itself."""
    reached, fresh = set(), {path} if path.exists() else set()
    while fresh:
        reached |= fresh
        fresh = {file for module in fresh for file in imported_files(module)} - reached
    return frozenset(reached)


def imported_files(path: Path) -> Iterator[Path]:
    """The files of this package that a module imports itself."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE.name):
            for name in [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]:
                file = PACKAGE.parent / f"{str(name).replace('.', '/')}.py"
                if file.exists():
                    yield file


@contextmanager
def scratch(
    stage: str, *matters: object, keep: bool = False, shared: bool = False
) -> Iterator[Path]:
    """Give the scratch folder of a long stage; it outlives a kill and is removed after success.

    Args:
        stage: the stage's name.
        matters: everything that the result depends on (params, hashes of inputs); another
            value, other code or another torch or transformers is another folder, so that
            nothing stale is ever taken up again.
        keep: whether the folder stays after success too, for who asks next.
        shared: whether others who share it may work in it at the same time; it stays then too.

    A second process with the same work waits here until the first has ended.
    """
    folder = scratch_root() / work_name(stage, *matters)
    with locked(folder.with_suffix(".lock"), shared):
        folder.mkdir(exist_ok=True)
        yield folder
        if not keep and not shared:
            shutil.rmtree(folder)


@contextmanager
def locked(path: Path, shared: bool = False) -> Iterator[None]:
    """Hold a lock file; wait for it where another process does, but for those who share it.

    It is removed after success, unless it is shared.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(path, "a+") as lock:  # NFS shares no lock of a file open to write alone
            fcntl.flock(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            if not stands_at(path, lock.fileno()):
                continue  # who held it has removed it meanwhile: others would lock a new file
            yield
            if not shared:
                path.unlink()  # while it is held: nobody else's file, put there later, is removed
            return


def stands_at(path: Path, descriptor: int) -> bool:
    """Whether an open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
