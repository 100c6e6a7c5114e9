"""SLURM's own commands, whatever a site makes them say: the queue, numbers of jobs, refusals."""

import contextlib
import os
import shlex

import pytest

from guess_or_recall.cluster.slurm import Queued, queue, sbatch
from guess_or_recall.errors import UserError


@contextlib.contextmanager
def program(monkeypatch, folder, name, text):
    """A program of SLURM that says something."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    yield


@pytest.mark.parametrize(
    "said",
    ["12", "12;far", "Submitted batch job 12", "Submitted batch job 12 on cluster far",
     "Welcome to far, 2026\n12\n", "12;far\nYour account has 300 hours left."],
)  # fmt: skip
def test_the_number_of_a_job_whatever_a_site_adds(monkeypatch, tmp_path, said):
    with program(monkeypatch, tmp_path, "sbatch", f"printf '{said}'"):
        assert sbatch("script") == 12


def test_a_submission_without_a_number(monkeypatch, tmp_path):
    with (
        program(monkeypatch, tmp_path, "sbatch", "echo done"),
        pytest.raises(UserError, match="sbatch names no job"),
    ):
        sbatch("script")


def test_the_queue_holds_the_jobs_of_chains_alone(monkeypatch, tmp_path):
    lines = [
        "CLUSTER: far", "train|3|N/A|RUNNING|None|n1", "extract.rho-1|4|1|RUNNING|None|n2",
        "extract.rho-1|4|2|PENDING|Resources|", "variants.a b-2|7|1|PENDING|(Dependency)|",
    ]  # fmt: skip
    with program(monkeypatch, tmp_path, "squeue", f"printf '%s\n' {shlex.join(lines)}"):
        assert queue() == {
            "rho-1": {
                ("extract", 1): Queued(4, "RUNNING", "None", "n2"),
                ("extract", 2): Queued(4, "PENDING", "Resources", ""),
            },
            "a b-2": {("variants", 1): Queued(7, "PENDING", "(Dependency)", "")},
        }


def test_where_there_is_no_slurm(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="squeue is not installed here: submit from a login node"):
        queue()


def test_slurm_s_refusal_is_one_line(monkeypatch, tmp_path):
    said = "echo 'sbatch: error: invalid partition: gpu' >&2; exit 1"
    with (
        program(monkeypatch, tmp_path, "sbatch", said),
        pytest.raises(UserError, match="sbatch refuses: sbatch: error: invalid partition: gpu"),
    ):
        sbatch("--partition=gpu", "script")
