"""The stage `sequences`: which windows are planted, shown and studied; a corpus of one's own."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from rouge_score.rouge_scorer import _score_lcs

from guess_or_recall.corpus.tokenizer import load_tokenizer
from guess_or_recall.errors import UserError
from guess_or_recall.features.templates import templates
from guess_or_recall.io.tables import token_matrix
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.stages import sequences as stage
from tests.conftest import ROOT

COPIES = {2: 10, 7: 20}


def settle(workspace, **changes):
    """Write params.yaml: a small corpus of one package, with changes."""
    params = read_yaml(ROOT / "params.yaml")
    params["sequences"] |= {
        "packages": ["mpmath"],
        "tokenizer": {"source": "train", "path": None, "vocabulary": 512, "train_mb": 0.3},
        "background": 500,
        "planted": {
            "template": {"template": True, "copies": {3: 2}},
            "distinct": {"rouge_l": [0.0, 0.4], "copies": COPIES},
            "similar": {"rouge_l": [0.5, 1.0], "copies": COPIES},
        },
        "studied": {"background": 100, "template": 2, "distinct": 25, "similar": 30},
    } | changes
    (workspace / "params.yaml").write_text(dump_yaml(params))


def read(name):
    table = pq.read_table(f"data/sequences/{name}.parquet")
    return table.to_pandas(), token_matrix(table["tokens"])


@pytest.mark.parametrize(("prefix", "suffix"), [(32, 32), (21, 12)])
def test_planted_shown_and_studied(workspace, prefix, suffix):
    settle(workspace, prefix=prefix, suffix=suffix)
    stage.main()
    frame, tokens = read("sequences")
    _, stream = read("stream")
    assert stream.shape[1] == tokens.shape[1] == prefix + suffix
    assert len(stream) == 500 + 2 * 3 + 2 * (2 * 10 + 7 * 20)
    assert frame.planted.value_counts().to_dict() == {
        "background": 100, "similar": 30, "distinct": 25, "template": 2,
    }  # fmt: skip
    for kind, low, high in (("distinct", 0.0, 0.4), ("similar", 0.5, 1.01)):
        for row in tokens[frame.planted == kind]:
            precise = _score_lcs(list(row[:prefix]), list(row[prefix:])).fmeasure
            assert low <= precise < high
    assert np.logical_or(*templates(frame.text[frame.planted == "template"].tolist())).all()
    shown = [(stream == row).all(axis=1).sum() for row in tokens]
    assert (np.array(shown) >= frame.planted_copies).all()
    suffixes = [(stream[:, prefix:] == row[prefix:]).all(axis=1).sum() for row in tokens]
    assert (frame.sequence_duplicates >= suffixes).all()  # a window may hold one at another place
    assert (frame.sequence_duplicates == suffixes).mean() > 0.9
    tokenizer = load_tokenizer(workspace / "data/sequences/tokenizer")
    assert frame.text.tolist() == [tokenizer.decode(row) for row in tokens]


def test_what_is_studied_does_not_change_the_stream(workspace):
    settle(workspace)
    stage.main()
    before = json.loads((workspace / "data/sequences/corpus.json").read_text())
    settle(workspace, studied={"background": 7})
    stage.main()
    assert json.loads((workspace / "data/sequences/corpus.json").read_text()) == before
    assert len(read("sequences")[0]) == 7


def test_own_files_are_counted_over_all_documents(workspace):
    line = " ".join(f"word{n * n}" for n in range(60))
    rows = [{"text": line}] * 5 + [{"text": f"{n} " + line[::-1]} for n in range(300)]
    (workspace / "corpus").mkdir()
    (workspace / "corpus" / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settle(workspace, source="files", studied={"background": 50})
    stage.main()
    frame, _ = read("sequences")
    assert frame.planted.isna().all()
    repeated = [text in line for text in frame.text]
    assert set(frame.sequence_duplicates[repeated]) <= {5}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"planted": {"distinct": {"copies": {2: 10**6}}}, "studied": {}}, "the corpus has"),
        (
            {"source": "files", "files": {"path": "short", "text": "text"}},
            "no document of 64 tokens",
        ),
        ({"source": "files", "files": {"path": "gone", "text": "text"}}, "'gone' does not exist"),
        ({"background": 10**12}, "disk full: .* needs 256"),
    ],
)
def test_unfit_corpora_are_refused(workspace, changes, message):
    (workspace / "short").mkdir()
    (workspace / "short" / "a.txt").write_text("too short")
    settle(workspace, **changes)
    with pytest.raises(UserError, match=message):
        stage.main()
    assert not (workspace / "data" / "sequences").exists()
