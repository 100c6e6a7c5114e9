"""What SLURM says in the surroundings that sites give it, and what a cluster does not allow."""

import os

import pytest

from guess_or_recall.cluster.chain import Chain
from guess_or_recall.cluster.limits import require_allowed
from guess_or_recall.cluster.settings import SETTINGS, read_settings
from guess_or_recall.cluster.slurm import Queued, queue, sbatch
from guess_or_recall.commands.submit import send
from guess_or_recall.errors import UserError
from tests.conftest import ROOT

SHIPPED = (ROOT / SETTINGS).read_text()
OURS = read_settings(ROOT / SETTINGS)
SQUEUE = (
    "extract.rho-1|7|1|PENDING|None|\nextract.rho-1|9|2|PENDING|None|\nmerge.rho-1|8|1|PENDING|x|"
)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Programs of SLURM that say what a test has them say; the others are not installed."""

    def says(name, output, status=0, stream=1):
        (tmp_path / f"{name}.says").write_text(output)
        program = tmp_path / name
        program.write_text(
            f"#!/bin/sh\n/bin/cat {tmp_path}/{name}.says >&{stream}\nexit {status}\n"
        )
        program.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    return says


@pytest.mark.parametrize(
    "said",
    [
        "Submitted batch job 12 on cluster far\n",
        "sbatch: lua: Submitted batch job 12\r\n",
        "sbatch: 3 GPUs of 40 are free\n12\n",
        "2026\nYou have 300 hours.\n12;far\n",  # a line of digits alone says less
        "\x1b[32m12\x1b[0m\n",
        "  12  \r\n*** down on Monday ***\n",
        "Submitted batch job 12\n300\n",
    ],
)
def test_the_number_of_a_job_in_any_surroundings(cluster, said):
    cluster("sbatch", said)
    assert sbatch("--job-name=extract.rho-1", "script") == 12


@pytest.mark.parametrize("said", ["done, thank you", "1\n2\n", "", "job 12 was taken, 5 before it"])
def test_a_job_without_a_plain_number_is_found_in_the_queue(cluster, said):
    cluster("sbatch", said)
    cluster("squeue", SQUEUE)
    assert sbatch("--job-name=extract.rho-1", "script") == 9
    with pytest.raises(UserError, match=r"may be in the queue all the same: .*; look by `squeue"):
        sbatch("--job-name=prepare.rho-1", "script")


@pytest.mark.parametrize(
    "line", ["{}", "  {}\r", "\x1b[1m{}\x1b[0m", "squeue: {}", "Welcome!\n\n{}\nBye | see you | 1"]
)
def test_the_queue_in_any_surroundings(cluster, line):
    cluster("squeue", line.format("extract.rho-1|4|1|RUNNING|None|n[1-2]") + "\n")
    assert queue() == {"rho-1": {("extract", 1): Queued(4, "RUNNING", "None", "n[1-2]")}}


def test_a_refusal_below_a_banner(cluster):
    refused = "Welcome to far\nsbatch: error: Invalid account\nsbatch: error: failed\n"
    cluster("sbatch", refused, status=1, stream=2)
    with pytest.raises(UserError, match=r"^sbatch refuses: sbatch: error: Invalid account$"):
        sbatch("script")


def refusal(wanted, **settings):
    with pytest.raises(UserError) as caught:
        require_allowed(wanted, OURS.model_copy(update=settings))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_arrays_that_are_too_long(cluster):
    """The highest number counts: the last index is one below MaxArraySize."""
    cluster("scontrol", "Welcome\nMaxArraySize            = 1001 \nMaxJobCount = 10000\n")
    require_allowed({"variants": [1, 1000], "extract": []}, OURS)
    said = refusal({"prepare": [1], "variants": [1001]})
    assert said.startswith("step variants has 1,001 tasks, and this cluster allows arrays up to")
    assert "number 1,000 (MaxArraySize = 1001): submit fewer sweeps" in said
    assert "lower PARTS in slurm/cluster.env" in refusal({"extract": range(1, 1500)})
    cluster("scontrol", "MaxArraySize = 0\n")
    assert "this cluster allows no arrays (MaxArraySize = 0)" in refusal({"prepare": [1]})


def test_nothing_is_queued_where_a_later_job_would_be_refused(cluster):
    cluster("scontrol", "MaxArraySize = 3\n")
    cluster("sbatch", "12\n")
    wanted = {"prepare": [1], "extract": [1, 2], "variants": [1, 2, 3]}
    with pytest.raises(UserError, match="step variants has 3 tasks"):
        send(Chain("rho-1", "0" * 40, ["rho"], [], "", 2, ["a"]), wanted, {}, OURS, dry_run=False)


def test_partitions(cluster):
    cluster(
        "sinfo", "far, 2026\ncpu|up|infinite\ngpu|up|1:00:00\nold|drain|2-00:00:00\nodd|up|n/a\n"
    )
    require_allowed({}, OURS.model_copy(update={"partition": "odd"}))
    require_allowed({}, OURS.model_copy(update={"partition": "cpu"}))
    require_allowed({}, OURS.model_copy(update={"partition": "gpu,cpu"}))
    require_allowed({}, OURS)
    assert "PARTITION = 'x': this cluster has cpu, gpu, odd, old" in refusal({}, partition="x")
    assert "'old' takes no jobs now" in refusal({}, partition="old")
    said = refusal({}, partition="gpu")
    assert "TIME = 04:00:00: jobs of gpu may take 1:00:00 at most: lower it" in said


def test_tasks_that_a_user_may_not_have(cluster):
    cluster("sacctmgr", "lab|10|\nother||\n")
    cluster("squeue", "Welcome\n" + "41\n" * 8)
    require_allowed({"variants": [1, 2]}, OURS.model_copy(update={"account": "lab"}))
    require_allowed({"variants": [1, 2, 3]}, OURS)
    said = refusal({"extract": [1], "variants": [1, 2]}, account="lab")
    assert said.startswith("3 tasks beside 8 in the queue are more than the 10 that you may have")


def test_what_a_cluster_does_not_tell_is_not_checked(cluster):
    require_allowed({"variants": range(5000)}, OURS)
    cluster("scontrol", "slurm_load_ctl_conf error", status=1, stream=2)
    cluster("sinfo", "PARTITION AVAIL\n")
    cluster("sacctmgr", "lab||\n")
    require_allowed({"variants": range(5000)}, OURS)


@pytest.mark.parametrize(
    "option",
    [
        *("--job-name=x", "-J x", "--array 1", "-Mfar", "--clusters=far"),
        *("--arra=1", "--test-only", "--wait"),  # sbatch takes the beginning of an option
    ],
)
def test_options_by_which_jobs_would_be_lost(tmp_path, option):
    path = tmp_path / "cluster.env"
    path.write_text(SHIPPED.replace("OPTIONS= ", f'OPTIONS="--qos=long {option}" '))
    with pytest.raises(UserError, match="is not free: it is given by `gor submit`"):
        read_settings(path)
    free = f"--qos=long --time-min=10 --comment={os.sep}a"
    path.write_text(SHIPPED.replace("OPTIONS= ", f'OPTIONS="{free}" '))
    assert read_settings(path).options == free


def test_settings_that_cannot_be_read(tmp_path):
    path = tmp_path / "cluster.env"
    for content, why in [
        (SHIPPED.encode("utf-16"), "is not UTF-8"),
        (SHIPPED.encode() + b"# \xff", "is not UTF-8"),
        (SHIPPED.encode() + b"exit 3", "the shell that reads it ends with status 3"),
    ]:
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"cluster.env.* {why}"):
            read_settings(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match=r"cluster.env is a folder"):
        read_settings(path)
