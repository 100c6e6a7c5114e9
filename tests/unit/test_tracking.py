"""wandb: one offline run with every CNN in it, and nothing that waits."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guess_or_recall.tracking import curves, runs
from tests.conftest import line_of
from tests.settings import params

SOURCE = str(Path(curves.__file__).parents[2])
ROW = {"cnn": "k6-f10-mean", "epoch": 1, "train_loss": 1.5, "min_f1": 0.25}
START = f"""
import sys, time
sys.path.insert(0, {SOURCE!r})
from pathlib import Path
from guess_or_recall.tracking.curves import Run, tracked
ROW = {ROW!r}
"""


def run(code, folder, **environment):
    """A process of its own: wandb keeps a service and settings of the whole process."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    return subprocess.Popen(
        [sys.executable, "-W", "error::ResourceWarning", "-c", START + code],
        cwd=folder,
        env=kept | {"NETRC": str(folder / "none")} | environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def offline_run(folder):
    """The one offline run under a folder, read back by wandb's own reader: summary, history."""
    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    whole = json.loads(inspect(path, "--summary"))
    lines = [json.loads(line) for line in inspect(path).splitlines()]
    return whole, [line["history"]["item"] for line in lines if line["type"] == "history"]


def group_of(path):
    """The group of an offline run."""
    lines = [json.loads(line) for line in inspect(path).splitlines()]
    [run] = [line["run"] for line in lines if line["type"] == "run"]
    return run.get("run_group")


def inspect(path, *options):
    command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", "--json", *options, path]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_curves():
    assert curves.curves(ROW) == {
        "epoch": 1,
        "k6-f10-mean/train_loss": 1.5,
        "k6-f10-mean/min_f1": 0.25,
    }


def test_offline_run_read_back(tmp_path):
    code = """
with tracked("offline", Run("guess delta=5 rho=0.5", {"delta": 5}, Path())) as report:
    report(ROW)
    report(ROW | {"cnn": "k8-f16-max", "train_loss": 0.5})
"""
    child = run(code, tmp_path)
    assert child.communicate(timeout=60)[1] == ""
    assert child.returncode == 0
    whole, rows = offline_run(tmp_path)
    assert whole["name"] == "guess delta=5 rho=0.5"
    assert whole["config"] == {"delta": 5}
    assert whole["state"] == "finished"
    assert whole["console"] == []
    assert len(rows) == 2
    assert rows[0]["k6-f10-mean/train_loss"] == 1.5
    assert rows[1]["k8-f16-max/train_loss"] == 0.5
    assert rows[1]["epoch"] == 1
    assert not [path for path in tmp_path.glob("wandb/*/files/**/*") if path.is_file()]


def test_sigterm_finishes_the_run(tmp_path):
    code = """
with tracked("offline", Run("n", {}, Path())) as report:
    report(ROW)
    print("ready", flush=True)
    time.sleep(60)
"""
    child = run(code, tmp_path)
    assert line_of(child) == "ready\n"
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=30)
    assert child.returncode == 128 + signal.SIGTERM
    whole, rows = offline_run(tmp_path)
    assert rows[0]["k6-f10-mean/min_f1"] == 0.25
    assert whole["state"] not in ("running", "finished")
    assert whole["exit_code"] == 1


def test_work_that_is_taken_up_again_is_one_run_of_its_group(tmp_path):
    """A run killed with its first row, and the next attempt, which reports that row again."""
    code = """
with tracked("offline", Run("n", {}, Path("elsewhere"), "train-1", GROUP)) as report:
    report(ROW)
    print("ready", flush=True)
    time.sleep(SECONDS)
    report(ROW | {"epoch": 2})
"""
    where = {"WANDB_DIR": str(tmp_path), "WANDB_RUN_GROUP": "of the environment"}
    first = run(code.replace("GROUP", "None").replace("SECONDS", "60"), tmp_path, **where)
    assert line_of(first) == "ready\n"
    first.kill()
    first.communicate()
    assert len(list(tmp_path.glob("wandb/offline-run-*-train-1"))) == 1
    for group, expected in (("None", "of the environment"), ("'rho'", "rho")):
        again = run(code.replace("GROUP", group).replace("SECONDS", "0"), tmp_path, **where)
        again.communicate(timeout=60)
        _, rows = offline_run(tmp_path)  # of one run
        assert [row["epoch"] for row in rows] == [1, 2]
        assert group_of(next(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))) == expected


def test_a_wandb_that_dies_stops_nothing(tmp_path):
    code = """
import psutil
with tracked("offline", Run("n", {}, Path())) as report:
    report(ROW)
    for child in psutil.Process().children(recursive=True):
        child.kill()
    psutil.wait_procs(psutil.Process().children())
    for epoch in range(2, 30):
        report(ROW | {"epoch": epoch})
        time.sleep(0.01)
print("trained")
"""
    child = run(code, tmp_path)
    said, error = child.communicate(timeout=60)
    assert (said, child.returncode) == ("trained\n", 0)
    assert error.startswith("warning: wandb fails (")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "no API key for 127.0.0.1"),
        ({"WANDB_API_KEY": "0" * 40}, "127.0.0.1 cannot be reached"),
    ],
)
def test_online_without_server_goes_on_offline(tmp_path, environment, said):
    code = """
with tracked("online", Run("n", {}, Path())) as report:
    report(ROW)
"""
    begun = time.monotonic()
    child = run(code, tmp_path, WANDB_BASE_URL="http://127.0.0.1:9", **environment)
    error = child.communicate(timeout=60)[1]
    assert child.returncode == 0
    assert time.monotonic() - begun < 45
    assert error.startswith("warning: wandb goes on offline: ")
    assert said in error
    assert error.count("\n") == 1
    assert offline_run(tmp_path)[1][0]["epoch"] == 1


def test_disabled_writes_and_imports_nothing(tmp_path):
    code = """
with tracked("disabled", Run("n", {}, Path())) as report:
    report(ROW)
assert "wandb" not in sys.modules
"""
    child = run(code, tmp_path)
    assert child.communicate(timeout=60)[1] == ""
    assert child.returncode == 0
    assert not list(tmp_path.iterdir())


def test_sigterm_handler_is_given_back():
    before = signal.getsignal(signal.SIGTERM)
    with curves.ended_by_sigterm():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_name_of_the_run():
    """That of the variant, so without the thresholds that do not matter."""
    assert runs.run_name(params()) == "guess rho=0.5 seed=42"
    changed = params(taxonomy="recite-or-guess", rho_3="off")
    assert runs.run_name(changed) == "recite-or-guess delta=50 rho_l=0.5 seed=42"
