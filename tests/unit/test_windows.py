"""Windows of layers that are to be cut, against the layers of a model, as early as it is known."""

from pathlib import Path

import pytest

import run
from guess_or_recall.commands import plan as plan_command
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import write_json
from guess_or_recall.io.paths import MODEL_POINTER
from guess_or_recall.localization.cuts import plan
from guess_or_recall.plan.shape import Shape
from guess_or_recall.settings.params import parse_params
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.stages import model, score
from tests.conftest import ROOT

SAID = r"ablate\.cuts\.off = 3 layers in a row: the model has attention in 2 layers: give at most 2"


@pytest.fixture
def study(workspace):
    """The default, which cuts 3 layers in a row, and a model with attention in 2 layers."""
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    write_json(MODEL_POINTER, {"attention_layers": [1, 3]})


def never():
    raise AssertionError("the stage ran")


def test_no_window_is_left_out():
    with pytest.raises(UserError, match=SAID):
        plan({"off": [1, 3]}, [1, 3], 5, seed=1)
    with pytest.raises(UserError, match=r"only-diagonal = 3 layers in a row"):
        plan({"off": [1], "only-diagonal": [3]}, [1, 3], 5, seed=1)
    assert len(plan({"off": [1, 2]}, [1, 3], 5, seed=1)) == 3


def test_scoring_does_not_begin(study, monkeypatch):
    monkeypatch.setattr(score, "main", never)
    with pytest.raises(UserError, match=SAID):
        run.run_stage("score")


def test_the_stage_that_makes_the_model_says_it(study, monkeypatch):
    monkeypatch.setattr(model, "main", lambda: None)
    with pytest.raises(UserError, match=SAID):
        run.run_stage("model")
    write_json(MODEL_POINTER, {"attention_layers": [0, 1, 3]})
    run.run_stage("model")


def test_a_stage_before_the_model_is_not_held_up_by_the_last_one(study, monkeypatch):
    from guess_or_recall.stages import sequences

    ran = []
    monkeypatch.setattr(sequences, "main", lambda: ran.append(1) or Path("data/sequences").mkdir())
    run.run_stage("sequences")
    assert ran


def test_a_plan_says_it_before_anything_runs(study, monkeypatch):
    shape = Shape(2, 4, 10)
    monkeypatch.setattr(plan_command, "shape_of", lambda config: shape)
    monkeypatch.setattr(plan_command, "config_of", lambda params: None)
    monkeypatch.setattr(plan_command, "needs_of", lambda params: None)
    with pytest.raises(UserError, match=SAID):
        plan_command.main(no_trial=True)


def test_a_window_is_listed_once():
    content = read_yaml(ROOT / "params.yaml")
    content["ablate"]["cuts"]["off"] = [1, 3, 1]
    with pytest.raises(UserError, match=r"cuts.off = \[1, 3, 1\]: give each number of layers once"):
        parse_params(dump_yaml(content), "here")
