"""ROUGE against the package rouge-score, bit for bit, and on hand-computed cases."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rouge_score.rouge_scorer import RougeScorer

from guess_or_recall.errors import UserError
from guess_or_recall.features import rouge
from guess_or_recall.features.rouge import rouge_3, rouge_l


class Split:
    def tokenize(self, text):
        return text.split(" ")


SCORER = RougeScorer(["rouge3", "rougeL"], tokenizer=Split())


def reference(tokens, border=32):
    """ROUGE-3 and ROUGE-L by the package, one sequence after the other."""
    words = [[" ".join(map(str, part)) for part in (row[:border], row[border:])] for row in tokens]
    scores = [SCORER.score(prefix, suffix) for prefix, suffix in words]
    return [[score[kind].fmeasure for score in scores] for kind in ("rouge3", "rougeL")]


def sequence(prefix, suffix):
    """A sequence of 32 + 32 tokens that start with these; the rest of both parts is new ids."""
    rest = iter(range(1000, 1064))
    parts = [[*part, *(next(rest) for _ in range(32 - len(part)))] for part in (prefix, suffix)]
    return np.array([parts[0] + parts[1]])


def random_tokens(vocabulary, rows, dtype=np.int32):
    """Uniform ids, with a stretch of the prefix copied into half of the suffixes."""
    draw = np.random.default_rng(vocabulary)
    tokens = draw.integers(0, vocabulary, (rows, 64)).astype(dtype)
    tokens[::2, 40:60] = tokens[::2, 5:25]
    return tokens


@pytest.mark.parametrize("vocabulary", [1, 2, 3, 8, 40, 4096, 2**21])
def test_equal_to_rouge_score_bit_for_bit(vocabulary):
    tokens = random_tokens(vocabulary, 60)
    third, longest = reference(tokens)
    assert rouge_3(tokens, 32).tolist() == third
    assert rouge_l(tokens, 32).tolist() == longest


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.int64, (2, 64), elements=st.integers(0, 3))
    | arrays(np.int64, (2, 64), elements=st.integers(0, 2**21))
)
def test_any_tokens_equal_rouge_score(tokens):
    third, longest = reference(tokens)
    assert rouge_3(tokens, 32).tolist() == third
    assert rouge_l(tokens, 32).tolist() == longest


@pytest.mark.parametrize("prefix", [1, 2, 3, 8, 31, 32, 33, 50, 63, 64, 65, 129])
@pytest.mark.parametrize("suffix", [1, 2, 3, 16, 50, 70])
@pytest.mark.parametrize("vocabulary", [1, 3, 40])
def test_any_lengths_equal_rouge_score(prefix, suffix, vocabulary):
    draw = np.random.default_rng([prefix, suffix, vocabulary])
    tokens = draw.integers(0, vocabulary, (8, prefix + suffix))
    stretch = min(prefix, suffix)
    tokens[::2, prefix : prefix + stretch] = tokens[::2, :stretch]
    third, longest = reference(tokens, prefix)
    assert rouge_3(tokens, prefix).tolist() == third
    assert rouge_l(tokens, prefix).tolist() == longest


@pytest.mark.parametrize("count", range(33))
def test_every_possible_value_equals_rouge_score(count):
    tokens = sequence(range(count), range(count))
    third, longest = reference(tokens)
    assert [rouge_3(tokens, 32)[0], rouge_l(tokens, 32)[0]] == [third[0], longest[0]]
    assert longest[0] == count / 32


@pytest.mark.parametrize(
    ("prefix", "suffix", "trigrams", "longest"),
    [
        ([], [], 0, 0),
        ([1, 2, 3], [1, 2, 3], 1, 3),
        ([1, 2, 3], [3, 2, 1], 0, 1),
        ([1, 2, 3, 4], [1, 9, 2, 3, 4], 1, 4),
        ([1, 1, 1, 1, 1], [1, 1, 1, 1], 2, 4),  # 3 and 2 times (1, 1, 1): the smaller counts
        ([1, 1, 1, 1], [1, 1, 1, 1, 1], 2, 4),
        ([1, 2, 3, 8, 4, 5, 6], [4, 5, 6, 9, 1, 2, 3], 2, 3),  # trigrams ignore order, LCS not
        (range(32), range(32), 30, 32),
        ([7] * 32, [7] * 32, 30, 32),
    ],
)
def test_hand_computed_counts(prefix, suffix, trigrams, longest):
    tokens = sequence(list(prefix), list(suffix))
    assert rouge_3(tokens, 32)[0] == pytest.approx(trigrams / 30, abs=1e-15)
    assert rouge_l(tokens, 32)[0] == longest / 32


def test_trigrams_do_not_cross_from_prefix_to_suffix():
    tokens = np.arange(64)[None].copy()
    tokens[0, 30:35] = [1, 2, 3, 1, 2]  # (1, 2, 3) is in the prefix, nowhere whole in the suffix
    tokens[0, 62:] = [500, 501]
    assert rouge_3(tokens, 32)[0] == 0


@pytest.mark.parametrize("rows", [0, 1, 6, 7, 8, 20])
def test_chunks_change_nothing(monkeypatch, rows):
    tokens = random_tokens(4, rows)
    whole = rouge_3(tokens, 32), rouge_l(tokens, 32)
    monkeypatch.setattr(rouge, "CELLS", 7 * 32 * 32)
    np.testing.assert_array_equal(rouge_3(tokens, 32), whole[0])
    np.testing.assert_array_equal(rouge_l(tokens, 32), whole[1])
    assert whole[0].shape == whole[1].shape == (rows,) and whole[0].dtype == np.float64


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint32, np.int64])
def test_dtype_and_memory_layout_change_nothing(dtype):
    tokens = random_tokens(50, 30)
    expected = rouge_3(tokens, 32), rouge_l(tokens, 32)
    for same in (tokens.astype(dtype), np.asfortranarray(tokens.astype(dtype))):
        np.testing.assert_array_equal(rouge_3(same, 32), expected[0])
        np.testing.assert_array_equal(rouge_l(same, 32), expected[1])


def test_symmetric_in_prefix_and_suffix():
    tokens = random_tokens(5, 200)
    swapped = np.roll(tokens, 32, axis=1)
    np.testing.assert_array_equal(rouge_3(tokens, 32), rouge_3(swapped, 32))
    np.testing.assert_array_equal(rouge_l(tokens, 32), rouge_l(swapped, 32))


@pytest.mark.parametrize(
    ("tokens", "named"),
    [
        (np.zeros((3, 32), int), r"\(3, 32\) with a prefix of 32"),
        (np.zeros(64, int), r"\(64,\)"),
        (np.zeros((2, 64)), "float64"),
        (np.full((2, 64), -7), "-7"),
    ],
)
def test_wrong_tokens_are_named(tokens, named):
    with pytest.raises(UserError, match=named):
        rouge.check(tokens, 32)  # not rouge_l: in tests, annotations refuse most of these first


@pytest.mark.parametrize("function", [rouge_3, rouge_l])
def test_tokens_are_checked(function):
    with pytest.raises(UserError, match="-7"):
        function(np.full((2, 64), -7), 32)


def test_memory_is_that_of_a_chunk():
    tokens = random_tokens(4096, 60_000)
    tracemalloc.start()
    rouge_l(tokens, 32)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6  # the whole equality tensor would be 61 MB
