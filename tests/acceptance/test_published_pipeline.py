"""The pipeline on the paper's data set and a model of the hub, as both lie on a disk."""

# pandas' stubs take a selected table or column for any of several types
# pyright: reportArgumentType=false, reportCallIssue=false, reportGeneralTypeIssues=false

import contextlib
import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from huggingface_hub import constants

from guess_or_recall.commands import plan
from guess_or_recall.plan import needs
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from tests.conftest import copy_of, run_stages, stages

STAGES = stages()
COMMIT = "0123456789abcdef" * 2 + "01234567"  # of a model of the hub


def read(folder: Path, metrics: str) -> dict:
    return json.loads((folder / "metrics" / f"{metrics}.json").read_text())


def published_rows(folder: Path) -> pa.Table:
    """The sequences of a repository in the 27 columns of the data set semantic-filters."""
    tables = [folder / f"data/{name}/{name}.parquet" for name in ("sequences", "score", "features")]
    frames = [pq.read_table(path).to_pandas().set_index("sequence_id") for path in tables]
    frame = pd.concat(frames, axis=1).reset_index()
    floats = {f"{name}_perplexity": "float32" for name in ("prompt", "generation", "sequence")}
    kept = ["sequence_id", "text", "sequence_duplicates", "is_incrementing", "is_repeating"]
    frame = frame[[*kept, "memorization_score", *floats, "tokens"]].astype(floats)
    for number in range(16):
        frame[f"extra_{number}"] = number
    frame["huffman_coding_length"] = 1.0
    tokens = pa.array([row.tolist() for row in frame.pop("tokens")], pa.list_(pa.int64()))
    return pa.Table.from_pandas(frame, preserve_index=False).append_column("tokens", tokens)


def test_the_published_data_set_and_a_model_of_the_hub(micro, tmp_path, capsys, monkeypatch):
    """The same sequences, published scores and model from elsewhere give the same metrics."""
    folder = copy_of(micro, tmp_path)
    before = {stage: read(folder, stage) for stage in ("pool", "attention", "label", "evaluate")}
    rows, memorized = published_rows(folder), pc.field("memorization_score") == 1
    assert rows.num_columns == 27
    (folder / "filters").mkdir()
    for split, part in {"pile": rows, "memories": rows.filter(memorized)}.items():
        pq.write_table(part, folder / f"filters/{split}_deduped_70m-00000-of-00001.parquet")
    cached = folder / "hub/models--org--net/snapshots" / COMMIT
    shutil.copytree(folder / "data/model", cached)
    (cached / "corpus.json").unlink()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    content = read_yaml(folder / "params.yaml")
    content["sequences"]["source"] = "semantic-filters"
    filters = {"source": "path", "path": "filters", "model": "70m"}
    content["sequences"]["semantic_filters"] |= filters
    content["model"] |= {"source": "hub"}
    content["model"]["hub"] |= {"name": "org/net", "revision": COMMIT}
    content["score"]["source"] = content["features"]["templates"] = "published"
    (folder / "params.yaml").write_text(dump_yaml(content))
    for name in ("data", "metrics"):
        shutil.rmtree(folder / name)
    run_stages(folder, *STAGES[: STAGES.index("evaluate") + 1])
    counts = read(folder, "sequences")
    assert counts["sequences"] == counts["pile"] == rows.num_rows
    assert counts["duplicates_dropped"] == counts["memories"] > 0
    assert read(folder, "score")["reextracted_share"] == 1
    assert read(folder, "model")["commit"] == COMMIT
    for stage in ("pool", "attention", "evaluate"):
        assert read(folder, stage) == before[stage]
    assert read(folder, "label")["sampled"] == before["label"]["sampled"]
    monkeypatch.setattr(needs, "stale", lambda *stages: [])  # DVC does not know what ran by hand
    with contextlib.chdir(folder):
        plan.main(no_trial=True)
    said = capsys.readouterr().out
    assert f"their union is {read(folder, 'pool')['sequences']:,} sequences, their sum" in said
