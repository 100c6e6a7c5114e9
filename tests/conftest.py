"""Shared helpers of the tests."""

import os
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
