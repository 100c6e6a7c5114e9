"""The paper's data set as a source: made files in its schema, through the stages."""

# pandas' stubs take a selected table or column for any of several types
# pyright: reportArgumentType=false, reportCallIssue=false, reportGeneralTypeIssues=false

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from guess_or_recall.corpus.semantic_filters import rows
from guess_or_recall.corpus.semantic_filters.data_set import PUBLISHED
from guess_or_recall.corpus.semantic_filters.files import find_files
from guess_or_recall.corpus.semantic_filters.union import first_of_ids
from guess_or_recall.io.files import content_hash, read_json
from guess_or_recall.io.tables import token_matrix
from guess_or_recall.stages import attention as attention_stage
from guess_or_recall.stages import features as features_stage
from guess_or_recall.stages import pool as pool_stage
from guess_or_recall.stages import score as score_stage
from guess_or_recall.stages import sequences as sequences_stage
from tests.data_set import (
    metrics,
    read,
)


@pytest.fixture
def study(published_study):
    return published_study


def test_union_of_pile_and_memories(study):
    sequences_stage.main()
    counts = {"pile": 60, "memories": 30, "duplicates_dropped": 5, "sequences": 85}
    assert metrics("sequences") == counts
    sequences = read("sequences")
    parts = [pq.read_table(file.path).to_pandas() for file in find_files(study, "70m")]
    expected = pd.concat(parts).drop_duplicates("sequence_id").sort_values("sequence_id")
    assert len(expected.columns) == 27
    for name in ("sequence_id", "text", "sequence_duplicates"):
        assert sequences[name].tolist() == expected[name].tolist()
    for name in PUBLISHED:
        assert sequences[f"published_{name}"].tolist() == expected[name].tolist()
    assert sequences[["planted", "planted_copies", "document"]].isna().all(axis=None)
    file = pq.ParquetFile("data/sequences/sequences.parquet")
    assert file.schema_arrow.equals(rows.SCHEMA)
    assert file.num_row_groups == 6
    assert token_matrix(file.read()["tokens"]).tolist() == np.stack(expected["tokens"]).tolist()
    corpus = read_json(Path("data/sequences/corpus.json"))
    assert counts.items() <= corpus.items()
    assert (corpus["source"], corpus["path"], corpus["model"]) == (
        "semantic-filters",
        "filters",
        "70m",
    )
    manifest = pd.read_csv("data/sequences/manifest.csv")
    assert manifest["rows"].tolist() == [30, 30, 30]
    assert manifest["sha256"].str.len().eq(64).all()
    assert {path.name for path in Path("data/sequences").iterdir()} == {
        "sequences.parquet", "corpus.json", "coverage.json", "manifest.csv",
    }  # fmt: skip


def test_the_first_of_equal_ids_is_kept(study):
    """The pile's row before the memories', of the same split the earlier one."""
    files = find_files(study, "70m")
    assert [file.split for file in files] == ["pile", "pile", "memories"]
    ranks = first_of_ids(files)
    assert (ranks[:60] >= 0).all()
    assert np.flatnonzero(ranks < 0).tolist() == [60, 61, 62, 63, 80]


def test_two_runs_give_the_same_bytes(study):
    hashes = []
    for _ in range(2):
        for stage in (sequences_stage, score_stage, features_stage, pool_stage, attention_stage):
            stage.main()
        outputs = [Path("data") / name for name in ("sequences", "score", "features", "attention")]
        hashes.append(content_hash(*outputs, Path("metrics")))
        for output in outputs:
            shutil.rmtree(output)
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("large", lambda t: t.set_column(1, "text", t["text"].cast(pa.large_string()))),
        ("views", lambda t: t.set_column(1, "text", t["text"].cast(pa.string_view()))),
        ("words", lambda t: t.set_column(1, "text", t["text"].dictionary_encode())),
        ("lists", lambda t: t.set_column(2, "tokens", t["tokens"].cast(pa.list_(pa.int64(), 64)))),
    ],
)
def test_other_layouts_of_the_same_types(study, name, change):
    sequences_stage.main()
    before = content_hash(Path("data/sequences/sequences.parquet"))
    for file in (study / "data").iterdir():
        pq.write_table(change(pq.read_table(file)), file)
    sequences_stage.main()
    assert content_hash(Path("data/sequences/sequences.parquet")) == before
