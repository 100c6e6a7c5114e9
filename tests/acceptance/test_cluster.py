"""The chain of jobs on a real SLURM: the commands of docs/cluster.md, kills, and what comes out."""

import hashlib
import os
import re
import shlex
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from guess_or_recall.cluster.chain import STEPS
from tests.conftest import commit, copy_of, must, new_repository
from tests.pages import commands
from tests.servers import configure, no_slurm, slurm, wait_for
from tests.unit.test_tracking import group_of

pytestmark = pytest.mark.timeout(900)
SWEEPS = """
benchmark: [{taxonomy: [guess, recite]}]
rho: [{taxonomy: guess, rho: [0.5, 0.6]}, {taxonomy: recite, train.seed: 43}]
"""
VARIANTS = {"guess-rho0.5", "guess-rho0.6", "recite-delta8", "recite-delta8-seed43"}
OWN = {"CPUS": "1", "MEMORY": "1G", "PARTS": "2", "SETUP": '""'}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Variables of a cluster of four nodes."""
    if reason := no_slurm():
        (pytest.fail if "CI" in os.environ else pytest.skip)(reason)
    with slurm(tmp_path_factory.mktemp("slurm")) as variables:
        yield variables


@pytest.fixture
def local():
    """Folder of the nodes for the clones of their tasks, on another file system where there is."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").exists() else None) as name:
        yield Path(name)


def prepared(folder: Path) -> Path:
    """A repository with small sweeps, offline wandb and the settings of the cluster, committed."""
    (folder / "sweeps.yaml").write_text(SWEEPS)
    params = folder / "params.yaml"
    text = params.read_text().replace("wandb: disabled", "wandb: offline")
    params.write_text(text.replace("epochs: 2\n", "epochs: 40\n"))  # time enough to be hit
    configure(folder, **OWN)
    commit(folder)
    return folder


def swept(folder: Path) -> Path:
    """The same sweeps run one after the other, without a cluster and without DVC."""
    prepared(folder)
    must(folder, "python", "src/run.py", "sweep", "benchmark", "rho", "--folder", "runs")
    must(folder, "python", "src/run.py", "tables", "benchmark", "rho", "--folder", "runs")
    return folder


class Study:
    """A repository whose commands run against the cluster."""

    def __init__(self, folder: Path, variables: dict[str, str]):
        self.folder, self.variables = folder, variables

    def must(self, *command: str) -> str:
        return must(self.folder, *command, **self.variables)

    def queue(self) -> list["Job"]:
        """All that is in the queue."""
        said = self.must("squeue", "--noheader", "--array", "--format=%j|%T|%N|%A|%F_%K")
        return [Job(*line.replace(".", "|", 1).split("|")) for line in said.split()]

    def running(self, step: str) -> list["Job"]:
        """The running tasks of a step."""
        return [seen for seen in self.queue() if (seen.step, seen.state) == (step, "RUNNING")]

    def log(self, job: "Job") -> str:
        """What a task has said."""
        paths = (self.folder / ".scratch/slurm").glob(f"*/{job.step}-{job.task}.log")
        return "".join(path.read_text() for path in paths)  # none before its first word

    def latest(self, step: str, task: int) -> str:
        """What a task has said in the job that was submitted last."""
        logs = (self.folder / ".scratch/slurm").glob(f"*/{step}-*_{task}.log")
        return max(logs, key=lambda path: path.stat().st_mtime).read_text()

    def halt(self, jobs: list["Job"], halted: dict["Job", psutil.Process]) -> bool:
        """Stop the training of each task that has finished some epochs; whether all are stopped."""
        for job in jobs:
            reached = percents(self.log(job))
            if job not in halted and reached and 5 < reached[-1] < 60:
                halted[job] = self.stage(job)
                halted[job].suspend()
        return len(halted) == len(jobs)

    def stage(self, job: "Job") -> psutil.Process:
        """The training that a task runs."""
        command = ["src/run.py", "train"]
        [stage] = [process for process in self.processes(job) if process.cmdline()[-2:] == command]
        return stage

    def daemon(self, node: str) -> psutil.Process:
        """The slurmd of a node."""
        path = Path(self.variables["SLURM_CONF"]).with_name(f"slurmd.{node}.pid")
        return psutil.Process(int(path.read_text()))

    def processes(self, job: "Job") -> list[psutil.Process]:
        """All that SLURM runs for a task, its own process first."""
        script = f"/job{int(job.number):05d}/slurm_script"
        root = str(Path(self.variables["SLURM_CONF"]).parent)
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or [])
            if script in line and root in line:
                step = process.parent()
                assert step is not None
                return [step, *step.children(recursive=True)]
        raise AssertionError(f"no process of {job}")


class Job(NamedTuple):
    step: str
    chain: str
    state: str
    node: str
    number: str
    task: str  # as SLURM names it: 4_1


def percents(log: str, what: str = "train 2 CNNs") -> list[int]:
    """How far a bar came, of the training if not another is named."""
    return [int(percent) for percent in re.findall(rf"{what}: +(\d+)%", log)]


def experiments(folder: Path) -> set[str]:
    """Names of the experiments of a repository."""
    refs = must(folder, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    return {ref.rpartition("/")[2] for ref in refs if len(ref.split("/")) == 5}


def runs(folder: Path) -> Counter:
    """Offline wandb runs of a repository, by group."""
    return Counter(map(group_of, folder.glob("wandb/offline-run-*/run-*.wandb")))


def table_of(said: str) -> dict[str, list[int]]:
    """The table that `status` prints: step -> done, running, waiting, failed."""
    rows = [line.split("│")[1:-1] for line in said.splitlines() if line.startswith("│")]
    return {row[0].strip(): [int(cell.strip() or 0) for cell in row[1:]] for row in rows}


def test_a_chain_with_kills_gives_the_table_of_a_sequential_run(
    cluster, local, tmp_path_factory, request
):
    """The whole chain from nothing, each of four variants hit in another way while it trains."""
    study = Study(prepared(new_repository(tmp_path_factory.mktemp("chain") / "study")), cluster)
    configure(study.folder, LOCAL=str(local))
    block = commands("docs/cluster.md", "Submit and watch")[0]
    preview, submit, status = block.splitlines()
    shown = study.must("bash", "-euc", preview)
    assert shown.count("\nsbatch ") == 5 and "0 of 4 variants recorded" in shown
    assert not study.queue() and not (study.folder / ".scratch").exists()
    study.must("bash", "-euc", submit)
    assert "nothing to submit" in study.must("bash", "-euc", submit)
    assert len(study.queue()) == 1 + 2 + 1 + 4 + 1

    wait_for(lambda: len(study.running("extract")) == 2, 300, "both parts at the same time")
    study.must("scancel", study.running("extract")[1].task)
    wait_for(lambda: not study.queue(), 60, "the end of all that waits for the attention")
    status_table = table_of(study.must("bash", "-euc", status))
    assert [status_table[step] for step in STEPS[:3]] == [
        [1, 0, 0, 0],
        [1, 0, 0, 1],
        [0, 0, 0, 1],
    ]
    assert not (study.folder / "data/attention").exists()  # nobody made it in their place
    again = study.must("bash", "-euc", submit).split("\nsbatch ")[1:]
    assert [line.split(".")[0] for line in again] == [f"--job-name={step}" for step in STEPS]

    wait_for(lambda: len(study.running("variants")) == 4, 400, "four variants at the same time")
    done = study.latest("prepare", 1), study.latest("extract", 1)  # and not made again
    assert "Running stage" not in done[0] and "up to date" in done[0]
    assert set(percents(done[1], "attention")) == {100}
    cancelled, limited, killed, lost = jobs = study.running("variants")
    trainings: dict[Job, psutil.Process] = {}
    wait_for(lambda: study.halt(jobs, trainings), 100, "the trainings of all")
    for job, stage in trainings.items():
        batch = study.processes(job)
        if job in (cancelled, limited):  # a stopped process would not hear of it
            stage.resume()
        if job is cancelled:
            [clone] = local.glob(f"*-{job.number}-0")
            study.must("scancel", job.task)
            left = clone.with_name(clone.name.replace(f"-{job.number}-0", "-1-0"))
            left.mkdir()  # as where the job of this number, which has ended, had been killed
        elif job is limited:  # as SLURM does near the time limit
            study.must("scancel", "--batch", "--signal=USR1", job.task)
        elif job is killed:
            [stage] = [part for part in batch if part.cmdline()[-2:] == ["src/run.py", "train"]]
            stage.kill()
        else:  # as where a node fails
            for process in [study.daemon(job.node), *batch]:
                process.kill()
    wait_for(lambda: not study.queue(), 400, "the end of the chain")

    said = study.must("bash", "-euc", status)
    assert table_of(said)["variants"] == [2, 0, 0, 2]
    assert table_of(said)["tables"] == [1, 0, 0, 0]
    assert f"JOB {cancelled.number} ON" in said and "CANCELLED" in said
    assert re.search(r"failed to run: python src/run.py train, exited with (-9|137)", said)
    for attempt in (limited, lost):
        _, first, second = study.log(attempt).split("Running stage 'train'")
        assert percents(first)[0] == 0 < percents(second)[0]  # it went on where it was
    assert any("Missing" in path.read_text() for path in study.folder.glob("results/*.md"))
    again = study.must("bash", "-euc", submit)
    assert "2 of 4 variants recorded" in again
    _, resubmitted, last = again.split("\nsbatch ")
    assert "--job-name=variants." in resubmitted and "--job-name=tables." in last
    twice = shlex.split(resubmitted.partition("\n")[0])  # by hand once more: two tasks a variant
    study.must("sbatch", *twice)
    wait_for(lambda: not study.queue(), 200, "what was submitted again")

    said = study.must("bash", "-euc", status)
    assert [row[1:] for row in table_of(said).values()] == [[0, 0, 0]] * 5
    assert "nothing to submit" in study.must("bash", "-euc", submit)
    micro = request.getfixturevalue("micro")  # only now: another worker makes it meanwhile
    sequential = swept(copy_of(micro, tmp_path_factory.mktemp("sequential")))
    tables = [path for path in (sequential / "results").glob("*.*") if path.suffix != ".pdf"]
    assert {path.name for path in tables} >= {"benchmark.csv", "rho.md", "rho_verdict.md"}
    for path in tables:
        assert (study.folder / "results" / path.name).read_bytes() == path.read_bytes()
    assert experiments(study.folder) == VARIANTS
    for folder in (study.folder, sequential):
        assert runs(folder) == {"benchmark": 2, "rho": 2}
    assert not list(local.iterdir())
    for path in (study.folder / ".dvc/cache/files/md5").glob("*/*"):
        name = (path.parent.name + path.name).removesuffix(".dir")
        assert hashlib.md5(path.read_bytes()).hexdigest() == name
