"""A corpus of one's own: every format gives the same texts, and nothing is left out unsaid."""

import codecs
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.settings.sequences import Files
from tests.corpora import read, refused

ENGLISH = "It was a bright cold day in April,\r\nand the clocks were striking thirteen.\n\n"


FRENCH = "Les élèves ont déjà mangé à la cafétéria, où ça ? L'été dernier, près de la forêt.\n"


RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастлива по-своему.\n"


GERMAN = "Die Straße führt über die Brücke; schöne Grüße aus Köln an der Lahn.\n"


JAPANESE = "これはテストです。日本語の文章を読みます。\n"


CHINESE = "今天天气很好，我们去公园散步。这是一个测试文本，里面有很多汉字。\n"


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
