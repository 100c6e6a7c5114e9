"""All stages on sequences of other lengths than the paper's, from the text to the figures."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from guess_or_recall.settings.profiles import render
from guess_or_recall.settings.yaml import dump_yaml, parse_yaml
from tests.conftest import ROOT, run_stages, stages
from tests.unit.test_rouge import reference


@pytest.mark.parametrize(("prefix", "suffix"), [(50, 50), (32, 16)])
def test_the_whole_study_with_other_lengths(prefix, suffix, workspace, monkeypatch):
    with monkeypatch.context() as patched:
        patched.chdir(ROOT)
        content = parse_yaml(render("micro"), "profile")
    content["sequences"] |= {"prefix": prefix, "suffix": suffix}
    content["model"]["train"]["epochs"] = 8  # longer sequences are memorized later
    content["ablate"]["cuts"] = {"off": [1], "only-prefix-to-suffix": [1]}
    (workspace / "params.yaml").write_text(dump_yaml(content))
    (workspace / "profiles").symlink_to(ROOT / "profiles")
    run_stages(workspace, *stages())
    sequences = pq.read_table("data/sequences/sequences.parquet")
    continuation = pq.read_schema("data/score/score.parquet").field("continuation").type
    assert sequences.schema.field("tokens").type.list_size == prefix + suffix
    assert continuation.list_size == suffix
    features = pd.read_parquet("data/features/features.parquet")
    tokens = np.stack(sequences["tokens"].to_numpy())
    assert features[["rouge_3", "rouge_l"]].to_numpy().T.tolist() == reference(tokens, prefix)
    provenance = json.loads((workspace / "data/attention/provenance.json").read_text())
    assert provenance["packed"] == (prefix + suffix) * (prefix + suffix + 1) // 2
    assert json.loads((workspace / "data/train/cnns.json").read_text())["length"] == prefix + suffix
    votes = pd.read_csv("data/evaluate/confusion.csv").query("epoch == 'last'")
    evaluation = json.loads((workspace / "metrics/evaluate.json").read_text())
    assert evaluation["last_epoch"]["min_f1"] == pytest.approx(minimum_f1(votes))
    assert (workspace / "figures/delta_maps.png").stat().st_size > 1000


def minimum_f1(votes: pd.DataFrame) -> float:
    """The lowest F1 of the classes of a confusion matrix."""
    matrix = votes.pivot_table(index="actual", columns="predicted", values="count").to_numpy()
    return float((2 * np.diag(matrix) / (matrix.sum(0) + matrix.sum(1))).min())
