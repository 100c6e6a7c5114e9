"""A chain of jobs without SLURM: settings, what is submitted in which state, what logs say."""

import dataclasses
import os
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guess_or_recall.cluster import chain as chains
from guess_or_recall.cluster.chain import (
    command,
    dependency,
    ranges,
    write_chain,
)
from guess_or_recall.cluster.settings import SETTINGS, read_settings, seconds
from guess_or_recall.cluster.state import underway
from guess_or_recall.commands import submit
from guess_or_recall.commands.submit import missing, require_no_other, send
from guess_or_recall.errors import UserError
from tests.chains import SHIPPED, WHOLE, pending, write_log
from tests.conftest import ROOT

OURS = read_settings(ROOT / SETTINGS)


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
    settings = read_settings(path)
    assert settings.local == "/fast"
    arguments = command(WHOLE, "merge", [1], settings, "", "cache")
    assert arguments[arguments.index("--qos=long") + 1] == "--comment=two words"


@pytest.mark.parametrize(
    ("time", "expected"),
    [("90", 5400), ("2:30", 150), ("04:00:00", 14400), ("1-2", 93600), ("1-0:30", 88200),
     ("2-01:00:05", 176405)],
)  # fmt: skip
def test_times_of_slurm(time, expected):
    assert seconds(time) == expected


def test_what_sbatch_is_given():
    arguments = command(WHOLE, "variants", [1, 3], OURS, "afterok:3:7", "/cache")
    assert arguments[:4] == [
        "--job-name=variants.rho-1",
        "--array=1,3%16",
        "--dependency=afterok:3:7",
        "--kill-on-invalid-dep=yes",
    ]
    assert {"--gres=gpu:1", "--requeue", "--open-mode=append", "--signal=B:USR1@120"} < set(
        arguments
    )
    assert arguments[-4:-2] == ["slurm/variants.sbatch", "0" * 40] and arguments[-1] == "/cache"
    assert not any(part.startswith(("--account", "--partition")) for part in arguments)
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
    numbered = [n for part in parts for n in range(int(part[0]), int(part[-1]) + 1)]
    assert numbered == sorted(numbers)
    assert all(int(b[0]) - int(a[-1]) > 1 for a, b in pairwise(parts))


@pytest.fixture
def submitted(workspace):
    """The chain's record, written before any log."""
    write_chain(WHOLE)


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
    second = dataclasses.replace(WHOLE, name="benchmark-2")
    require_no_other(second, {"rho-1": queue_of(variants={1: 4})})  # in clones of their own
    require_no_other(second, {"rho-3": queue_of(extract={2: 2})})  # of another checkout
    require_no_other(WHOLE, {"rho-1": queue_of(extract={2: 2})})
    with pytest.raises(UserError, match="chain rho-1 prepares its attention in this checkout"):
        require_no_other(second, {"rho-1": queue_of(extract={2: 2})})


def test_new_jobs_wait_for_those_in_the_queue(workspace, monkeypatch):
    submitted = []
    monkeypatch.setattr(submit, "sbatch", lambda *arguments: submitted.append(arguments) or 9)
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
