"""Shared helpers of the tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
os.environ["PYTHONPATH"] = str(ROOT / "src")  # for the processes that tests start


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty working folder, as the stages know one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUESS_OR_RECALL_SCRATCH", str(tmp_path / ".scratch"))
    return tmp_path


@pytest.fixture
def killed_run():
    """Run a script in a process and kill it (-9) after a while; return True if killed."""

    def run(script: Path, *arguments: object, after: float) -> bool:
        process = subprocess.Popen([sys.executable, str(script), *map(str, arguments)])
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return True
        assert process.returncode == 0
        return False

    return run
