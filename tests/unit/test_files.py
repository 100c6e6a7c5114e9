"""Files: finished folders are published, scratch folders are shared, kept and removed."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.io import scratch as scratch_module
from guess_or_recall.io.files import existing, publish
from guess_or_recall.io.scratch import code_of, locked, scratch, scratch_root, versions_of
from tests.conftest import ROOT, line_of


def test_a_missing_file_names_the_way_out(tmp_path):
    assert existing(tmp_path) == tmp_path
    with pytest.raises(UserError, match=r"gone is missing: make it with `dvc repro` .*remote"):
        existing(tmp_path / "gone")


def test_publish_replaces_what_stands_there(tmp_path):
    output = tmp_path / "data" / "model"
    for content in ("first", "second"):
        folder = tmp_path / "made"
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / content).write_text(content)
        publish(folder, output)
        assert not folder.exists()
        assert [path.name for path in output.rglob("*")] == ["inner", content]


def test_scratch_outlives_an_error_and_is_removed_after_success(workspace):
    with contextlib.suppress(RuntimeError), scratch("train", 1) as first:
        (first / "part").write_text("done")
        raise RuntimeError
    with scratch("train", 1) as again:
        assert again == first
        assert (again / "part").read_text() == "done"
    with scratch("train", 1) as fresh:
        assert list(fresh.iterdir()) == []
    assert list(scratch_root().iterdir()) == []  # neither folders nor lock files


def test_other_work_has_another_scratch(workspace):
    with scratch("train", 1) as first, scratch("train", 2) as two, scratch("score", 1) as three:
        assert len({first, two, three}) == 3


@pytest.mark.parametrize("inside", [".", ".dvc/tmp/exps/standalone/abc", ".dvc/tmp/exps/tmp123"])
def test_experiments_in_temporary_workspaces_share_the_scratch(tmp_path, monkeypatch, inside):
    monkeypatch.delenv("GUESS_OR_RECALL_SCRATCH", raising=False)
    (tmp_path / inside).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / inside)
    assert scratch_root() == tmp_path / ".scratch"


def test_the_scratch_root_can_be_set(workspace, monkeypatch):
    monkeypatch.setenv("GUESS_OR_RECALL_SCRATCH", "/elsewhere")
    assert scratch_root() == Path("/elsewhere")


WORKER = """
import sys, time
from pathlib import Path
from guess_or_recall.io.scratch import scratch
rounds, pause = int(sys.argv[1]), float(sys.argv[2])
print("ready", flush=True)
for _ in range(rounds):
    with scratch("train", 1) as folder:
        Path("busy").touch(exist_ok=False)  # an error where another process is inside
        (folder / "part").touch(exist_ok=False)
        print("inside", flush=True)
        time.sleep(pause)
        Path("busy").unlink()
"""


def worker(rounds, pause):
    """Start a process that works in the scratch folder, and wait until it is about to."""
    command = [sys.executable, "-c", WORKER, str(rounds), str(pause)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert line_of(process) == "ready\n"
    return process


def ended(process):
    """The exit status of a process, its output read."""
    process.communicate()
    return process.returncode


def test_processes_with_the_same_work_take_turns_and_leave_nothing(workspace):
    workers = [worker(rounds=100, pause=0.0) for _ in range(2)]
    assert [ended(process) for process in workers] == [0, 0]
    assert list(scratch_root().iterdir()) == []


def test_a_waiter_does_not_enter_by_a_lock_that_was_removed(workspace):
    first = worker(rounds=1, pause=1.0)
    assert line_of(first) == "inside\n"
    second = worker(rounds=1, pause=1.0)
    time.sleep(0.5)  # the second waits for the lock file of the first, which goes away
    assert ended(first) == 0
    third = worker(rounds=1, pause=0.0)  # would lock a new file beside the second
    assert [ended(second), ended(third)] == [0, 0]
    assert list(scratch_root().iterdir()) == []


def test_a_shared_lock_is_of_a_file_open_to_read_and_write(workspace, monkeypatch):
    """NFS refuses others."""
    modes, lock = [], fcntl.flock

    def flock(file, how):
        modes.append(fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    for shared in (True, False):
        with locked(workspace / "one.lock", shared):
            pass
    assert modes == [os.O_RDWR] * 2


def test_a_kill_leaves_the_work_and_frees_the_lock(workspace):
    process = worker(rounds=1, pause=60.0)
    assert line_of(process) == "inside\n"
    process.send_signal(signal.SIGKILL)
    assert ended(process) == -9
    with scratch("train", 1) as folder:
        assert (folder / "part").exists()
    assert list(scratch_root().iterdir()) == []


@pytest.fixture
def project(workspace, monkeypatch):
    """A copy of the code, in which a file can be changed."""
    shutil.copytree(ROOT / "src", workspace / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", workspace)
    monkeypatch.setattr(scratch_module, "PROJECT", workspace)
    return workspace


def name_of(stage: str) -> str:
    """The name of the scratch folder that a stage works in."""
    code_of.cache_clear()
    versions_of.cache_clear()
    with scratch(stage, 1) as folder:
        return folder.name


@pytest.mark.parametrize(
    ("stage", "file", "is_other_work"),
    [
        ("train", "classifier/cnn.py", True),
        ("train", "attention/triangle.py", True),
        ("train", "tracking/curves.py", False),  # what is logged is no result
        ("train", "settings/figures.py", False),
        ("attention", "attention/gallery.py", True),
        ("attention", "report/style.py", False),
        ("attention", "classifier/cnn.py", False),
    ],
)
def test_other_code_of_a_stage_is_other_work(project, stage, file, is_other_work):
    """An edit of a figure's style must not orphan an interrupted extraction."""
    before = name_of(stage)
    with open(project / "src" / "guess_or_recall" / file, "a") as code:
        code.write("# another line\n")
    assert (name_of(stage) != before) is is_other_work


@pytest.mark.parametrize(
    ("stage", "library", "is_other_work"),
    [
        ("train", "numpy", True),
        ("train", "torch", True),
        ("train", "transformers", False),
        ("score", "transformers", True),
        ("score", "seaborn", False),
    ],
)
def test_another_version_of_a_library_is_other_work_where_it_decides(
    workspace, monkeypatch, stage, library, is_other_work
):
    before = name_of(stage)
    monkeypatch.setattr(
        scratch_module, "version", lambda name: "0" if name == library else version(name)
    )
    assert (name_of(stage) != before) is is_other_work


def test_scratch_is_of_a_stage_of_dvc_yaml(workspace):
    with pytest.raises(KeyError, match="no-stage"), scratch("no-stage", 1):
        pass
