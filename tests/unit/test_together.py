"""Many variants in one process: one that fails does not stop the others, and says why."""

import shutil
import sys

import numpy as np
import pandas as pd
import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.sweep import experiments, together
from guess_or_recall.sweep.declare import settle
from guess_or_recall.sweep.together import kept, take_over
from guess_or_recall.taxonomy.candidates import Population
from tests.unit.test_declare import BASE


@pytest.mark.parametrize(
    ("error", "reason"),
    [(UserError("class 'guess' is empty"), "class 'guess' is empty"),
     (KeyError("mean"), "KeyError: 'mean'")],
)  # fmt: skip
def test_a_failed_variant_keeps_its_traceback_in_a_log(workspace, error, reason):
    failures = {}
    with kept("guess-rho0.5", failures):
        raise error
    with kept("guess-rho0.6", failures):
        pass
    log = workspace / ".scratch/sweep/guess-rho0.5.log"
    assert failures == {"guess-rho0.5": f"{reason} (all of it: {log})"}
    assert "Traceback" in log.read_text() and "raise error" in log.read_text()
    assert [path.name for path in log.parent.iterdir()] == [log.name]


def test_ctrl_c_is_no_failure_of_a_variant(workspace):
    with pytest.raises(KeyboardInterrupt), kept("guess-rho0.5", {}):
        raise KeyboardInterrupt


def test_what_is_said_while_samples_are_drawn_is_passed_on(workspace, monkeypatch, capsys):
    def labelled(params, corpus):
        print("warning: something", file=sys.stderr)
        raise UserError("class 'guess' is empty")

    monkeypatch.setattr(together, "labelled", labelled)
    nothing = Population(pd.DataFrame(), np.empty(0, np.int64), pd.Series())
    assert together.drawn([settle({"taxonomy": "guess"}, BASE, "")], nothing, {}) == []
    assert capsys.readouterr().err == "warning: something\n"


@pytest.mark.parametrize("is_taken", [True, False])
def test_scratch_that_dvc_had_no_need_of_is_removed(workspace, monkeypatch, is_taken):
    scratch = workspace / ".scratch/train-1"
    (scratch / "result").mkdir(parents=True)
    (scratch / "result/cnns.json").touch()

    def record(setting):
        if is_taken:  # by the stage
            shutil.rmtree(scratch)

    monkeypatch.setattr(experiments, "record", record)
    assert take_over(settle({"taxonomy": "guess"}, BASE, ""), scratch) is None
    assert not scratch.exists()


def test_why_dvc_failed_stands_in_the_log(workspace, monkeypatch):
    program = workspace / "python"
    said = "error in train: disk full\\nERROR: failed to reproduce"
    program.write_text(f"#!/bin/sh\nprintf '{said}\\n'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(experiments.sys, "executable", str(program))
    setting = settle({"taxonomy": "guess"}, BASE, "")
    log = workspace / ".scratch/sweep" / f"{setting.name}.log"
    log.parent.mkdir(parents=True)
    assert experiments.record(setting) == f"error in train: disk full (all of it: {log})"
    assert "ERROR: failed to reproduce" in log.read_text()
