"""Corpora made at random from seeds: each is read as it was written, or refused in one line.

    python benchmarks/fuzz_corpora.py [CORPORA]

200 of them by default: odd encodings, line ends, formats, empties, links, names, and damage. Where
one is read, every document, place, count and duplicate is the one that was written, or a guessed
encoding is noted; tests/unit/test_own_files.py reads a part of them.
"""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from guess_or_recall.corpus import encoding
from guess_or_recall.corpus.documents import read_documents
from guess_or_recall.corpus.encoding import encode
from guess_or_recall.corpus.files import FILES
from guess_or_recall.corpus.sequences import cut_sequences
from guess_or_recall.corpus.source import Corpus, Reading
from guess_or_recall.corpus.tokenizer import train_tokenizer
from guess_or_recall.errors import UserError
from guess_or_recall.settings.sequences import Sequences
from guess_or_recall.settings.yaml import read_yaml

DEFAULT = Path(__file__).parents[1] / "profiles" / "default.yaml"

WORDS = [
    *("the", "quick", "fox", "été", "Straße", "naïve", "счастье", "мир", "公园", "今天", "🙂", "ﬁ"),
    *("<|endoftext|>", "a\u0301", "\u200b", "\ufeff", "\x0b", "\u2028", "0.5", "{}", '"', "\\n"),
]
SEPARATORS = [" ", " ", " ", "\n", "\r\n", "\r", "\t", "  ", "\n\n"]
ENCODINGS = [
    *["utf-8"] * 12,
    *("utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"),
    *("utf-32-le", "cp1252", "cp1251", "gb18030", "cp932", "koi8-r"),
]
LAYOUTS = [
    *(pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())),
]
OTHER_NAMES = ["README.md", "t.csv", "x.json", "y.jsonl.gz", "Makefile", ".hidden", "z.parq"]


class Written(NamedTuple):
    """What was put into a folder.

    Attributes:
        texts: of every document by its name; None where it is damaged and may be another.
        files: names of the files that are read, if the corpus is.
        skipped: names of the others.
        nulls: rows without a text.
    """

    texts: dict[str, str | None]
    files: set[str]
    skipped: set[str]
    nulls: list[str]


def random_text(random: np.random.Generator) -> str:
    """Words of many alphabets, or of one; some long enough to be encoded in pieces."""
    words = WORDS if random.random() < 0.5 else WORDS[: int(random.integers(3, 12))]
    count = int(random.choice([0, 1, 5, 40, 150, 700], p=[0.08, 0.07, 0.15, 0.35, 0.25, 0.1]))
    pieces = [str(random.choice(words)) + str(random.choice(SEPARATORS)) for _ in range(count)]
    return "".join(pieces)


def random_name(random: np.random.Generator, ending: str) -> str:
    """The name of a file, at times in a folder, in capitals, or with bytes that are no UTF-8."""
    folder = str(random.choice(["", "", "b/", "folder.txt/", "ü/"]))
    stem = str(random.choice(["a", "x y", "caf\udce9", "日本", "-", "a.b"]))
    capital = random.random() < 0.2
    return f"{folder}{stem}{random.integers(1000)}{ending.upper() if capital else ending}"


def stored_name(name: str) -> str:
    """A name as the tables hold it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def add_text(random: np.random.Generator, path: Path, name: str, written: Written) -> None:
    """A txt file in some encoding."""
    text, kind = random_text(random), str(random.choice(ENCODINGS))
    path.write_bytes(text.encode(kind, "ignore"))
    written.texts[name] = text.encode(kind, "ignore").decode(kind)


def add_lines(random: np.random.Generator, path: Path, name: str, written: Written) -> None:
    """A jsonl file in some encoding, with blank lines, nulls, and halves of characters."""
    kind, lines = str(random.choice(ENCODINGS)), []
    for number in range(1, int(random.integers(1, 12)) + 1):
        text = random_text(random).encode(kind, "ignore").decode(kind)
        ascii_only = bool(random.random() < 0.5)
        row = {"id": number, "text": text, "more": [1, {"text": None}]}
        what = random.random()
        if what < 0.1:
            lines.append("  ")
        elif what < 0.2:
            lines.append(json.dumps(row | {"text": None}))
            written.nulls.append(name)
        elif what < 0.3:
            lines.append(json.dumps(row | {"text": text + "\ud83d"}))
            written.texts[f"{name}:{number}"] = text + "\ufffd"
        else:
            lines.append(json.dumps(row, ensure_ascii=ascii_only))
            written.texts[f"{name}:{number}"] = text
    end = str(random.choice(["\n", "\r\n"]))
    path.write_bytes((end.join(lines) + end * int(random.integers(2))).encode(kind, "ignore"))


def add_table(random: np.random.Generator, path: Path, name: str, written: Written) -> None:
    """A parquet file in some layout."""
    texts = [random_text(random) for _ in range(int(random.integers(0, 12)))]
    values = [None if random.random() < 0.15 else text for text in texts]
    layout = LAYOUTS[int(random.integers(len(LAYOUTS)))]
    column = pa.array(values, pa.string())
    column = column.dictionary_encode() if pa.types.is_dictionary(layout) else column.cast(layout)
    with open(path, "wb") as stream:
        pq.write_table(
            pa.table({"n": pa.array(range(len(values)), pa.int64()), "text": column}),
            stream,
            compression=str(random.choice(["none", "snappy", "zstd", "gzip"])),
            row_group_size=int(random.integers(1, 9)),
            write_page_checksum=True,
        )
    for number, value in enumerate(values, 1):
        if value is None:
            written.nulls.append(name)
        else:
            written.texts[f"{name}:{number}"] = value


ADDERS = {".txt": add_text, ".jsonl": add_lines, ".parquet": add_table}


def add_other(random: np.random.Generator, folder: Path, written: Written) -> None:
    """What is no file of a corpus: other endings, links, folders and pipes with a text's name."""
    kind, name = int(random.integers(5)), f"odd{random.integers(1000)}"
    if kind == 0:
        name = str(random.choice(OTHER_NAMES))
        (folder / name).write_bytes(random.bytes(20))
    elif kind == 1:
        name += ".txt"
        (folder / name).symlink_to(folder / "nowhere.txt")
    elif kind == 2:
        (folder / name).symlink_to(folder)
    elif kind == 3:
        name += ".jsonl"
        os.mkfifo(folder / name)
    else:
        (folder / f"{name}.parquet").mkdir()
        return
    written.skipped.add(name)


def damage(random: np.random.Generator, path: Path, name: str, written: Written) -> None:
    """Cut a file, or change some of its bytes; what has checksums must not change unseen."""
    content = bytearray(path.read_bytes())
    if not content:
        return
    place = int(random.integers(len(content)))
    if random.random() < 0.3:
        content = content[:place]
    else:
        for position in range(place, min(place + int(random.integers(1, 9)), len(content))):
            content[position] = int(random.integers(256))
    path.write_bytes(content)
    if path.suffix.lower() != ".parquet":
        for document in written.texts:
            if document.partition(":")[0] == name:
                written.texts[document] = None


def make(seed: int, folder: Path) -> Written:
    """Write a corpus; the same seed gives the same one."""
    random, written = np.random.default_rng(seed), Written({}, set(), set(), [])
    for _ in range(int(random.integers(1, 6))):
        ending = str(random.choice(list(ADDERS)))
        name = random_name(random, ending)
        path = folder / name
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        ADDERS[ending](random, path, stored_name(name), written)
        written.files.add(stored_name(name))
        if random.random() < 0.15:
            damage(random, path, stored_name(name), written)
    for _ in range(int(random.integers(0, 3))):
        add_other(random, folder, written)
    return written


def settings_of(folder: Path, tokenizer: Path) -> Sequences:
    """Sequences of four and four tokens of a corpus."""
    changes = {
        "source": "files",
        "files": {"path": str(folder), "text": "text"},
        "tokenizer": {"source": "path", "path": str(tokenizer), "vocabulary": 300, "train_mb": 1},
        **{"prefix": 4, "suffix": 4, "background": 60, "studied": {"background": 20}},
    }
    return Sequences.model_validate(read_yaml(DEFAULT)["sequences"] | changes)


def check(corpus: Corpus, settings: Sequences, written: Written) -> None:
    """That a corpus is the one that was written: AssertionError where it is not."""
    reading = Reading()
    texts = {row.name: row.text for row in read_documents(FILES, settings, reading)}
    guessed = {row["file"] for row in reading.manifest if row["encoding_is_guessed"]}
    assert {row["file"] for row in reading.manifest} == written.files
    assert {row["file"] for row in reading.skipped} == written.skipped
    damaged = {name.partition(":")[0] for name, text in written.texts.items() if text is None}
    for name, text in written.texts.items():
        if name.partition(":")[0] not in guessed | damaged:
            assert text is not None and texts[name] == text.removeprefix("\ufeff"), name
    if not guessed | damaged:
        assert set(texts) == set(written.texts)
        assert corpus.coverage["documents_null"] == len(written.nulls)
    assert corpus.coverage["documents"] == len(texts)
    assert corpus.tokenizer is not None
    tokens = [row.ids.tolist() for row in encode(corpus.tokenizer, texts.values(), "text")]
    check_sequences(corpus, texts, tokens)


def check_sequences(corpus: Corpus, texts: dict[str, str], tokens: list[list[int]]) -> None:
    """That sequences stand where they say, as often as they say."""
    runs = Counter(tuple(row[start : start + 4]) for row in tokens for start in range(len(row) - 3))
    names = dict(zip(texts, tokens, strict=True))
    [table] = corpus.sequences
    for row in table.to_pylist():
        assert row["sequence_duplicates"] == runs[tuple(row["tokens"][4:])]
        of_document, ids = names[row["document"]], row["tokens"]
        assert any(of_document[n : n + 8] == ids for n in range(0, len(of_document), 8))
        start = row["text"].lstrip("\ufffd")[:1]
        assert start in texts[row["document"]][row["document_start"] :][:4], row


def outcome(seed: int, folder: Path, tokenizer: Path) -> str:
    """What became of a corpus: read or refused; an error of any other kind is raised."""
    corpus_folder = folder / "corpus"
    corpus_folder.mkdir(parents=True)
    written = make(seed, corpus_folder)
    settings = settings_of(corpus_folder, tokenizer)
    try:
        corpus = cut_sequences(FILES, settings, seed, folder)
    except UserError as error:
        said = str(error)
    else:
        check(corpus, settings, written)
        return "read"
    assert "\n" not in said and len(said) < 4000, said
    return "refused"


def main(corpora: int) -> dict[str, int]:
    """Read corpora of the seeds 0, 1, ...: how many were read, and how many refused."""
    counts = {"read": 0, "refused": 0}
    short = {"PIECE": 600, "OVERLAP": 150, "AGREEING": 8}  # so that many texts have pieces
    with tempfile.TemporaryDirectory() as name, patch.multiple(encoding, **short):
        tokenizer = Path(name) / "tokenizer"
        train_tokenizer([" ".join(WORDS)] * 3, 300).save_pretrained(tokenizer)
        for seed in range(corpora):
            try:
                counts[outcome(seed, Path(name) / str(seed), tokenizer)] += 1
            except Exception:
                print(f"seed {seed}", file=sys.stderr)
                raise
    return counts


if __name__ == "__main__":
    start = time.perf_counter()
    counted = main(int(sys.argv[1]) if sys.argv[1:] else 200)
    print(f"{counted}, 0 tracebacks, in {time.perf_counter() - start:.0f} s")
