"""What became of the tasks of a chain: states from the queue, experiments and logs."""

import os
import time

import pytest

from guess_or_recall.cluster.chain import (
    write_chain,
)
from guess_or_recall.cluster.slurm import Queued
from guess_or_recall.cluster.state import Task, seconds_left, tasks
from guess_or_recall.commands.status import listed
from guess_or_recall.report.words import duration
from tests.chains import WHOLE, pending, write_log


def running(job):
    return Queued(job, "RUNNING", "None", "n3")


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
    seen = tasks(WHOLE, known, {"b"}, left_is_done=False)
    assert [(task.step, task.state) for task in seen] == [
        ("prepare", "done"), ("extract", "done"), ("extract", "failed"), ("merge", "failed"),
        ("variants", "running"), ("variants", "done"), ("variants", "waiting"),
        ("tables", "failed"),
    ]  # fmt: skip
    assert seen[0].seconds == 12
    assert seen[2].said.startswith("error in extract: disk full (")
    assert seen[3].said == "it never began: cancelled, or a job that it waited for failed"
    assert (seen[4].said, seen[6].said) == ("on n3", "Dependency")
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
    task = tasks(WHOLE, {}, set(), left_is_done=True)[4]
    assert task.state == "failed" and task.said.startswith(said)
    assert str(path) in task.said


def test_a_task_that_slurm_is_ending(workspace):
    """It runs until its last word; while it is queued again, it has none."""
    ending = {("variants", 1): Queued(4, "COMPLETING", "None", "n1")}
    write_log("variants", 4, 1, "time limit: queued again\n")
    assert tasks(WHOLE, ending, set(), True)[4].state == "running"
    write_log("variants", 4, 1, "ERROR: no\n== status 1, 2 s, n1\n")
    assert tasks(WHOLE, ending, set(), True)[4].state == "failed"


def test_an_experiment_that_was_removed_has_failed(workspace):
    write_log("variants", 4, 1, "== status 0, 2 s, n1\n")
    task = tasks(WHOLE, {}, set(), True)[4]
    assert task.state == "failed" and task.said.startswith("its experiment is gone (")
    assert tasks(WHOLE, {}, {"a"}, True)[4][3:] == ("done", "", 2)


def test_time_left():
    done, ahead = Task("variants", 1, "a", "done", "", 30), Task("variants", 2, "b", "waiting")
    assert seconds_left([done, *[ahead] * 5], 2) == 3 * 30
    assert seconds_left([ahead], 2) is None
    assert [duration(x) for x in (9, 99, 600, 3700)] == ["9 s", "99 s", "10 min", "1 h 2 min"]


def test_lines_of_the_status():
    task = Task("variants", 1, "guess-rho0.5", "failed", "why (log)")
    done = Task("extract", 1, "part 1/2", "done", "", 7)
    assert list(listed([task, done], ("failed",))) == ["failed: variants guess-rho0.5, why (log)"]
    assert list(listed([task, done], ("done",))) == ["done: extract part 1/2, 7 s"]
