"""A chain of jobs without SLURM: settings, what is submitted in which state, what logs say."""

import contextlib
import dataclasses
import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from itertools import pairwise

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guess_or_recall.cluster import chain as chains
from guess_or_recall.cluster.chain import (
    Chain,
    command,
    dependency,
    ranges,
    write_chain,
)
from guess_or_recall.cluster.settings import SETTINGS, read_settings, seconds
from guess_or_recall.cluster.slurm import Queued, queue, sbatch
from guess_or_recall.cluster.state import Task, seconds_left, tasks, underway
from guess_or_recall.commands import submit
from guess_or_recall.commands.status import again, duration, listed
from guess_or_recall.commands.submit import missing, require_no_other, send
from guess_or_recall.errors import UserError
from tests.conftest import ROOT, commit, environment, line_of, must, run
from tests.servers import configure, wait_for

SHIPPED = (ROOT / SETTINGS).read_text()
OURS = read_settings(ROOT / SETTINGS)
WHOLE = Chain("rho-1", "0" * 40, ["rho"], [], "", 2, ["a", "b", "c"])


def running(job):
    return Queued(job, "RUNNING", "None", "n3")


def pending(job):
    return Queued(job, "PENDING", "Dependency", "")


def write_log(step, job, task, text):
    path = WHOLE.folder / f"{step}-{job}_{task}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("GPUS=1 ", "GPUS=-1 ", "GPUS = '-1': Input should be greater than or equal to 0"),
        ("PARTS=4 ", "PARTS=four ", "PARTS = 'four': Input should be a valid integer"),
        ("TIME=04:00:00", "TIME=4h", "TIME = '4h': String should match pattern"),
        ("MEMORY=32G", "MEMORY=", "MEMORY = '': String should match"),
        ("ACCOUNT=", "ACOUNT=", "ACCOUNT is missing; unknown key ACOUNT"),
        ("NOTICE=120", "NOTICE=30", "NOTICE = '30': Input should be greater than or equal to 90"),
        ("TIME=04:00:00", "TIME=3", "TIME=3 leaves no time before NOTICE=120"),
        ("LOCAL=/tmp", "LOCAL=scratch", "LOCAL = 'scratch'"),
        ("OPTIONS= ", "OPTIONS=--qos=long --x ", "a value with spaces needs quotes"),
        ("OPTIONS= ", 'OPTIONS="--x=\'" ', 'OPTIONS = "--x=\'": No closing quotation'),
    ],
)
def test_wrong_settings(tmp_path, old, new, message):
    assert old in SHIPPED
    path = tmp_path / "cluster.env"
    path.write_text(SHIPPED.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        read_settings(path)
    assert message in str(error.value) and str(path) in str(error.value)


def test_settings_are_read_as_the_jobs_read_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/fast")
    path = tmp_path / "cluster.env"
    options = "OPTIONS=\"--qos=long --comment='two words'\" "
    path.write_text(SHIPPED.replace("OPTIONS= ", options).replace("LOCAL=/tmp", "LOCAL=$TMPDIR"))
    found = read_settings(path)
    assert found.local == "/fast"
    given = command(WHOLE, "merge", [1], found, "", "cache")
    assert given[given.index("--qos=long") + 1] == "--comment=two words"


@pytest.mark.parametrize(
    ("time", "expected"),
    [("90", 5400), ("2:30", 150), ("04:00:00", 14400), ("1-2", 93600), ("1-0:30", 88200),
     ("2-01:00:05", 176405)],
)  # fmt: skip
def test_times_of_slurm(time, expected):
    assert seconds(time) == expected


def test_what_sbatch_is_given():
    given = command(WHOLE, "variants", [1, 3], OURS, "afterok:3:7", "/cache")
    assert given[:4] == [
        "--job-name=variants.rho-1",
        "--array=1,3%16",
        "--dependency=afterok:3:7",
        "--kill-on-invalid-dep=yes",
    ]
    assert {"--gres=gpu:1", "--requeue", "--open-mode=append", "--signal=B:USR1@120"} < set(given)
    assert given[-4:-2] == ["slurm/variants.sbatch", "0" * 40] and given[-1] == "/cache"
    assert not any(part.startswith(("--account", "--partition")) for part in given)
    assert command(WHOLE, "tables", [1], OURS, "", "/cache")[-2:] == ["0" * 40, "rho"]
    assert not [x for x in command(WHOLE, "prepare", [1], OURS, "", "") if "depend" in x]
    no_gpu = OURS.model_copy(update={"gpus": 0})
    assert not [x for x in command(WHOLE, "prepare", [1], no_gpu, "", "") if "gres" in x]


@pytest.mark.parametrize(
    ("step", "jobs", "waits"),
    [
        ("prepare", {}, ""),
        ("extract", {"prepare": [1]}, "afterok:1"),
        ("merge", {"prepare": [1]}, "afterok:1"),
        ("merge", {"prepare": [1], "extract": [2, 6]}, "afterok:2:6"),
        ("variants", {"merge": [3], "extract": [2]}, "afterok:3"),
        ("variants", {}, ""),
        ("tables", {"merge": [3], "variants": [4, 9]}, "afterok:3,afterany:4:9"),
        ("tables", {"variants": [4]}, "afterany:4"),
        ("tables", {}, ""),
    ],
)
def test_what_a_step_waits_for(step, jobs, waits):
    assert dependency(step, jobs) == waits


@given(st.sets(st.integers(1, 60), min_size=1))
def test_ranges_hold_every_number_once(numbers):
    parts = [part.split("-") for part in ranges(numbers).split(",")]
    found = [n for part in parts for n in range(int(part[0]), int(part[-1]) + 1)]
    assert found == sorted(numbers)
    assert all(int(b[0]) - int(a[-1]) > 1 for a, b in pairwise(parts))


@pytest.fixture
def submitted(workspace):
    """The chain's record, written before any log."""
    write_chain(WHOLE)


def test_states_from_queue_experiments_and_logs(submitted):
    write_log("prepare", 1, 1, "...\n== status 0, 12 s, n1\n")
    write_log("extract", 2, 1, "== status 0, 70 s, n1\n")
    error = "10%|#\rerror in extract: disk full\nERROR: more\n== status 1, 3 s, n2\n"
    write_log("extract", 2, 2, error)
    write_log("variants", 4, 2, "== status 1, 9 s, n1\ntime limit: queued again\nRunning\n")
    known = {("variants", 1): running(4), ("variants", 3): pending(4)}
    found = tasks(WHOLE, known, {"b"}, left_is_done=False)
    assert [(task.step, task.state) for task in found] == [
        ("prepare", "done"), ("extract", "done"), ("extract", "failed"), ("merge", "failed"),
        ("variants", "running"), ("variants", "done"), ("variants", "waiting"),
        ("tables", "failed"),
    ]  # fmt: skip
    assert found[0].seconds == 12
    assert found[2].said.startswith("error in extract: disk full (")
    assert found[3].said == "it never began: cancelled, or a job that it waited for failed"
    assert (found[4].said, found[6].said) == ("on n3", "Dependency")
    silent = tasks(WHOLE, {}, set(), left_is_done=True)[5]
    assert silent.said.startswith("it ended without a word: killed, or its node failed (")
    left = tasks(WHOLE, {}, set(), left_is_done=True)[:4]
    assert {task.state for task in left} == {"done"}  # whatever the logs say


def test_the_latest_log_of_a_task_counts(submitted):
    now = time.time()
    for job, later in ((9, 2), (10, 3), (8, 1)):
        path = write_log("extract", job, 1, f"== status {job - 8}, 5 s, n1\n")
        os.utime(path, (now + later, now + later))
    assert tasks(WHOLE, {}, set(), False)[1].said.startswith("no output (")
    assert "extract-10_1.log" in tasks(WHOLE, {}, set(), False)[1].said


@pytest.mark.parametrize("step", ["prepare", "extract", "merge", "tables"])
def test_a_log_of_an_earlier_submission_is_no_success(workspace, step):
    """What became stale, was submitted again and then cancelled before it began."""
    path = write_log(step, 5, 1, "== status 0, 7 s, n1\n")
    os.utime(path, (1, 1))
    write_chain(WHOLE)
    position = [task.step for task in tasks(WHOLE, {}, set(), False)].index(step)
    task = tasks(WHOLE, {}, set(), left_is_done=False)[position]
    assert task.state == "failed" and task.said.startswith("it never began")
    if step != "tables":
        assert tasks(WHOLE, {}, set(), left_is_done=True)[position][3:] == ("done", "", 7)
    write_log(step, 6, 1, "== status 0, 8 s, n1\n")
    assert tasks(WHOLE, {}, set(), left_is_done=False)[position][3:] == ("done", "", 8)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10%|# slurmstepd-n1: error: *** JOB 7 ON n1 CANCELLED AT 9 ***\n== status 143, 1 s, n1\n",
         "JOB 7 ON n1 CANCELLED AT 9"),
        ("slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 9 DUE TO TIME LIMIT ***\n",
         "JOB 7 ON n1 CANCELLED AT 9 DUE TO TIME LIMIT"),
        ("error in label: class 'x' is empty\nERROR: failed\n== status 1, 1 s, n1\n",
         "error in label: class 'x' is empty"),
        ("ERROR: failed to run\n\n== status 255, 1 s, n1\n", "ERROR: failed to run"),
        ("== status 0, 5 s, n1\nagain, and killed\n", "it ended without a word"),
        ("== status 2, 0 s, n1\n", "no output"),
        ("slurmstepd: error: *** JOB 7 ON n1 CANCELLED DUE TO JOB REQUEUE ***\n"
         "== begun, now, n1\nKeyError: 1\n== status 1, 1 s, n1\n", "KeyError: 1"),
    ],
)  # fmt: skip
def test_why_a_task_failed(workspace, text, said):
    path = write_log("variants", 4, 1, f"== begun, now, n1\n{text}")
    one = tasks(WHOLE, {}, set(), left_is_done=True)[4]
    assert one.state == "failed" and one.said.startswith(said)
    assert str(path) in one.said


def test_a_task_that_slurm_is_ending(workspace):
    """It runs until its last word; while it is queued again, it has none."""
    ending = {("variants", 1): Queued(4, "COMPLETING", "None", "n1")}
    write_log("variants", 4, 1, "time limit: queued again\n")
    assert tasks(WHOLE, ending, set(), True)[4].state == "running"
    write_log("variants", 4, 1, "ERROR: no\n== status 1, 2 s, n1\n")
    assert tasks(WHOLE, ending, set(), True)[4].state == "failed"


def test_an_experiment_that_was_removed_has_failed(workspace):
    write_log("variants", 4, 1, "== status 0, 2 s, n1\n")
    one = tasks(WHOLE, {}, set(), True)[4]
    assert one.state == "failed" and one.said.startswith("its experiment is gone (")
    assert tasks(WHOLE, {}, {"a"}, True)[4][3:] == ("done", "", 2)


def queue_of(**steps):
    """A queue with these tasks of a step: each in a job of its own, 1 to 9."""
    return {(step, n): pending(job) for step, jobs in steps.items() for n, job in jobs.items()}


LEFT = {"prepare": [1], "extract": [1, 2], "merge": [1]}


@pytest.mark.parametrize(
    ("queued", "recorded", "stale", "tables_are_made", "wanted"),
    [
        ({}, "", ["sequences"], False, LEFT | {"variants": [1, 2, 3], "tables": [1]}),
        ({}, "", ["attention"], False, LEFT | {"variants": [1, 2, 3], "tables": [1]}),
        ({}, "abc", ["score"], True, LEFT | {"tables": [1]}),
        ({}, "ac", [], True, {"variants": [2], "tables": [1]}),
        ({}, "abc", [], True, {}),
        ({}, "abc", [], False, {"tables": [1]}),
        ({"variants": {2: 4}, "tables": {1: 5}}, "a", [], True, {"variants": [3], "tables": [1]}),
        ({"variants": {2: 4, 3: 4}, "tables": {1: 5}}, "a", [], True, {}),
        ({"tables": {1: 5}}, "abc", [], False, {}),
        # while the attention is made, all that waits for it is in the queue, or was cancelled
        ({"prepare": {1: 1}, "extract": {1: 2, 2: 2}}, "", ["sequences"], False, {}),
        ({"extract": {1: 2}}, "", ["attention"], False, {}),
        ({"merge": {1: 3}, "variants": {1: 4}}, "", ["attention"], False, {}),
    ],
)
def test_only_what_is_missing_is_submitted(
    workspace, monkeypatch, queued, recorded, stale, tables_are_made, wanted
):
    monkeypatch.setattr(submit.experiments, "stale", lambda *stages: stale)
    write_chain(WHOLE)
    if tables_are_made:
        write_log("tables", 5, 1, "== status 0, 2 s, n1\n")
    assert missing(WHOLE, queue_of(**queued), set(recorded)) == wanted


def test_tables_of_an_earlier_submission_are_made_again(workspace, monkeypatch):
    """Where those of the last one were cancelled."""
    monkeypatch.setattr(submit.experiments, "stale", lambda *stages: [])
    path = write_log("tables", 5, 1, "== status 0, 2 s, n1\n")
    os.utime(path, (1, 1))
    write_chain(WHOLE)
    assert missing(WHOLE, {}, {"a", "b", "c"}) == {"tables": [1]}


def test_two_chains_do_not_prepare_the_same_checkout(workspace):
    write_chain(WHOLE)
    other = dataclasses.replace(WHOLE, name="benchmark-2")
    require_no_other(other, {"rho-1": queue_of(variants={1: 4})})  # in clones of their own
    require_no_other(other, {"rho-3": queue_of(extract={2: 2})})  # of another checkout
    require_no_other(WHOLE, {"rho-1": queue_of(extract={2: 2})})
    with pytest.raises(UserError, match="chain rho-1 prepares its attention in this checkout"):
        require_no_other(other, {"rho-1": queue_of(extract={2: 2})})


def test_the_command_that_submits_a_chain_again(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    head = must(checkout, "git", "rev-parse", "HEAD").strip()
    changed = {"changes": ["train.grid.kernel=[6, 8]"], "prefix": "full-"}
    one = dataclasses.replace(WHOLE, commit=head, **changed)
    shown = "gor submit rho -S 'train.grid.kernel=[6, 8]' --prefix full-"
    assert again(one) == shown
    must(checkout, "git", "commit", "-q", "--allow-empty", "-m", "results")
    assert again(one) == f"git checkout {head[:7]} && {shown}"  # else it were a new chain


def test_new_jobs_wait_for_those_in_the_queue(workspace, monkeypatch):
    submitted = []
    monkeypatch.setattr(submit, "sbatch", lambda *given: submitted.append(given) or 9)
    monkeypatch.setattr(submit.experiments, "dvc", lambda *asked: "cache\n")
    queued = queue_of(variants={1: 4, 2: 6, 3: 4}, tables={1: 5})
    send(WHOLE, {"variants": [3], "tables": [1]}, queued, OURS, dry_run=False)
    variants, tables = submitted
    assert not [argument for argument in variants if argument.startswith("--dependency")]
    assert "--dependency=afterany:4:6:9" in tables


def test_only_the_attention_s_tasks_are_underway():
    assert underway(queue_of(extract={2: 2})) and not underway(queue_of(variants={1: 4}))


def test_chains_on_disk(workspace):
    with pytest.raises(UserError, match="no chain of jobs in"):
        chains.latest()
    write_chain(WHOLE)
    assert chains.latest() == chains.latest("rho-1") == WHOLE
    with pytest.raises(UserError, match="no chain 'x': there are rho-1"):
        chains.latest("x")


def test_time_left():
    done, ahead = Task("variants", 1, "a", "done", "", 30), Task("variants", 2, "b", "waiting")
    assert seconds_left([done, *[ahead] * 5], 2) == 3 * 30
    assert seconds_left([ahead], 2) is None
    assert [duration(x) for x in (9, 99, 600, 3700)] == ["9 s", "99 s", "10 min", "1 h 2 min"]


def test_lines_of_the_status():
    one = Task("variants", 1, "guess-rho0.5", "failed", "why (log)")
    done = Task("extract", 1, "part 1/2", "done", "", 7)
    assert list(listed([one, done], ("failed",))) == ["failed: variants guess-rho0.5, why (log)"]
    assert list(listed([one, done], ("done",))) == ["done: extract part 1/2, 7 s"]


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
    for one in [process, *psutil.Process(process.pid).children()]:
        one.kill()  # as SLURM does then
    process.communicate(timeout=15)
