"""A corpus of one's own: every format gives the same texts, and nothing is left out unsaid."""

import codecs
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import fuzz_corpora
from guess_or_recall.corpus.documents import read_documents
from guess_or_recall.corpus.files import FILES
from guess_or_recall.corpus.source import Document, Reading
from guess_or_recall.errors import UserError
from guess_or_recall.settings.sequences import Files, Sequences
from guess_or_recall.settings.yaml import read_yaml
from tests.conftest import ROOT

ENGLISH = "It was a bright cold day in April,\r\nand the clocks were striking thirteen.\n\n"
FRENCH = "Les élèves ont déjà mangé à la cafétéria, où ça ? L'été dernier, près de la forêt.\n"
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастлива по-своему.\n"
GERMAN = "Die Straße führt über die Brücke; schöne Grüße aus Köln an der Lahn.\n"
JAPANESE = "これはテストです。日本語の文章を読みます。\n"
CHINESE = "今天天气很好，我们去公园散步。这是一个测试文本，里面有很多汉字。\n"


def read(folder: Path, **settings: str) -> tuple[list[Document], Reading]:
    """All documents of a folder as the stage reads them."""
    files = {"path": str(folder), "text": "text"} | settings
    params = read_yaml(ROOT / "params.yaml")["sequences"]
    sequences = Sequences.model_validate(params | {"source": "files", "files": files})
    reading = Reading()
    return list(read_documents(FILES, sequences, reading)), reading


def refused(folder: Path) -> str:
    """What is said of a folder, in one line."""
    with pytest.raises(UserError) as caught:
        read(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write_jsonl(path: Path, *rows: dict) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_names_identify_documents_and_ids_are_the_users(tmp_path):
    (tmp_path / "b").mkdir()
    for folder in (tmp_path, tmp_path / "b"):
        (folder / "x.txt").write_text("three")
        write_jsonl(folder / "x.jsonl", {"text": "one", "id": "n° 1"}, {"text": "two", "id": 2})
        pq.write_table(pa.table({"id": [7, None], "text": ["four", "five"]}), folder / "x.parquet")
    documents, reading = read(tmp_path)
    names = [document.name for document in documents]
    assert names == [
        *("b/x.jsonl:1", "b/x.jsonl:2", "b/x.parquet:1", "b/x.parquet:2", "b/x.txt"),
        *("x.jsonl:1", "x.jsonl:2", "x.parquet:1", "x.parquet:2", "x.txt"),
    ]
    assert [document.id for document in documents[:5]] == ["n° 1", "2", "7", None, None]
    assert [row["file"] for row in reading.manifest] == [
        *("b/x.jsonl", "b/x.parquet", "b/x.txt", "x.jsonl", "x.parquet", "x.txt"),
    ]
    alone, _ = read(tmp_path / "x.jsonl")
    assert [document.name for document in alone] == ["x.jsonl:1", "x.jsonl:2"]


@pytest.mark.parametrize(
    "text", [ENGLISH, "\ufeff" + FRENCH, "tail\r", "\x0bodd\x1c\u2028 ends", f"{GERMAN}\0\0"]
)
def test_every_format_gives_the_same_text(tmp_path, text):
    (tmp_path / "a.txt").write_bytes(text.encode())
    write_jsonl(tmp_path / "b.jsonl", {"text": text})
    (tmp_path / "c.jsonl").write_text(json.dumps({"text": text}, ensure_ascii=False), newline="")
    pq.write_table(pa.table({"text": [text]}), tmp_path / "d.parquet")
    documents, reading = read(tmp_path)
    assert [document.text for document in documents] == [text.removeprefix("\ufeff")] * 4
    assert reading.counts["documents_with_mark"] == 4 * text.startswith("\ufeff")
    assert reading.counts["documents_with_carriage_returns"] == 4 * ("\r" in text)


@pytest.mark.parametrize(
    ("text", "encoding", "guessed"),
    [
        (ENGLISH, "utf-8-sig", "utf-8"),
        (ENGLISH, "utf-16", "utf-16-le"),
        (RUSSIAN, "utf-32", "utf-32-le"),
        (ENGLISH, "utf-16-be", "utf_16_be"),
        (ENGLISH, "utf-16-le", "utf_16_le"),
        (RUSSIAN, "utf-16-le", "utf_16_le"),
        (RUSSIAN, "koi8-r", "koi8_r"),
        (JAPANESE, "cp932", "cp932"),
        (CHINESE, "utf-16-be", "utf_16_be"),
        (CHINESE, "gb18030", "gb18030"),
        (GERMAN, "latin-1", "cp1250"),  # of German, the same characters
        (FRENCH, "utf-16-le", "utf_16_le"),
    ],
)
def test_encodings_are_recognized_in_every_format_of_text(tmp_path, text, encoding, guessed):
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    line = json.dumps({"text": text}, ensure_ascii=False) + "\n"
    (tmp_path / "b.jsonl").write_bytes((2 * line).encode(encoding))
    documents, reading = read(tmp_path)
    assert [document.text for document in documents] == [text] * 3
    assert [row["encoding"] for row in reading.manifest] == [guessed] * 2
    is_marked = encoding in ("utf-8-sig", "utf-16", "utf-32")
    assert [row["encoding_is_guessed"] for row in reading.manifest] == [not is_marked] * 2


def test_an_odd_byte_far_into_a_file_is_seen(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"plain line\n" * 200_000 + 9 * GERMAN.encode("latin-1"))
    [document], reading = read(tmp_path)
    assert document.text.endswith("plain line\n" + 9 * GERMAN)
    assert reading.manifest[0]["encoding"] == "cp1250"


@pytest.mark.parametrize("text", [FRENCH, RUSSIAN, "café", 20 * "café"])
def test_an_encoding_that_is_not_clear_is_asked_for(tmp_path, text):
    encoding = "cp1251" if text is RUSSIAN else "cp1252"
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    (tmp_path / "b.txt").write_text("é in UTF-8")
    (tmp_path / "c.jsonl").write_text(json.dumps({"text": "é"}), "utf-16")
    message = refused(tmp_path)
    assert "a.txt is no text in UTF-8" in message and "sequences.files.encoding" in message
    documents, reading = read(tmp_path, encoding=encoding)
    assert [document.text for document in documents] == [text, "é in UTF-8", "é"]
    assert [row["encoding"] for row in reading.manifest] == [encoding, "utf-8", "utf-16-le"]
    assert not any(row["encoding_is_guessed"] for row in reading.manifest)
    with pytest.raises(UserError, match="damaged, or of another encoding in part"):
        read(tmp_path, encoding="ascii")


@pytest.mark.parametrize("name", ["klingon", "base64", "rot13", "", "a\0b"])
def test_only_encodings_of_texts_can_be_named(name):
    with pytest.raises(ValueError, match="give auto, or an encoding that Python knows"):
        Files.model_validate({"path": "x", "text": "text", "encoding": name})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bytes(range(256)) * 20, "is no text in UTF-8, and what else it is"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(128, 256)) * 9, "is no text"),
        (FRENCH.encode() * 5 + b"\xff\xfe\xfa" + FRENCH.encode(), "is UTF-8 but for byte 485"),
        (codecs.BOM_UTF8 + FRENCH.encode("latin-1"), "is damaged, or of another encoding in part"),
        (codecs.BOM_UTF16_LE + b"a\0b\0c", "is damaged, or of another encoding in part"),
        (bytes(1000), "is no text"),
        (GERMAN.encode() + "é".encode()[:1], "is UTF-8 but for byte 77"),
    ],
)
@pytest.mark.parametrize("ending", ["txt", "jsonl"])
def test_what_is_no_text_is_refused_by_name(tmp_path, content, message, ending):
    (tmp_path / f"a.{ending}").write_bytes(content)
    assert message in refused(tmp_path)
    assert f"a.{ending}" in refused(tmp_path)


def test_nulls_and_empties_count_alike_in_every_format(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"")
    write_jsonl(tmp_path / "b.jsonl", {"text": None}, {"text": ""}, {"text": "x"})
    pq.write_table(pa.table({"text": [None, "", "x"]}), tmp_path / "c.parquet")
    pq.write_table(pa.table({"text": pa.nulls(2)}), tmp_path / "d.parquet")
    documents, reading = read(tmp_path)
    assert [(document.name, document.text) for document in documents] == [
        *(("a.txt", ""), ("b.jsonl:2", ""), ("b.jsonl:3", "x")),
        *(("c.parquet:2", ""), ("c.parquet:3", "x")),
    ]
    assert (reading.counts["documents_null"], reading.counts["documents_empty"]) == (4, 3)


def test_halves_of_characters_are_replaced_and_counted(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '{"text": "a\\ud83d b", "id": "\\udc00"}\n{"text": "\\ud83d\\ude42"}'
    )
    documents, reading = read(tmp_path)
    assert [(row.text, row.id) for row in documents] == [("a\ufffd b", "\ufffd"), ("🙂", None)]
    assert reading.counts["documents_with_lone_surrogates"] == 1


def test_what_is_not_read_is_named_with_a_reason(tmp_path):
    corpus, elsewhere = tmp_path / "corpus", tmp_path / "elsewhere"
    (corpus / "folder.txt").mkdir(parents=True)
    elsewhere.mkdir()
    for path in (corpus / "A.TXT", corpus / "folder.txt" / "b.Txt", elsewhere / "c.txt"):
        path.write_text(path.name)
    for name in ("README.md", "table.csv", "x.json", "y.jsonl.gz", "Makefile", ".hidden"):
        (corpus / name).write_text("x")
    (corpus / "linked.txt").symlink_to(elsewhere / "c.txt")
    (corpus / "gone.txt").symlink_to(elsewhere / "gone.txt")
    (corpus / "folder").symlink_to(elsewhere)
    (corpus / "circle").symlink_to(corpus)
    os.mkfifo(corpus / "pipe.jsonl")
    documents, reading = read(corpus)
    assert [document.name for document in documents] == ["A.TXT", "folder.txt/b.Txt", "linked.txt"]
    assert {row["file"]: row["reason"] for row in reading.skipped} == {
        "README.md": "the ending .md",
        "table.csv": "the ending .csv",
        "x.json": "the ending .json",
        "y.jsonl.gz": "the ending .gz",
        "Makefile": "no ending",
        ".hidden": "no ending",
        "gone.txt": "a link to nothing",
        "folder": "a link to a folder",
        "circle": "a link to a folder",
        "pipe.jsonl": "no regular file",
    }
    (tmp_path / "link").symlink_to(corpus)  # the corpus itself may be a link
    assert len(read(tmp_path / "link")[0]) == 3


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
