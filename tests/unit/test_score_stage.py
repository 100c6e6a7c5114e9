"""The stage `score`: shards, resume after a kill, bad input."""

import os
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.io.files import write_json
from guess_or_recall.io.paths import MODEL, SEQUENCES
from guess_or_recall.io.tables import token_column, write_table
from guess_or_recall.model.load import load_model
from guess_or_recall.model.scoring import score
from guess_or_recall.model.training import new_model
from guess_or_recall.model.weights import content_of_model
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.stages import score as score_stage
from tests.conftest import ROOT
from tests.processes import start

ROWS = 150


@pytest.fixture
def scoring(workspace):
    """A workspace with a random model and random sequences, in shards of 16."""
    params = read_yaml(ROOT / "params.yaml")
    params["score"] |= {"batch": 8, "decode_batch": 8, "shard": 16}
    (workspace / "params.yaml").write_text(dump_yaml(params))
    new_model(vocabulary=60, layers=2, width=32, heads=4, length=64, seed=0).save_pretrained(
        workspace / "net"
    )
    weights = content_of_model(workspace / "net", "net")
    write_json(workspace / "data/model/model.json", {"path": "net", **weights})
    write_sequences(np.random.default_rng(0).integers(1, 60, (ROWS, 64)))
    return workspace


def write_sequences(tokens):
    table = {
        "sequence_id": pa.array(range(100, 100 + len(tokens))),
        "tokens": token_column(tokens),
        "sequence_duplicates": pa.array([1] * len(tokens), pa.int64()),
        "planted": pa.array([None] * len(tokens), pa.string()),
    }
    write_table(SEQUENCES, pa.table(table))


def test_shards_cover_every_sequence(scoring):
    score_stage.main()
    table = pd.read_parquet("data/score/score.parquet")
    assert table.sequence_id.tolist() == list(range(100, 100 + ROWS))
    tokens = np.random.default_rng(0).integers(1, 60, (ROWS, 64))
    whole = score(load_model(MODEL), tokens, 32, batch=50, decode_batch=50)
    assert np.stack(table.continuation.tolist()).tolist() == whole.continuation.tolist()
    np.testing.assert_allclose(table.sequence_perplexity, whole.sequence_perplexity, rtol=1e-5)
    assert not list((scoring / ".scratch").glob("*/*"))


def test_a_killed_score_keeps_its_shards_and_ends_with_the_same_bytes(scoring):
    score_stage.main()
    whole = (scoring / "data/score/score.parquet").read_bytes()
    (scoring / "data/score/score.parquet").unlink()
    command = (str(ROOT / "src" / "run.py"), "score")
    finished = 0
    while finished < 2:  # kill it each time a shard more is done
        process = start(scoring, command, os.environ)
        while process.ended() is None and len(shards(scoring)) <= finished:
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -9
        assert len(shards(scoring)) > finished
        finished = len(shards(scoring))
    ages = {shard: shard.stat().st_mtime_ns for shard in shards(scoring)}
    last = start(scoring, command, os.environ)
    while last.ended() is None:
        kept = {shard: shard.stat().st_mtime_ns for shard in ages if shard.exists()}
        assert all(ages[shard] == age for shard, age in kept.items())
        time.sleep(0.05)
    assert last.wait() == 0
    assert (scoring / "data/score/score.parquet").read_bytes() == whole


def test_a_killed_score_is_taken_up_with_other_batches_and_shards(scoring, monkeypatch):
    """Other batches keep the finished shards; shards of another size are made beside them."""
    score_stage.main()
    whole = pd.read_parquet("data/score/score.parquet")
    monkeypatch.setattr(score_stage, "write_table", interrupt)
    changes = [{}, {"batch": 4, "decode_batch": 16}, {"shard": 40}]
    finished = []
    for change in changes:
        params = read_yaml(scoring / "params.yaml")
        params["score"] |= change
        (scoring / "params.yaml").write_text(dump_yaml(params))
        with pytest.raises(KeyboardInterrupt):
            score_stage.main()
        finished.append({shard: shard.stat().st_mtime_ns for shard in shards(scoring)})
    assert finished[0] == finished[1]
    assert len(finished[2]) == len(finished[0]) + 4
    monkeypatch.undo()
    monkeypatch.chdir(scoring)
    score_stage.main()
    pd.testing.assert_frame_equal(pd.read_parquet("data/score/score.parquet"), whole, rtol=1e-5)


def interrupt(*arguments):
    raise KeyboardInterrupt


def shards(folder):
    return sorted((folder / ".scratch").glob("score-*/*.parquet"))


def test_tokens_outside_the_vocabulary(scoring):
    write_sequences(np.full((20, 64), 60))
    with pytest.raises(UserError, match="token ids run from 60 to 60, the model knows 0 to 59"):
        score_stage.main()


def test_other_columns(scoring):
    write_table(SEQUENCES, pa.table({"sequence_id": pa.array([1])}))
    with pytest.raises(UserError, match="no column 'tokens'"):
        score_stage.main()


def test_decoding_may_be_left_to_the_pool(scoring):
    """One forward pass: the same who is memorized; others have the least score, no continuation."""
    score_stage.main()
    whole = pd.read_parquet("data/score/score.parquet")
    params = read_yaml(scoring / "params.yaml")
    params["score"] |= {"decode": "pool", "batch": "auto", "decode_batch": "auto"}
    (scoring / "params.yaml").write_text(dump_yaml(params))
    score_stage.main()
    table = pd.read_parquet("data/score/score.parquet")
    memorized = whole.memorization_score == 1
    assert (table.memorization_score == 1).tolist() == memorized.tolist()
    assert (table.memorization_score <= whole.memorization_score).all()
    known = np.stack(table.continuation.tolist())[:, 0] >= 0
    assert known.tolist() == memorized.tolist()
