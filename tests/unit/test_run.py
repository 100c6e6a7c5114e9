"""The command line: how stages that cannot go on end."""

import errno
import os
import re
import signal
import sys

import pytest
import torch
from dvc.exceptions import NotDvcRepoError

import run
from guess_or_recall import ending
from guess_or_recall.errors import UserError
from guess_or_recall.settings import versions
from guess_or_recall.settings.yaml import read_yaml
from guess_or_recall.stages import features
from tests.conftest import ROOT


def ends(monkeypatch, main, *arguments):
    """Exit status of `python src/run.py features` where its stage is `main`."""
    monkeypatch.setattr(features, "main", main)
    monkeypatch.setattr(sys, "argv", ["run.py", "features", *arguments])
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # as run.py would set them, put back after
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return run.main()


def test_success_is_silent(monkeypatch, capsys):
    assert ends(monkeypatch, lambda: None) == 0
    assert capsys.readouterr() == ("", "")


def test_a_user_s_mistake_is_one_line(monkeypatch, capsys):
    def mistaken():
        raise UserError("rho = 2: give less")

    assert ends(monkeypatch, mistaken) == 1
    assert capsys.readouterr() == ("", "error in features: rho = 2: give less\n")


@pytest.mark.parametrize(
    ("number", "way_out"),
    [
        (errno.ENOSPC, "disk full: free some"),
        (errno.EDQUOT, "your quota of the disk is used up: free some, or work on another one"),
        (errno.EACCES, "mend its rights (ls -l), or take another place"),
        (errno.EROFS, "its file system cannot be written to: work in a copy on another one"),
        (errno.EIO, "the disk or the network fails: run it again, or work on another one"),
        (errno.EMFILE, "too many files are open: `ulimit -n 4096`, then run it again"),
    ],
)
def test_an_error_of_the_machine_is_one_line(monkeypatch, capsys, number, way_out):
    error = OSError(number, os.strerror(number), "data/x")
    assert ends(monkeypatch, fails(error)) == 1
    said = capsys.readouterr().err
    assert said == f"error in features: {error}: {way_out}\n"
    assert "data/x" in said


def test_other_errors_of_the_system_keep_their_traceback(monkeypatch):
    with pytest.raises(FileNotFoundError):
        ends(monkeypatch, fails(FileNotFoundError(errno.ENOENT, "no")))


def test_what_dvc_refuses_is_one_line(monkeypatch, capsys):
    assert ends(monkeypatch, fails(NotDvcRepoError("you are not inside of a DVC repository"))) == 1
    said = capsys.readouterr().err
    assert said == "error in features: DVC says: you are not inside of a DVC repository\n"


def fails(error):
    """A stage that fails with an error."""

    def main():
        raise error

    return main


def accelerator_error(code):
    """What torch raises where a call of CUDA fails."""
    error = torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be ...")
    setattr(error, "error_code", code)  # noqa: B010 (the stubs have no such attribute)
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried\nmore"), "CUDA out of memory. Tried"),
        (accelerator_error(2), "CUDA error: out of memory"),
        (MemoryError(), "out of memory"),
        (MemoryError("Unable to allocate 2 TiB"), "Unable to allocate 2 TiB"),
    ],
)
def test_out_of_memory_is_one_line(monkeypatch, capsys, error, said):
    assert ends(monkeypatch, fails(error)) == 1
    assert capsys.readouterr().err == f"error in features: {said}: {ending.SMALLER}\n"


@pytest.mark.parametrize(
    "error", [RuntimeError("the worker said: out of memory"), accelerator_error(700)]
)
def test_what_only_mentions_memory_keeps_its_traceback(monkeypatch, error):
    with pytest.raises(RuntimeError):
        ends(monkeypatch, fails(error))


def test_other_versions_are_one_line(monkeypatch, capsys):
    monkeypatch.setattr(versions, "differing_versions", lambda path: ["torch is 1, not 2"])
    assert ends(monkeypatch, lambda: None) == 0
    assert capsys.readouterr().err == "note: torch is 1, not 2: `make setup` installs them\n"


def test_ctrl_c_is_one_line(monkeypatch, capsys):
    assert ends(monkeypatch, lambda: signal.raise_signal(signal.SIGINT)) == 130
    line = "features interrupted: earlier outputs stand, run it again\n"
    assert capsys.readouterr() == ("", line)


def test_help_lists_the_stages_in_the_order_of_the_pipeline(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["run.py", "--help"])
    assert run.main() == 0
    listed = re.findall(r"^  (\w+) ", capsys.readouterr().out, re.MULTILINE)
    assert listed == list(read_yaml(ROOT / "dvc.yaml")["stages"])


def test_stages_take_no_arguments(monkeypatch, capsys):
    assert ends(monkeypatch, lambda: None, "more") == 2
    assert "features takes no arguments" in capsys.readouterr().err
