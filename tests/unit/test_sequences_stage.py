"""The stage `sequences`: which windows are planted, shown and studied; a corpus of one's own."""

import json
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from rouge_score.rouge_scorer import _score_lcs

from guess_or_recall.audit.lookup import look_up
from guess_or_recall.corpus.tokenizer import load_tokenizer
from guess_or_recall.errors import UserError
from guess_or_recall.features.templates import templates
from guess_or_recall.io.tables import token_matrix
from guess_or_recall.settings.sequences import Sequences
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.stages import sequences as stage
from tests.conftest import ROOT

COPIES = {2: 10, 7: 20}


def settle(workspace, **changes):
    """Write params.yaml: a small corpus of one package, with changes."""
    params = read_yaml(ROOT / "params.yaml")
    params["sequences"] |= {
        "packages": ["mpmath"],
        "tokenizer": {"source": "train", "path": "none", "vocabulary": 512, "train_mb": 0.3},
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


@pytest.fixture
def own_files(workspace):
    """The texts of a corpus of some formats, by the names of their documents."""
    lines = [" ".join(f"word{n * n % 97}" for n in range(start, start + 40)) for start in range(60)]
    texts = {f"a.jsonl:{n}": f"{n} naïve 🙂 {line}" for n, line in enumerate(lines, 1)}
    folder = workspace / "corpus"
    (folder / "b").mkdir(parents=True)
    rows = [{"text": text, "id": f"row {name}"} for name, text in texts.items()]
    rows += [{"text": None}, {"text": ""}, {"text": "short"}]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    texts["b/c.txt"] = "\r\n".join(["<|endoftext|>", *lines[:20], lines[0]])
    (folder / "b" / "c.txt").write_text(texts["b/c.txt"], newline="")
    for name in ("notes.md", "table.csv", "other.csv"):
        (folder / name).write_text("not read")
    return texts


def test_the_coverage_says_what_is_read_and_studied_and_what_not(workspace, own_files, capsys):
    settle(workspace, source="files", background=50, studied={"background": 10})
    stage.main()
    said, counts = capsys.readouterr().out, read_yaml(workspace / "metrics/sequences.json")
    coverage = read_yaml(workspace / "data/sequences/coverage.json")
    assert counts.items() <= coverage.items()
    assert said.splitlines() == coverage["statement"]
    windows, studied = coverage["windows"], coverage["sequences"]
    assert (windows > 70, studied, coverage["stream_windows"]) == (True, 10, 50)
    assert (coverage["files"], coverage["files_skipped"]) == (2, 3)
    assert (coverage["documents"], coverage["documents_null"]) == (63, 1)
    assert (coverage["documents_empty"], coverage["documents_short"]) == (1, 2)
    assert coverage["documents_with_carriage_returns"] == coverage["special_tokens_in_text"] == 1
    assert coverage["special_tokens"] == 0
    of_no_window = coverage["tokens_of_short_documents"] + coverage["tokens_of_tails"]
    assert 64 * windows + of_no_window == coverage["tokens"]
    for part in (
        "2 files are read, 3 skipped: the ending .csv 2, the ending .md 1",
        "63 documents, 1 rows have null for a text: 1 empty, 1 with carriage returns",
        f"10 of {windows} windows are studied ({10 / windows:.1%}): sequences.background is 50, "
        "sequences.studied.background is 10",
        "1 special tokens stand in documents, encoded as text (sequences.files.special_tokens)",
    ):
        assert part in said
    assert coverage["skipped"][0] == {"file": "notes.md", "reason": "the ending .md"}


def test_special_tokens_are_tokens_where_the_settings_say_so(workspace, own_files):
    files = {"path": "corpus", "text": "text", "special_tokens": "tokens"}
    settle(workspace, source="files", files=files)
    stage.main()
    coverage = read_yaml(workspace / "data/sequences/coverage.json")
    assert coverage["special_tokens"] == coverage["special_tokens_in_text"] == 1


def test_a_sequence_names_its_document_and_place(workspace, own_files):
    settle(workspace, source="files", studied={"background": 500})
    stage.main()
    frame, _ = read("sequences")
    assert len(frame) > 70 and set(frame.document) == set(own_files)
    for row in frame.itertuples():
        text = own_files[row.document][row.document_start :]
        whole = row.text.strip("\ufffd")  # a token may begin or end within a character
        assert whole in text[: len(whole) + 1]
    of_rows = frame[frame.document != "b/c.txt"]
    assert (of_rows.document_id == "row " + of_rows.document).all()
    assert frame.document_id[frame.document == "b/c.txt"].isna().all()
    assert (frame.document_start[frame.document == "b/c.txt"] > 0).any()


@pytest.mark.parametrize("source", ["files", "packages"])
def test_a_text_has_the_duplicates_of_the_table(workspace, own_files, source):
    """However little of the corpus the stream shows."""
    studied = {"background": 30} if source == "files" else {"background": 30, "distinct": 20}
    settle(workspace, source=source, background=40, studied=studied)
    stage.main()
    frame, tokens = read("sequences")
    params = read_yaml(workspace / "params.yaml")["sequences"]
    settings = Sequences.model_validate(params)
    tokenizer = load_tokenizer(workspace / "data/sequences/tokenizer")
    compared = []
    for row, ids in zip(frame.itertuples(), tokens, strict=True):
        subject = look_up(row.text, tokenizer, settings, settings.special_tokens)
        if subject.tokens[0].tolist() == ids.tolist():  # else it begins within a word
            compared.append(row.sequence_duplicates)
            assert subject.duplicates == row.sequence_duplicates
    assert len(compared) >= 10 and max(compared) > 1


def test_nothing_to_study_is_said(workspace, own_files):
    settle(workspace, source="files", studied={"template": 5})
    with pytest.raises(UserError, match="study some of the kind background"):
        stage.main()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"planted": {"distinct": {"copies": {2: 10**6}}}, "studied": {}}, "the corpus has"),
        (
            {"source": "files", "files": {"path": "short", "text": "text"}},
            "no document of 64 tokens",
        ),
        ({"source": "files", "files": {"path": "gone", "text": "text"}}, "'gone' does not exist"),
    ],
)
def test_unfit_corpora_are_refused(workspace, changes, message):
    (workspace / "short").mkdir()
    (workspace / "short" / "a.txt").write_text("too short")
    settle(workspace, **changes)
    with pytest.raises(UserError, match=message):
        stage.main()
    assert not (workspace / "data" / "sequences").exists()


def test_a_disk_that_is_too_small_is_said_before_anything_is_read(workspace, monkeypatch):
    settle(workspace, background=10**7, planted={}, studied={"background": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=2 * 10**9))
    with pytest.raises(UserError, match=r"disk full: .* needs 2\.5\d GB, 2\.00 GB are free"):
        stage.main()
