"""A sweep beside another command of DVC waits and says so; nobody is told to remove a lock."""

import fcntl
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from guess_or_recall.sweep import waiting
from guess_or_recall.sweep.experiments import dvc, reason, stale
from tests.conftest import must
from tests.servers import wait_for

HELD = """ERROR: '/study/data/train' is busy, it is being blocked by:
  (PID 77): /study/.venv/bin/dvc repro train

If there are no processes with such PIDs, you can manually remove '/study/.dvc/tmp/rwlock' and try \
again.
"""
FAILED = (
    "ERROR: Unable to acquire lock. Most likely another DVC process is running or was terminated "
    "abruptly. Check the page <https://dvc.org/doc/user-guide/troubleshooting#lock-issue> for other"
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    waiting.say_once.cache_clear()
    monkeypatch.setattr(waiting, "PAUSE", 0.01)


def test_advice_to_remove_a_lock_is_not_passed_on():
    said = reason(HELD)
    assert said.startswith("`dvc repro train` (process 77) worked in this checkout")
    assert reason(FAILED).startswith("another command of DVC worked in this checkout")
    assert "remove" not in said and reason("ERROR: a\nb") == "b"


def hold(folder, entry):
    (folder / ".dvc/tmp").mkdir(parents=True)
    (folder / ".dvc/tmp/lock").touch()
    content = {"write": {"out": entry}, "read": {"in": [entry]}} if entry else {}
    (folder / ".dvc/tmp/rwlock").write_text(json.dumps(content))


def test_a_stage_that_runs_is_waited_for(workspace, capsys):
    hold(workspace, {"pid": os.getpid(), "cmd": "/study/bin/dvc repro"})
    timer = threading.Timer(0.1, (workspace / ".dvc/tmp/rwlock").write_text, ["{}"])
    timer.start()
    waiting.wait_until_idle()
    timer.join()
    [line] = capsys.readouterr().err.splitlines()
    assert line == (
        f"note: `dvc repro` (process {os.getpid()}) works in this checkout: waiting until it has "
        "ended"
    )


def test_nobody_is_waited_for_who_has_ended(workspace, capsys):
    waiting.wait_until_idle()  # in a folder without DVC
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    hold(workspace, {"pid": process.pid, "cmd": "dvc repro"})
    waiting.wait_until_idle()
    assert capsys.readouterr().err == ""


def test_what_happens_between_two_stages_is_waited_for(workspace):
    hold(workspace, None)
    with open(workspace / ".dvc/tmp/lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert waiting.at_work() == "another command of DVC"
    assert waiting.at_work() == ""


def test_beside_a_real_repro(workspace, capfd):
    """DVC's status fails while a stage runs whose outputs it would look at."""
    must(workspace, "dvc", "init", "-q", "--no-scm")
    Path("dvc.yaml").write_text(
        "stages:\n  s:\n    cmd: touch begun; while [ ! -e go ]; do sleep 0.1; done; touch out\n"
        "    outs: [out]\n"
    )
    repro = subprocess.Popen([sys.executable, "-m", "dvc", "repro", "-q"])
    wait_for(Path("begun").exists, 60, "the stage")
    assert "repro" in waiting.at_work()
    threading.Timer(3, Path("go").touch).start()
    assert stale("s") == []  # as it is once the stage has ended
    repro.wait()
    assert waiting.at_work() == ""
    said = capfd.readouterr()
    assert "works in this checkout: waiting until it has ended" in said.err
    assert "remove" not in said.err and dvc("version")


@pytest.mark.parametrize(
    "content",
    [b"", b'{"write"', b"[]", b"\xff", b'{"write": null}', b'{"write": {"out": {"pid": "x"}}}'],
)
def test_locks_that_cannot_be_read(workspace, content):
    """Half a file, nonsense, and a folder in the place of the lock: DVC will say what is wrong."""
    hold(workspace, None)
    (workspace / ".dvc/tmp/rwlock").write_bytes(content)
    assert waiting.at_work() == ""
    (workspace / ".dvc/tmp/lock").unlink()
    (workspace / ".dvc/tmp/lock").mkdir()
    assert waiting.at_work() == ""
