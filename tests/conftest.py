"""Shared helpers of the tests."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Before the first import of the package: every call in tests checks its shapes and types, an int
# passing for a float. The processes that tests start run without it.
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
install_import_hook("guess_or_recall", CHECKER)

ROOT = Path(__file__).parents[1]
os.environ["PYTHONPATH"] = str(ROOT / "src")  # for the processes that tests start
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as src/run.py sets it


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty working folder, as the stages know one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUESS_OR_RECALL_SCRATCH", str(tmp_path / ".scratch"))
    return tmp_path
