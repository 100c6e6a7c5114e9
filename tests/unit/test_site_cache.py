"""DVC's folder of a machine, full or another user's, is named with the setting that moves it."""

import sqlite3
import sys

import pytest

from guess_or_recall.ending import exit_status
from guess_or_recall.errors import UserError
from guess_or_recall.io import site_cache
from guess_or_recall.io.site_cache import fault_of_site_cache
from guess_or_recall.sweep.experiments import dvc, reason
from tests.conftest import ROOT, must, run

SETTING = "`dvc config --local core.site_cache_dir FOLDER` (or set DVC_SITE_CACHE_DIR)"


@pytest.fixture(autouse=True)
def default(monkeypatch):
    monkeypatch.delenv("DVC_SITE_CACHE_DIR", raising=False)


@pytest.mark.parametrize(
    "said",
    ["ERROR: unexpected error - [Errno 13] Permission denied: '/var/tmp/dvc/repo/1'\n\nHaving any "
     "troubles? Hit us up at https://dvc.org/support, we are always happy to help!",
     "ERROR: unexpected error - [Errno 28] No space left on device: '/var/tmp/dvc/repo'",
     "ERROR: unexpected error - database or disk is full", "attempt to write a readonly database"],
)  # fmt: skip
def test_errors_of_the_folder(workspace, said):
    line = reason(said)
    assert line.startswith(said.splitlines()[0] + ": DVC cannot write to /var/tmp/dvc, which")
    assert line.endswith(SETTING)


def test_other_errors_are_none_of_the_folder(workspace):
    assert fault_of_site_cache("[Errno 13] Permission denied: '/data/x'") == ""
    unexpected = "ERROR: unexpected error - x\n\nHaving any troubles? https://dvc.org/support"
    assert reason(unexpected) == "ERROR: unexpected error - x"


def test_where_the_folder_is(workspace, monkeypatch):
    (workspace / ".dvc").mkdir()
    (workspace / ".dvc/config").write_text("['remote \"light\"']\n    url = %x\n")
    assert str(site_cache.site_cache()) == "/var/tmp/dvc"
    (workspace / ".dvc/config.local").write_text("[core]\n    site_cache_dir = /fast\n")
    assert str(site_cache.site_cache()) == "/fast"
    for damage in ("site_cache_dir", "[core", "\xff"):
        (workspace / ".dvc/config.local").write_bytes(damage.encode("latin-1"))
        assert fault_of_site_cache("ERROR: another") == ""  # DVC names the file
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", "/faster")
    assert str(site_cache.site_cache()) == "/faster"


def test_our_commands_meet_it(workspace, monkeypatch, capsys):
    """DVC in a process of its own, and in ours."""
    must(workspace, "dvc", "init", "-q", "--no-scm")
    (workspace / "file").touch()
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", f"{workspace}/file/below")
    with pytest.raises(UserError, match=r"file/below.*: DVC cannot write to .*core.site_cache_dir"):
        dvc("status")

    def fails():
        raise sqlite3.OperationalError("database or disk is full")

    assert exit_status("remote", fails) == 1
    assert capsys.readouterr().err.endswith(SETTING + "\n")


def test_make_looks_before_it_begins(workspace):
    (workspace / "file").touch()
    command, known = (sys.executable, "-m", site_cache.__name__), {"PYTHONPATH": str(ROOT / "src")}
    done = run(workspace, *command, **known, DVC_SITE_CACHE_DIR=f"{workspace}/file/below")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert SETTING in done.stderr
    assert must(workspace, *command, **known, DVC_SITE_CACHE_DIR=f"{workspace}/new") == ""
