import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guess_or_recall.corpus import documents, duplicates, windows
from guess_or_recall.corpus.documents import TokenizedTexts
from guess_or_recall.corpus.duplicates import count_duplicates
from guess_or_recall.corpus.encoding import encode
from guess_or_recall.corpus.packages import package_digests, package_documents
from guess_or_recall.corpus.planting import plant
from guess_or_recall.corpus.source import Reading
from guess_or_recall.corpus.sources import SOURCES
from guess_or_recall.corpus.tokenizer import load_tokenizer, train_tokenizer
from guess_or_recall.corpus.windows import cut, first_of_equal, window_starts
from guess_or_recall.errors import UserError
from guess_or_recall.io.tables import write_parts
from guess_or_recall.settings.sequences import Sequences


def test_params_name_just_the_sources_of_the_table():
    assert get_args(Sequences.model_fields["source"].annotation) == tuple(SOURCES)


def runs_of(document, length):
    return [list(document[start : start + length]) for start in range(len(document) - length + 1)]


def naive_count(documents, suffix):
    runs = [run for document in documents for run in runs_of(document, len(suffix))]
    return runs.count(list(suffix))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 90), min_size=1, max_size=6),
    st.integers(0, 2**32 - 1),
    st.sampled_from([40, 1 << 22]),
    st.sampled_from([1, 2, 3, 16, 31, 32, 33, 50, 63]),
)
def test_duplicates_equal_a_naive_count(lengths, seed, chunk, suffix):
    random = np.random.default_rng(seed)
    documents = [random.integers(0, 2, length).cumsum() // 40 for length in lengths]  # repetitive
    tokens = np.concatenate(documents).astype(np.int32)
    runs = [run for document in documents for run in runs_of(document, suffix)]
    suffixes = np.array([*runs, np.arange(100, 100 + suffix)], np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "CHUNK", chunk)
        counts = count_duplicates(tokens, np.cumsum(lengths), suffixes)
    assert counts.tolist() == [naive_count(documents, run) for run in suffixes]


def test_overlapping_occurrences_count_but_not_across_documents():
    stream = np.zeros(40 + 31, np.int32)
    counted = count_duplicates(stream, np.array([40, 71]), np.zeros((1, 32), np.int32))
    assert counted.tolist() == [9]  # 40 - 31 in the first document, none in the second


def test_windows_do_not_cross_documents_and_drop_tails():
    starts = window_starts(np.array([130, 130, 193, 321]), 64)
    assert starts.tolist() == [0, 64, 193, 257]
    tokens = np.arange(321, dtype=np.int32)
    assert cut(tokens, starts, 64)[2].tolist() == list(range(193, 257))
    assert window_starts(np.array([130, 130, 193, 321]), 48).tolist() == [0, 48, 130, 193, 241]


def test_the_first_of_equal_windows():
    windows = np.array([[1] * 64, [2] * 64, [1] * 64, [3] * 64])
    assert first_of_equal(windows).tolist() == [True, True, False, True]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 3), max_size=40), st.booleans())
def test_the_first_of_equal_windows_whatever_their_hashes(values, all_hashes_equal):
    table = np.array([[value, 7, value % 2] for value in values], np.int32).reshape(-1, 3)
    with pytest.MonkeyPatch.context() as patch:
        if all_hashes_equal:
            patch.setattr(windows, "hashes_of_rows", lambda table: np.zeros(len(table), np.uint64))
        patch.setattr(windows, "PART", 5)
        first = first_of_equal(table)
    assert first.tolist() == [value not in values[:row] for row, value in enumerate(values)]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=9).filter(any),
    st.integers(1, 6),
    st.integers(0, 99),
)
def test_stored_documents_give_the_counts_of_the_stage(lengths, length, seed):
    """However their tokens fall into parts, with empty documents and very long ones."""
    tokens = np.random.default_rng(seed).integers(0, 2, sum(lengths)).astype(np.int32)
    ends = np.cumsum(lengths)
    names = [str(row) for row in range(len(lengths))]
    texts = TokenizedTexts(tokens, ends, names, [None] * len(names), np.empty(0, np.int64))
    suffixes = np.random.default_rng(seed + 1).integers(0, 2, (4, length)).astype(np.int32)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "PART", 7)
        path = Path(folder) / "documents.parquet"
        write_parts(path, documents.tables_of(texts))
        parts = [(part.copy(), stop.copy()) for part, stop in documents.stored(path, length)]
    counts = sum((count_duplicates(*part, suffixes) for part in parts), np.zeros(4, int))
    assert counts.tolist() == count_duplicates(tokens, ends, suffixes).tolist()


def test_planting_takes_free_windows_that_fit_in_order():
    fits = {
        "low": np.array([False, True, False, False, True, True]),
        "high": np.array([True, True, False, True, False, False]),
    }
    names, copies = plant(fits, {"low": {3: 1, 7: 1}, "high": {2: 2}})
    assert names.tolist() == ["high", "low", "background", "high", "low", "background"]
    assert copies.tolist() == [2, 3, 1, 2, 7, 1]
    with pytest.raises(UserError, match=r"planted.low: 4 windows wanted, the corpus has 3"):
        plant(fits, {"low": {1: 4}})


def test_package_text_and_manifest():
    reading, again = Reading(), Reading()
    documents = list(package_documents(["seaborn", "mpmath"], reading))
    manifest = reading.manifest
    assert [row["package"] for row in manifest] == sorted(row["package"] for row in manifest)
    frame = pd.DataFrame(manifest).set_index("file")
    assert "seaborn/palettes.py" in frame.index
    assert any("LICENSE" in file for file in frame.index)
    assert len(documents) == len(manifest)
    assert documents == list(package_documents(["mpmath", "seaborn"], again))
    assert package_digests(again.manifest) == package_digests(manifest)
    again.manifest[0]["sha256"] = "0" * 64
    assert package_digests(again.manifest)["mpmath"] != package_digests(manifest)["mpmath"]


def test_unfit_packages_are_refused():
    with pytest.raises(UserError, match="'no-such-package' is not installed"):
        list(package_documents(["no-such-package"], Reading()))
    with pytest.raises(UserError, match="'numpy' is not a pure-Python wheel"):
        list(package_documents(["numpy"], Reading()))


def test_the_tokenizer_is_deterministic_and_lossless(tmp_path):
    texts = [json.dumps({"n": n, "square": n * n}) for n in range(400)]
    first, second = (train_tokenizer(iter(texts), 300) for _ in range(2))
    assert first.get_vocab() == second.get_vocab()
    assert len(first.get_vocab()) == 300
    first.save_pretrained(tmp_path)
    loaded = load_tokenizer(tmp_path)
    ids = [row.ids for row in encode(loaded, [texts[7], "héé\n\t  x", ""], "text")]
    assert loaded.decode(ids[0]) == texts[7]
    assert loaded.decode(ids[1]) == "héé\n\t  x"
    assert [len(row) for row in ids][2] == 0
    with pytest.raises(UserError, match=r"holds no tokenizer.json"):
        load_tokenizer(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("tokenizer.json", ""),
        ("tokenizer.json", "{}"),
        ("tokenizer.json", "[]"),
        ("tokenizer.json", '{"version": "1.0", "model": {"type": "Nonesuch"}, "added_tokens": []}'),
        ("tokenizer.json", None),  # cut in the middle
        ("tokenizer_config.json", "{"),
        ("tokenizer_config.json", "[]"),
    ],
)
def test_broken_tokenizers_are_one_line(tmp_path, file, content):
    train_tokenizer(["aaaa bbbb"] * 3, 260).save_pretrained(tmp_path)
    whole = (tmp_path / file).read_text()
    (tmp_path / file).write_text(whole[: len(whole) // 2] if content is None else content)
    message = rf"sequences.tokenizer.path: the tokenizer in '{tmp_path}' cannot be read \(.*again"
    with pytest.raises(UserError, match=message) as caught:
        load_tokenizer(tmp_path)
    assert "\n" not in str(caught.value)


def test_folders_without_a_fast_tokenizer_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"holds no tokenizer.json: name a folder"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").mkdir()
    with pytest.raises(UserError, match=r"holds no tokenizer.json"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").rmdir()
    train_tokenizer(["aaaa bbbb"] * 3, 260).save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "ByT5Tokenizer"}')
    with pytest.raises(UserError, match="asks for ByT5Tokenizer"):
        load_tokenizer(tmp_path)
