"""The command subset: what its file holds, and how sequences are chosen."""

# matplotlib's stubs take an image's array for None
# pyright: reportArgumentType=false, reportCallIssue=false

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.attention.subset import read_subset
from guess_or_recall.attention.triangle import unpack
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import read_json
from guess_or_recall.io.tables import token_matrix
from tests.made_study import (
    CLASSES,
    FILE,
    LAYERS,
    POOLINGS,
    STEP,
    STORE,
    UNDECODED,
    by_id,
    in_pool,
    labels,
    main,
    of_classes,
)

# what is read


@pytest.mark.parametrize("pooling", POOLINGS)
def test_it_reads_as_the_store_does_in_any_order(study, pooling):
    main("small.h5", "--every-class", "--each", "4")
    ids = read_subset(FILE).sequence_id
    assert len(ids) == 12
    for asked in (ids, ids[::-1], np.random.default_rng(0).choice(ids, 30), ids[:0], ids[[3]]):
        stored = read_pooled(FILE, asked, pooling)
        assert stored.dtype == np.float16
        np.testing.assert_array_equal(stored, read_pooled(STORE, asked, pooling))


def test_a_sequence_that_it_lacks_is_named_with_the_way_out(study):
    main("small.h5", "--every-class", "--each", "4")
    kept, absent = read_subset(FILE).sequence_id[0], np.setdiff1d(in_pool(), labels().sequence_ids)
    with pytest.raises(UserError, match=rf"small.h5 lacks 1 of 2 .*{absent[0]}: .*subset --id"):
        read_pooled(FILE, np.array([kept, absent[0]]), "max")
    with pytest.raises(UserError, match=r"pooling 'median' is unknown"):
        read_pooled(FILE, np.array([kept]), "median")


def test_its_gallery_is_the_mean_as_one_head(study):
    main("small.h5", "--class", "guess", "--each", "3")
    ids, patterns, tokens = read_gallery(FILE)
    mean = unpack(torch.from_numpy(read_pooled(STORE, ids, "mean"))).numpy()
    assert patterns.shape == (3, LAYERS, 1, 64, 64) and patterns.dtype == np.float16
    np.testing.assert_array_equal(patterns[:, :, 0], mean)
    np.testing.assert_array_equal(tokens, read_subset(FILE).tokens)


def test_tokens_are_those_that_were_studied(study):
    """Memorized: the text; else the model's own suffix, unknown for every third sequence."""
    main("small.h5", "--every-class", "--each", "11")
    subset = read_subset(FILE)
    row = (subset.sequence_id - 2**40) // STEP
    true = token_matrix(pq.read_table("data/sequences/sequences.parquet")["tokens"])[row]
    score = pq.read_table("data/score/score.parquet")["memorization_score"].to_numpy()[row]
    unknown = (row % UNDECODED == 0) & (score < 1)
    expected = true.copy()
    expected[score < 1, 32:] = 99 - true[score < 1, 32:]
    expected[unknown, 32:] = -1
    assert subset.tokens.dtype == np.int32
    assert 0 < unknown.sum() < (score < 1).sum() < len(row)
    np.testing.assert_array_equal(subset.tokens, expected)


def test_it_says_what_it_was_made_of(study):
    main("small.h5", "--every-class", "--each", "11")
    subset = read_subset(FILE)
    assert subset.classes == CLASSES
    assert subset.variant == "guess rho=0.5"
    assert subset.provenance == read_json(STORE / "provenance.json")
    assert subset.provenance["weights"] == "abc"
    assert subset.label.dtype == np.int8
    np.testing.assert_array_equal(subset.sequence_id, labels().sequence_ids)
    np.testing.assert_array_equal(subset.label, labels().labels)


# what is chosen


def test_it_takes_the_sequences_of_localize(study):
    main("small.h5", *of_classes(*CLASSES), "--each", "3", "--part", "eval")
    expected = pq.read_table("data/localize/profiles.parquet")
    np.testing.assert_array_equal(read_subset(FILE).sequence_id, expected["sequence_id"])
    np.testing.assert_array_equal(read_subset(FILE).label, expected["label"])
    main("other.h5", "--every-class", "--each", "3", "--part", "eval")  # no name: every class
    assert Path("other.h5").read_bytes() == FILE.read_bytes()


@pytest.mark.parametrize(
    ("part", "sizes"), [(["--part", "train"], 6), (["--part", "eval"], 5), ([], 11)]
)
def test_a_part_of_a_class(study, part, sizes):
    main("all.h5", "--class", "guess", *part)  # 20 of each, more than there are
    main("few.h5", "--class", "guess", "--each", "4", *part)
    main("two.h5", "--class", "guess", "--each", "2", *part)
    names = ("all.h5", "few.h5", "two.h5")
    whole, few, two = (read_subset(Path(name)).sequence_id for name in names)
    rows = labels().labels == 1
    if part:
        rows &= labels().is_eval == (part[1] == "eval")
    np.testing.assert_array_equal(whole, labels().sequence_ids[rows])
    assert (len(whole), len(few), len(two)) == (sizes, 4, 2)
    assert {*two} < {*few} < {*whole}


def test_choices_unite(study):
    main("guess.h5", "--class", "guess", "--each", "2")
    some, gallery = in_pool()[[7, 3]], read_gallery(Path("data/gallery/gallery.h5"))[0]
    twice = str(gallery[0])
    named = [*map(str, some), twice]
    main("small.h5", "--class", "guess", "--each", "2", "--gallery", *by_id(*named))
    expected = np.unique([*read_subset(Path("guess.h5")).sequence_id, *some, *gallery])
    np.testing.assert_array_equal(read_subset(FILE).sequence_id, expected)
    assert len(expected) > len(gallery) + 2


def test_a_sequence_that_the_variant_did_not_sample_has_its_class(study):
    ids = np.setdiff1d(in_pool(), labels().sequence_ids)
    main("small.h5", *by_id(*map(str, ids)))
    subset, row = read_subset(FILE), (ids - 2**40) // STEP
    score = pq.read_table("data/score/score.parquet")["memorization_score"].to_numpy()[row]
    overlap = pq.read_table("data/features/features.parquet")["rouge_l"].to_numpy()[row]
    np.testing.assert_array_equal(subset.sequence_id, ids)
    assert len({*subset.label}) > 1
    np.testing.assert_array_equal(
        subset.label, np.where(score < 1, 0, np.where(overlap >= 0.5, 1, 2))
    )


def test_it_prints_one_line(study, capsys):
    capsys.readouterr()
    main("small.h5", *of_classes("guess", "recall"), "--each", "4")
    size, whole = FILE.stat().st_size, sum(path.stat().st_size for path in STORE.glob("shard-*"))
    assert capsys.readouterr().out == (
        f"small.h5: non-memorized 0, guess 4, recall 4; {size:,} bytes, "
        f"{100 * size / whole:.1f}% of the {whole:,} of the shards\n"
    )


def test_it_is_small(study):
    """No more than its share of the shards, and what an empty HDF5 file takes."""
    main("small.h5", "--every-class", "--each", "1")
    shards = sum(path.stat().st_size for path in STORE.glob("shard-*.h5"))
    assert FILE.stat().st_size < 3 / len(in_pool()) * shards + 10_000
    assert FILE.stat().st_size < shards / 5
