"""What the stages pool and label refuse: a pool that lacks sequences, inputs that do not fit."""

# pandas' stubs take a selected table or column for any of several types
# pyright: reportGeneralTypeIssues=false

import re
from pathlib import Path

import numpy as np
import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.settings.params import read_params
from guess_or_recall.settings.yaml import parse_yaml
from guess_or_recall.stages import label as label_stage
from guess_or_recall.stages import pool as pool_stage
from tests.pools import ROWS, make_inputs, read, tables, write_params, write_tables


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_inputs()
    return tmp_path


@pytest.mark.parametrize(
    ("current", "lacks"),
    [
        ({"taxonomy": "code"}, "pool.taxonomies lacks code: add it"),
        (
            {"taxonomy": "example-long-tail", "delta": 8},
            "pool.taxonomies lacks example-long-tail, pool.deltas lacks 8: add it",
        ),
        ({"taxonomy": "recite-then-reconstruct", "delta": 7}, "pool.deltas lacks 7: add it"),
        ({"rho": 0.25}, "pool.rhos lacks 0.25: add it"),
        ({"rho_l": "off", "rho_3": 0.25}, "pool.rhos lacks 0.25: add it"),
        ({"taxonomy": "own", "rho_l": 0.25}, r"lacks own, pool.rhos lacks \[0.25,0.5\]: add"),
        ({"rho_l": 0.25}, r"pool.rhos lacks \[0.25,0.5\]: add it"),
        ({"rho_l": "off", "rho_3": "off"}, r"pool.rhos lacks \[off,off\]: add it"),
        (
            {"taxonomy": "recite-then-guess", "delta": 7, "rho": 0.25},
            "pool.taxonomies lacks recite-then-guess, pool.deltas lacks 7, pool.rhos lacks 0.25:",
        ),
    ],
)
def test_what_the_pool_lacks_is_named_and_adding_it_is_enough(workspace, current, lacks):
    narrow = {"pool__deltas": [5], "pool__rhos": [0.5], "samples__train": 50}
    write_params(**narrow)
    pool_stage.main()
    write_params(**narrow | current)
    with pytest.raises(UserError, match=lacks) as caught:
        label_stage.main()
    extended = {
        f"pool__{key}": parse_yaml(value, "text")
        for key, value in re.findall(r"-S 'pool\.(\w+)=(.*?)'", str(caught.value))
    }
    write_params(**narrow | current | extended)
    pool_stage.main()
    label_stage.main()
    assert Path("data/label/labels.parquet").exists()


def test_a_tree_that_comes_by_all_at_another_rho_is_to_be_named(workspace):
    write_params(pool__taxonomies="all")
    pool_stage.main()
    write_params(pool__taxonomies="all", taxonomy="recite-then-guess")
    label_stage.main()
    write_params(pool__taxonomies="all", taxonomy="recite-then-guess", rho=0.9)
    with pytest.raises(UserError, match=r"taxonomies lacks .*pool.taxonomies=\[all,recite-then-gu"):
        label_stage.main()


def test_thresholds_that_do_not_matter_are_not_asked_for(workspace):
    pool_stage.main()
    write_params(delta=12345)  # guess does not use δ
    label_stage.main()
    write_params(taxonomy="recite-then-reconstruct", rho=0.123)  # nor this one ρ
    label_stage.main()


def test_an_old_pool_is_told(workspace):
    pool_stage.main()
    write_params(seed=43)
    with pytest.raises(UserError, match="the pool is out of date: run `dvc repro pool`"):
        label_stage.main()


def test_inputs_that_do_not_belong_together(workspace):
    content = tables()
    content["features"]["sequence_id"] = content["features"]["sequence_id"] + 1
    write_tables(content)
    with pytest.raises(UserError, match=r"features.parquet is not about the sequences of"):
        pool_stage.main()


def test_a_column_of_another_type(workspace):
    content = tables()
    content["score"]["memorization_score"] = content["score"]["memorization_score"].astype("f4")
    write_tables(content)
    with pytest.raises(UserError, match="'memorization_score' is float, not double"):
        pool_stage.main()


def test_a_bad_expression_stops_the_pool(workspace):
    taxonomies = {"mine": {"nodes": {"long": "length > 3"}}}
    write_params(taxonomies=taxonomies, pool__taxonomies=["mine"])
    with pytest.raises(UserError, match=r"no column 'length' .*sequence_duplicates, memor"):
        pool_stage.main()


def test_every_column_of_features_may_be_named(workspace):
    content = tables()
    content["features"]["is_shouting"] = np.arange(ROWS) % 3 == 0
    write_tables(content)
    nodes = {"shouting": "is_shouting"}
    write_params(taxonomies={"mine": {"nodes": nodes}}, taxonomy="mine", pool__taxonomies=["mine"])
    pool_stage.main()
    label_stage.main()
    shouting = set(content["features"]["sequence_id"][::3])
    labels = read("data/label/labels.parquet").query("label > 0")
    assert set(labels["class_name"]) == {"shouting", "others"}
    is_shouting = labels["sequence_id"].isin(shouting)
    assert ((labels["class_name"] == "shouting") == is_shouting).all()


def test_missing_inputs(workspace):
    with pytest.raises(UserError, match=r"pool.parquet is missing: make it with `dvc repro`"):
        label_stage.main()


def test_params_of_these_tests_are_allowed(workspace):
    assert read_params().samples.train == 20
