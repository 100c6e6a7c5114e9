"""Jobs of a chain as SLURM runs them, without SLURM: how they begin, end, and go on."""

import contextlib
import dataclasses
import fcntl
import re
import shutil
import signal
import subprocess

import psutil
import pytest

from guess_or_recall.commands.status import again
from tests.chains import SHIPPED, WHOLE, job
from tests.conftest import ROOT, commit, line_of, must, run
from tests.servers import configure, wait_for


def test_the_command_that_submits_a_chain_again(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    head = must(checkout, "git", "rev-parse", "HEAD").strip()
    changed = {"changes": ["train.grid.kernel=[6, 8]"], "prefix": "full-"}
    changed_chain = dataclasses.replace(WHOLE, commit=head, **changed)
    shown = "gor submit rho -S 'train.grid.kernel=[6, 8]' --prefix full-"
    assert again(changed_chain) == shown
    must(checkout, "git", "commit", "-q", "--allow-empty", "-m", "results")
    assert again(changed_chain) == f"git checkout {head[:7]} && {shown}"  # else it were a new chain


@pytest.fixture
def checkout(tmp_path):
    """A repository with the scripts of the jobs; `dvc` in it says where it runs, and waits."""
    shutil.copytree(ROOT / "slurm", tmp_path / "slurm")
    settings = SHIPPED.replace('SETUP="source .venv/bin/activate"', 'SETUP="PATH=$PWD:$PATH"')
    (tmp_path / "slurm/cluster.env").write_text(settings)
    (tmp_path / "dvc").write_text("#!/bin/sh\necho dvc $*\nexec sleep ${SECONDS_OF_DVC:-0}\n")
    (tmp_path / "dvc").chmod(0o755)
    must(tmp_path, "git", "init", "-q")
    must(tmp_path, "git", "config", "user.email", "tests@example.org")
    must(tmp_path, "git", "config", "user.name", "tests")
    commit(tmp_path)
    return tmp_path


def test_a_job_says_how_it_ended(checkout):
    said = job(checkout).communicate(timeout=30)[0].splitlines()
    assert said[0].startswith("== begun, ")
    assert said[1] == "dvc --wait-for-lock repro pool"
    assert re.fullmatch(r"== status 0, \d s, \S+", said[2])


def test_a_job_of_other_files_than_were_submitted(checkout):
    """What the chain makes and the settings may differ; the inputs may not."""
    for name in ("dvc.lock", "params.yaml"):
        (checkout / name).write_text("old")
    commit(checkout)
    (checkout / "dvc.lock").write_text("new")
    with open(checkout / "slurm/cluster.env", "a") as settings:
        settings.write("# more\n")
    process = job(checkout)
    assert "== status 0, " in process.communicate(timeout=30)[0]
    (checkout / "params.yaml").write_text("new")
    process = job(checkout)
    said = process.communicate(timeout=30)[0].splitlines()
    assert process.returncode == 1
    assert said[1].startswith("error in prepare: the files differ from commit ")
    assert said[2].startswith("== status 1, ")


def test_a_job_whose_set_up_fails_says_so(checkout):
    configure(checkout, SETUP='"cd nowhere"')
    commit(checkout)
    said = job(checkout).communicate(timeout=30)[0]
    assert "nowhere" in said and said.splitlines()[-1].startswith("== status 1, ")


def test_a_part_of_the_attention_that_is_merged_is_not_extracted_again(checkout):
    (checkout / "python").write_text("#!/bin/sh\necho python $*\n")
    (checkout / "python").chmod(0o755)
    head = must(checkout, "git", "rev-parse", "HEAD").strip()
    known = {"SLURM_JOB_NAME": "extract.rho-1", "SLURM_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}
    part = ["bash", "slurm/extract.sbatch", head, "4"]
    asked = "dvc --wait-for-lock status --quiet attention"
    said = must(checkout, *part, **known).splitlines()
    assert said[1] == asked and said[2].startswith("== status 0, ")
    (checkout / "dvc").write_text("#!/bin/sh\necho dvc $*\nexit 1\n")  # not up to date
    commit(checkout)
    head = must(checkout, "git", "rev-parse", "HEAD").strip()
    said = must(checkout, "bash", "slurm/extract.sbatch", head, "4", **known).splitlines()
    assert said[1:3] == [asked, "python src/run.py extract 2/4"]


def begun_job(checkout):
    """A job whose command runs."""
    process = job(checkout, SECONDS_OF_DVC="59")
    assert line_of(process).startswith("== begun")
    assert line_of(process) == "dvc --wait-for-lock repro pool\n"
    return process


def test_a_cancelled_job_ends_what_it_runs(checkout):
    process = begun_job(checkout)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=15)[0]  # long before the command would end
    assert process.returncode == 143 and said.startswith("== status 143, ")


def test_a_job_that_is_cancelled_at_its_beginning_is_not_done(checkout):
    """While what the settings ask for runs, before any command of its own."""
    configure(checkout, SETUP='"PATH=$PWD:$PATH; echo setting up; sleep 1"')
    commit(checkout)
    process = job(checkout)
    for line in ("== begun", "setting up"):
        assert line_of(process).startswith(line)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=15)[0]
    assert process.returncode == 143 and said.startswith("== status 143, ")


def test_a_merge_that_is_killed_before_dvc_has_the_attention(checkout):
    """The parts, which the stage has moved away, are there again for the next attempt."""
    taken = "rm -rf data && mv .scratch/attention-1 data && [ -e unharmed ]"  # by dvc and the stage
    (checkout / "dvc").write_text(f"#!/bin/sh\n{taken}\n")
    commit(checkout)
    part = checkout / ".scratch/attention-1/attention/shard-00000.h5"
    part.parent.mkdir(parents=True)
    part.write_text("shard")
    head = must(checkout, "git", "rev-parse", "HEAD").strip()
    merge = ["bash", "slurm/merge.sbatch", head]
    known = {"SLURM_JOB_NAME": "merge", "SLURM_JOB_ID": "7"}
    for _ in range(2):
        assert run(checkout, *merge, **known).returncode == 1
        assert not part.exists()
    (checkout / "unharmed").touch()
    must(checkout, *merge, **known)
    assert (checkout / "data/attention/shard-00000.h5").read_text() == "shard"
    assert {path.name for path in (checkout / ".scratch").iterdir()} == {"repro.lock"}


def test_two_jobs_do_not_run_stages_of_a_checkout_at_the_same_time(checkout):
    """On any nodes: the lock is of the file system."""
    (checkout / ".scratch").mkdir()
    with open(checkout / ".scratch/repro.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = job(checkout)
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=2)
    assert "dvc --wait-for-lock repro pool" in process.communicate(timeout=15)[0]


def test_near_its_time_limit_a_job_is_queued_again(checkout):
    (checkout / "scontrol").write_text("#!/bin/sh\necho scontrol $*\n")
    (checkout / "scontrol").chmod(0o755)
    process = begun_job(checkout)
    process.send_signal(signal.SIGUSR1)
    assert line_of(process) == "time limit: queued again\n"
    assert line_of(process) == "scontrol requeue 7\n"

    def below():
        commands = []
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it may end in this moment
                if child.status() != psutil.STATUS_ZOMBIE:
                    commands.append(child.cmdline())
        return commands

    wait_for(lambda: below() == [["sleep", "60"]], 10, "a job that waits for its end")
    for process_of_job in [process, *psutil.Process(process.pid).children()]:
        process_of_job.kill()  # as SLURM does then
    process.communicate(timeout=15)
