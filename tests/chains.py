"""A chain of jobs, and programs that stand for those of SLURM."""

import subprocess

from guess_or_recall.cluster.chain import Chain
from guess_or_recall.cluster.settings import SETTINGS
from guess_or_recall.cluster.slurm import Queued
from tests.conftest import ROOT, environment, must

SHIPPED = (ROOT / SETTINGS).read_text()
WHOLE = Chain("rho-1", "0" * 40, ["rho"], [], "", 2, ["a", "b", "c"])


def job(checkout, *arguments, **more):
    """Start a job's script as SLURM does."""
    head = must(checkout, "git", "rev-parse", "HEAD").strip()
    known = environment(SLURM_JOB_NAME="prepare.rho-1", SLURM_JOB_ID="7", **more)
    return subprocess.Popen(
        ["bash", "slurm/prepare.sbatch", *(arguments or [head])],
        cwd=checkout,
        env=known,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def pending(job):
    return Queued(job, "PENDING", "Dependency", "")


def write_log(step, job, task, text):
    path = WHOLE.folder / f"{step}-{job}_{task}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
