"""Sweeps and their tables under real DVC, on the micro profile."""

# pandas' stubs take a selected table or column for any of several types
# pyright: reportGeneralTypeIssues=false

import fcntl
import os
import shutil
import signal
import time

import pandas as pd
import pytest

from tests import conftest, processes
from tests.conftest import commit, copy_of, environment, must
from tests.unit.test_tracking import group_of


@pytest.fixture(scope="module")
def study(micro, tmp_path_factory):
    """The micro study with small sweeps."""
    folder = copy_of(micro, tmp_path_factory.mktemp("study"))
    (folder / "sweeps.yaml").write_text(
        "small:\n  - {taxonomy: [guess, recite], rho: [0.4, 0.5]}\n"
        "far:\n  - {taxonomy: guess, rho: 0.9}\n"
        "failing:\n  - {taxonomy: guess, train.learning_rate: [1.0e+30, 0.002]}\n"
        "  - {taxonomy: guess, rho: 0.6, rho_l: off}\n"
    )
    params = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(params.replace("wandb: disabled", "wandb: offline"))
    commit(folder)
    return folder


@pytest.fixture(scope="module")
def direct(study):
    """The folder of a sweep that was run without DVC."""
    assert "3 variants done" in sweep(study, "small", "--folder", "direct")
    return study / "direct"


def git(folder, *arguments):
    return must(folder, "git", *arguments)


def run(folder, *arguments, code=0):
    ran = conftest.run(folder, "python", *arguments)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def sweep(folder, *arguments, code=0):
    return run(folder, "src/run.py", "sweep", *arguments, code=code)


def test_a_sweep_end_to_end(study, direct):
    """Experiments are recorded once, found again, and equal to what `dvc exp run` makes alone."""
    listed = sweep(study, "small", "--dry-run")
    assert listed.splitlines()[:2] == ["3 variants: 0 done, 3 to run", "guess-rho0.4"]
    assert "3 variants done, 0 failed" in sweep(study, "small")
    assert "3 variants: 3 done, 0 to run" in sweep(study, "small", "--dry-run")
    assert not list((study / ".scratch").glob("train-*"))
    paths = study.glob("wandb/offline-run-*/run-*.wandb")
    assert list(map(group_of, paths)) == ["small"] * 3  # one a variant
    tables = run(study, "src/run.py", "tables", "small")
    assert "small.csv, .md, .tex: 3 rows, 0 missing" in tables
    assert "guess-rho0.4" in (study / "results" / "small.md").read_text()
    run(study, "src/run.py", "tables", "small", "--folder", direct.name, "--out", "other")
    first, second = (study / name / "small.csv" for name in ("results", "other"))
    assert first.read_bytes() == second.read_bytes()


def test_a_hole_is_named(study, direct):
    without = shutil.ignore_patterns("recite-delta8")
    shutil.copytree(direct, study / "holes", ignore=without)
    said = run(study, "src/run.py", "tables", "small", "--folder", "holes", "--out", "holes_out")
    assert "2 rows, 1 missing" in said
    assert "Missing: recite-delta8" in (study / "holes_out" / "small.md").read_text()
    assert "1 to run" in sweep(study, "small", "--folder", "holes", "--dry-run")


def test_results_of_different_settings_are_not_mixed(study, direct):
    shutil.copytree(direct, study / "mixed")
    path = study / "mixed" / "guess-rho0.4" / "params.yaml"
    path.write_text(path.read_text().replace("epochs: 2", "epochs: 3"))
    said = run(study, "src/run.py", "tables", "small", "--folder", "mixed", code=1)
    assert "differ in train.epochs" in said
    assert "Traceback" not in said


def test_a_sweep_goes_on_past_variants_that_fail(study):
    """One diverges, one has too few sequences of a class; each has its traceback in a log."""
    said = sweep(study, "failing", code=1)
    assert "1 variants done, 2 failed" in said and "Traceback" not in said
    assert said.splitlines()[-1] == "error in sweep: 2 of 3 variants failed, see above"
    [experiment] = recorded(study, "guess-rho0.5-learning")
    assert experiment.endswith("rate0.002")
    for name, reason in (
        ("guess-rho0.5-learning_rate1e_30", "diverged"),
        ("guess-rho_3-0.6", "class 'guess' has only 7 sequences"),
    ):
        [line] = [line for line in said.splitlines() if line.startswith(f"  {name}: ")]
        log = (study / f".scratch/sweep/{name}.log").read_text()
        assert reason in line and reason in log and "Traceback (most recent call last)" in log


def test_a_rho_outside_the_pool(study):
    said = sweep(study, "far", code=1)
    assert "guess-rho0.9 is not in the pool: pool.rhos lacks 0.9" in said


def test_changes_right_of_the_bar_only(study):
    said = sweep(study, "small", "-S", "samples.train=9", code=1)
    assert "a key below train or evaluate" in said


def test_a_dirty_workspace(study):
    path = study / "params.yaml"
    before = path.read_text()
    path.write_text(before + "\n# edited\n")
    try:
        said = sweep(study, "small", code=1)
    finally:
        path.write_text(before)
    assert "the workspace differs from its commit (params.yaml)" in said


def test_what_experiments_would_lack(study):
    """Named before anything is trained; a file that git ignores is there for `dvc repro` alone."""
    path = study / "published/fasttext/model.bin"
    path.touch()
    try:
        said = sweep(study, "small", code=1)
    finally:
        path.unlink()
    assert "features.fasttext.path = published/fasttext: not in git" in said
    assert "published/fasttext/model.bin" in said and "variants" not in said


def test_two_sweeps_at_once(study):
    with open(study / ".scratch" / "sweep.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = sweep(study, "small", "--folder", "second", code=1)
    assert "another sweep runs in this repository" in said


def test_an_experiment_with_other_params(study):
    said = sweep(study, "small", "-S", "train.epochs=1", code=1)
    assert "is there with other params (train.epochs = 2, not 1)" in said
    assert "--prefix" in said


def interrupt(folder, prefix, number, sent):
    """Start a sweep and end it by a signal once `number` of its experiments are recorded."""
    command = ("src/run.py", "sweep", "small", "--prefix", prefix)
    process = processes.start(folder, command, environment())
    while len(recorded(folder, prefix)) < number:
        assert process.ended() is None, process.said()
        time.sleep(0.1)
    os.killpg(process.pid, sent)
    status = process.wait()
    return process.said(), status


def test_params_that_a_killed_run_of_dvc_left_are_put_back(study):
    """As DVC leaves them between its two steps; an edit of the user's is not touched."""
    path, begun = study / "params.yaml", study / ".scratch/sweep/guess-rho0.4.begun.json"
    committed = path.read_text()
    begun.parent.mkdir(parents=True, exist_ok=True)
    begun.touch()
    with open(study / ".scratch/sweep.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as where another one has not ended
        said = sweep(study, "small", "--dry-run", code=1)
    assert "error in sweep: another sweep runs in this repository" in said and begun.exists()
    for edited, restored in (("rho: 0.4 ", True), ("rho: 0.3 ", False)):
        begun.write_text('{"rho": 0.4}')
        path.write_text(committed.replace("rho: 0.5 ", edited, 1))
        assert path.read_text() != committed
        said = sweep(study, "small", "--dry-run", code=0 if restored else 1)
        assert ("params.yaml is as committed again" in said) == restored
        assert (path.read_text() == committed) == restored
        assert not begun.exists()
        path.write_text(committed)


def recorded(folder, prefix):
    """Experiments whose name begins so."""
    refs = git(folder, "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    return [ref for ref in refs if ref.rpartition("/")[2].startswith(prefix)]


def test_an_interrupted_sweep_goes_on(study):
    """Ctrl-C after the first experiment, kill -9 after the second; what stands is not redone."""
    said, code = interrupt(study, "again-", 1, signal.SIGINT)
    assert code == 130, said
    assert "sweep interrupted: earlier outputs stand, run it again" in said
    assert "Traceback" not in said
    _, code = interrupt(study, "again-", 2, signal.SIGKILL)
    assert code == -signal.SIGKILL
    before = recorded(study, "again-")
    said = sweep(study, "small", "--prefix", "again-")
    assert f"{3 - len(before)} variants done, 0 failed" in said
    assert set(before) < set(recorded(study, "again-"))


def test_a_table_of_several_models(study):
    """One prefix a model: each has its rows, and their confusion matrices are summed."""
    run(
        study, "src/run.py", "tables", "small", "--prefix", "", "--prefix", "again-", "--out", "two"
    )
    table = pd.read_csv(study / "two" / "small.csv")
    assert table["model"].value_counts().to_dict() == {"all": 3, "again": 3, "tiny": 3}
    f1 = table.pivot_table(index="variant", columns="model", values="min_f1")
    assert (f1["again"] == f1["tiny"]).all()  # the same inputs and seeds
    assert (f1["all"] == f1["tiny"]).all()  # twice the same matrix
