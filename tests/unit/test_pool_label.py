"""The pool and label stages on made tables, as `python src/run.py` runs them."""

# pandas' stubs take a selected table or column for any of several types
# pyright: reportGeneralTypeIssues=false

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.stages import label as label_stage
from guess_or_recall.stages import pool as pool_stage
from guess_or_recall.taxonomy.trees import TREES, classify, tree
from tests.pools import ROWS, features, make_inputs, read, tables, write_params, write_tables


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_inputs()
    return tmp_path


def metrics(name):
    return json.loads(Path(f"metrics/{name}.json").read_text())


def test_pool_is_the_union_of_all_variants(workspace):
    pool_stage.main()
    pooled = read("data/pool/pool.parquet")
    assert pooled.dtypes.astype(str).to_dict() == {"sequence_id": "int64", "gallery": "bool"}
    assert np.all(np.diff(pooled["sequence_id"]) > 0)
    report = pd.read_csv("data/pool/variants.csv")
    assert len(report) == 27 + 3  # guess at 27 settings of ρ, recite-then-reconstruct at 3 δ
    assert report["variant"].is_unique
    assert report["variant"][0] == "guess rho=0.5"
    assert {"guess rho_l=0.3", "guess rho_3=0.9", "recite-then-reconstruct delta=50"} <= set(
        report["variant"]
    )
    assert report["sequences"].tolist() == [90] * 27 + [120] * 3
    assert set(report["shortage"]) == {"no"}
    assert report["adds"][0] == 90
    assert report["adds"].sum() == len(pooled)
    assert metrics("pool") == {
        "sequences": len(pooled),
        "sum_over_variants": 27 * 90 + 3 * 120,
        "ratio": (27 * 90 + 3 * 120) / len(pooled),
        "variants": 30,
        "balanced": 0,
        "left_out": 0,
    }


def test_gallery_shows_each_class_of_the_first_variant(workspace):
    write_params(attention__gallery=4)
    pool_stage.main()
    pooled = read("data/pool/pool.parquet")
    shown = pooled.loc[pooled["gallery"], "sequence_id"]
    frame = features().set_index("sequence_id")
    labels = classify(frame.loc[shown], tree("guess", {}), delta=5, rho_l=0.5, rho_3=0.5)
    assert np.bincount(labels).tolist() == [4, 4, 4]


def test_pool_does_not_depend_on_the_current_variant(workspace):
    pool_stage.main()
    before = Path("data/pool/pool.parquet").read_bytes()
    write_params(taxonomy="code", rho=0.123, rho_l="off", delta=77)
    pool_stage.main()
    assert Path("data/pool/pool.parquet").read_bytes() == before


def test_two_runs_give_the_same_bytes(workspace):
    outputs = ["data/pool/pool.parquet", "data/pool/variants.csv", "metrics/pool.json"]
    outputs += ["data/label/labels.parquet", "metrics/label.json"]
    runs = []
    for _ in range(2):
        pool_stage.main()
        label_stage.main()
        runs.append([Path(path).read_bytes() for path in outputs])
    assert runs[0] == runs[1]


def test_all_is_the_paper_s_benchmark(workspace):
    write_params(pool__taxonomies=["guess", "all"])
    pool_stage.main()
    report = pd.read_csv("data/pool/variants.csv")
    assert len(report) == 54 + 27 - 1
    assert report["variant"].is_unique
    assert {name.split()[0] for name in report["variant"]} == set(TREES)


@pytest.mark.parametrize("shortage", ["balance", "stop"])
def test_label_of_every_declared_variant_is_in_the_pool(workspace, shortage):
    samples = {"train": 300, "eval": 100, "shortage": shortage}  # more than some classes hold
    trees = ["guess-then-recite", "recite", "example-long-tail"]
    declared = {"samples": samples, "pool__taxonomies": trees, "pool__rhos": [0.5, 0.9]}
    write_params(**declared)
    pool_stage.main()
    report = pd.read_csv("data/pool/variants.csv")
    kinds = {"balance": {"balanced", "no"}, "stop": {"left out", "no"}}
    assert set(report["shortage"]) == kinds[shortage]
    outcomes = []
    for nodes in trees:
        for delta in (5, 50, 1000):
            for pair in ((0.9, 0.9), (0.9, "off"), ("off", 0.9)):
                write_params(**declared, taxonomy=nodes, delta=delta, rho_l=pair[0], rho_3=pair[1])
                outcomes.append(outcome())
    allowed = {"balance": {"labelled"}, "stop": {"labelled", "short"}}
    assert set(outcomes) == allowed[shortage]


def outcome():
    """Run the label stage; a sample outside the pool is no outcome, and raises."""
    try:
        label_stage.main()
    except UserError as error:
        if "samples.shortage" not in str(error):
            raise
        return "short"
    return "labelled"


def test_labels_are_the_classes_of_the_sample(workspace):
    write_params(taxonomy="recite-then-reconstruct", delta=50)
    pool_stage.main()
    label_stage.main()
    got = read("data/label/labels.parquet")
    assert got.dtypes.astype(str).to_dict() == {
        "sequence_id": "int64",
        "label": "int8",
        "class_name": "str",
        "part": "str",
    }
    assert np.all(np.diff(got["sequence_id"]) > 0)
    classes = ("non-memorized", "recite", "reconstruct", "others")
    counts = got.groupby(["class_name", "part"]).size().to_dict()
    assert counts == {(name, part): {"train": 20, "eval": 10}[part]
                      for name in classes for part in ("train", "eval")}  # fmt: skip
    frame = features()
    built = tree("recite-then-reconstruct", {})
    labels = classify(frame, built, delta=50, rho_l=0.5, rho_3=0.5)
    expected = pd.Series(labels, frame["sequence_id"])
    assert got["label"].tolist() == expected[got["sequence_id"]].tolist()
    assert got["class_name"].tolist() == [classes[label] for label in got["label"]]


def test_label_metrics_count_the_corpus_and_cross_the_planting(workspace):
    write_params(taxonomy="recite", pool__taxonomies=["recite"])
    pool_stage.main()
    label_stage.main()
    got, frame = metrics("label"), features()
    memorized = frame["memorization_score"] == 1
    recite = memorized & (frame["sequence_duplicates"] > 5)
    background = frame["sequence_duplicates"] == 1
    members = {"non-memorized": ~memorized, "recite": recite, "others": memorized & ~recite}
    assert got == {
        "corpus": {name: int(is_member.sum()) for name, is_member in members.items()},
        "sampled": {name: {"train": 20, "eval": 10} for name in members},
        "shortage": False,
        "planted": {
            name: {
                "background": int((is_member & background).sum()),
                "distinct": int((is_member & ~background).sum()),
            }
            for name, is_member in members.items()
        },
    }
    assert got["planted"]["recite"]["background"] == 0 < got["planted"]["recite"]["distinct"]


def test_unknown_planting_leaves_the_table_out(workspace):
    content = tables()
    content["sequences"]["planted"] = pa.array([None] * ROWS, pa.string())
    write_tables(content)
    pool_stage.main()
    label_stage.main()
    assert "planted" not in metrics("label")


def test_balance_is_said_and_recorded(workspace, capsys):
    write_params(samples={"train": 400, "eval": 200, "shortage": "balance"}, taxonomy="guess")
    pool_stage.main()
    capsys.readouterr()
    label_stage.main()
    got, said = metrics("label"), capsys.readouterr().err
    smallest = min(got["corpus"].values())
    assert got["shortage"] is True
    assert set(map(str, got["sampled"].values())) == {str(got["sampled"]["guess"])}
    assert sum(got["sampled"]["guess"].values()) == smallest < 600
    assert said.count("\n") == 1
    assert f"{got['sampled']['guess']['train']} train" in said


def test_stop_stops_with_counts(workspace):
    pool_stage.main()
    write_params(samples={"train": 400, "eval": 200, "shortage": "stop"})
    with pytest.raises(UserError, match=r"'recall' has \d+ of the 600 .*there are: non-mem"):
        label_stage.main()
    assert not Path("data/label").exists()


def test_a_variant_that_cannot_be_filled_is_left_out_with_a_warning(workspace, capsys):
    write_params(pool__taxonomies=["recite", "guess"], pool__deltas=[5, 5000])
    pool_stage.main()
    report = pd.read_csv("data/pool/variants.csv").set_index("variant")
    assert report.loc["recite delta=5000", ["sequences", "adds"]].tolist() == [0, 0]
    assert report.loc["recite delta=5000", "shortage"] == "left out"
    assert "recite:0" in report.loc["recite delta=5000", "classes"]
    assert "recite delta=5000 left out: class 'recite' is empty" in capsys.readouterr().err
    assert metrics("pool")["left_out"] == 1


def test_no_variant_at_all_is_an_error(workspace):
    write_params(pool__taxonomies=["recite"], pool__deltas=[5000])
    with pytest.raises(UserError, match="no declared variant can be filled"):
        pool_stage.main()
    assert not Path("data/pool").exists()
