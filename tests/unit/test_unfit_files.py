"""Files of a corpus that cannot be read, or are no corpus: each is named, with a way out."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import fuzz_corpora
from guess_or_recall.errors import UserError
from tests.corpora import read, refused


def test_names_that_are_no_utf8_can_be_stored(tmp_path):
    Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.txt")).write_text("x")
    with open(os.fsdecode(bytes(tmp_path) + b"/\xe9.parquet"), "wb") as stream:
        pq.write_table(pa.table({"text": ["y"]}), stream)
    Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.\xff")).write_text("x")
    documents, reading = read(tmp_path)
    names = ["caf\\xe9.txt", "\\xe9.parquet"]
    assert [row["file"] for row in reading.manifest] == names
    assert [document.name for document in documents] == [names[0], f"{names[1]}:1"]
    assert reading.skipped == [{"file": "caf\\xe9.\\xff", "reason": "the ending .\\xff"}]


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("what", ["open", "stat"])
def test_unreadable_files_are_named(tmp_path, monkeypatch, name, what):
    (tmp_path / name).write_text("x")

    def denied(*rest, **more):
        raise PermissionError(13, "Permission denied")

    if what == "open":
        for module in ("decoding", "files"):
            monkeypatch.setattr(f"guess_or_recall.corpus.{module}.open", denied, raising=False)
        monkeypatch.setattr("guess_or_recall.io.checksums.open", denied, raising=False)
    else:
        monkeypatch.setattr("guess_or_recall.corpus.files.READERS", {Path(name).suffix: denied})
    assert f"{name} cannot be read (Permission denied): make it readable" in refused(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": 1}\n', "line 1: 'text' is 1, not a text"),
        ("a.jsonl", b'{"text": "x"}\n{"body": "x"}\n', "line 2: no field 'text'"),
        ("a.jsonl", b"[1]\n", "line 1: no field 'text'"),
        ("a.jsonl", b'"text"\n', "line 1: no field 'text'"),
        ("a.jsonl", b"{\n", "line 1: not valid JSON"),
        ("a.jsonl", b'{"text": "x"} {}\n', "line 1: not valid JSON"),
        ("a.jsonl", b'{"text": "x", "n": ' + b"9" * 5000 + b"}", "line 1: not valid JSON"),
        ("a.jsonl", b"[" * 100_000, "line 1: not valid JSON"),
        ("a.parquet", b"nonsense", "no parquet file, or a damaged one"),
        ("a.parquet", b"", "no parquet file, or a damaged one"),
        ("a.pdf", b"", "holds no .txt, .jsonl, .parquet file (skipped: 1 the ending .pdf)"),
    ],
)
def test_unfit_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    assert message in refused(tmp_path)


def test_an_empty_or_missing_folder_is_refused(tmp_path):
    assert "holds no .txt" in refused(tmp_path)
    assert "does not exist" in refused(tmp_path / "gone")


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
    ],
    ids=str,
)
def test_texts_are_read_in_every_layout_of_parquet(tmp_path, kind):
    texts = ["one", None, "one", "zwei🙂"]
    column = pa.array(texts).cast(kind) if pa.types.is_string_view(kind) else pa.array(texts, kind)
    pq.write_table(pa.table({"text": column, "n": range(4)}), tmp_path / "a.parquet")
    documents, reading = read(tmp_path)
    assert [document.text for document in documents] == ["one", "one", "zwei🙂"]
    assert reading.counts["documents_null"] == 1


def test_parquet_with_other_columns_or_types(tmp_path):
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "a.parquet")
    assert "no column 'text' (sequences.files.text); it has body" in refused(tmp_path)
    pq.write_table(pa.table({"text": [1]}), tmp_path / "a.parquet")
    assert "column 'text' is int64, not string" in refused(tmp_path)
    invalid = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.array([0, 2], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe")]
    )
    pq.write_table(pa.table({"text": invalid}), tmp_path / "a.parquet")
    assert "a.parquet" in refused(tmp_path)
    twice = pa.Table.from_arrays([pa.array(["x"]), pa.array(["y"])], names=["text", "text"])
    pq.write_table(twice, tmp_path / "a.parquet")
    assert "more than one column 'text'" in refused(tmp_path)


def test_parquet_damaged_anywhere_is_refused_or_unchanged(tmp_path):
    texts = [f"document {n} " + "abc" * n for n in range(300)]
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"text": texts}), path, row_group_size=100, write_page_checksum=True,
        use_dictionary=False,
    )  # fmt: skip
    whole, outcomes = path.read_bytes(), set()
    for place in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        outcomes.add(outcome(tmp_path, texts))
    assert outcomes <= {"unchanged", f"{path}: no parquet file, or a damaged one"}
    assert len(outcomes) == 2


def outcome(folder: Path, texts: list[str]) -> str:
    """What comes of a damaged corpus: the beginning of an error, or the texts as they were."""
    try:
        documents, _ = read(folder)
    except UserError as error:
        return str(error).partition(" (")[0]
    return "unchanged" if [document.text for document in documents] == texts else "other texts"


def test_corpora_made_at_random_are_read_as_written_or_refused_in_one_line():
    """The first of the 200 of `python benchmarks/fuzz_corpora.py`."""
    counts = fuzz_corpora.main(20)
    assert counts["read"] and counts["refused"] and sum(counts.values()) == 20
