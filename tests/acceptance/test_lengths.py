"""All stages on sequences of other lengths than the paper's, from the text to the figures."""

import json
import shutil
import sys

import pandas as pd
import pyarrow.parquet as pq
import pytest

from guess_or_recall.settings.profiles import render
from guess_or_recall.settings.yaml import dump_yaml, parse_yaml
from tests.acceptance.test_pipeline import IN_ONE_PROCESS, STAGES
from tests.conftest import ROOT, run


@pytest.mark.parametrize(("prefix", "suffix"), [(50, 50), (32, 16)])
def test_the_whole_study_with_other_lengths(prefix, suffix, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    content = parse_yaml(render("micro"), "profile")
    content["sequences"] |= {"prefix": prefix, "suffix": suffix}
    content["ablate"]["cuts"] = {"off": [1], "only-prefix-to-suffix": [1]}
    (tmp_path / "params.yaml").write_text(dump_yaml(content))
    shutil.copy(ROOT / "versions.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    shutil.copytree(ROOT / "src", tmp_path / "src")
    command = [sys.executable, "-c", IN_ONE_PROCESS, *STAGES]
    done = run(tmp_path, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    tokens = pq.read_schema(tmp_path / "data/sequences/sequences.parquet").field("tokens").type
    continuation = pq.read_schema(tmp_path / "data/score/score.parquet").field("continuation").type
    assert (tokens.list_size, continuation.list_size) == (prefix + suffix, suffix)
    features = pd.read_parquet(tmp_path / "data/features/features.parquet")
    possible = {2 * shared / (prefix + suffix) for shared in range(min(prefix, suffix) + 1)}
    assert set(features["rouge_l"].round(9)) <= {round(value, 9) for value in possible}
    provenance = json.loads((tmp_path / "data/attention/provenance.json").read_text())
    assert provenance["packed"] == (prefix + suffix) * (prefix + suffix + 1) // 2
    assert json.loads((tmp_path / "data/train/cnns.json").read_text())["length"] == prefix + suffix
    assert json.loads((tmp_path / "metrics/evaluate.json").read_text())["min_f1"] >= 0
    assert (tmp_path / "figures/delta_maps.png").stat().st_size > 1000
