"""ROUGE-3 and ROUGE-L between the prefix and the suffix of many sequences at once.

Both need only which prefix token equals which suffix token. For one suffix token these answers
fit one 32-bit word (prefixes of up to 32 tokens) or a few 64-bit words, so that one integer
operation serves 32 or 64 comparisons of a sequence. Words stand lowest first.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Int64, Integer, UInt

from guess_or_recall.errors import UserError

CELLS = 1 << 22  # of the equality tensor of a chunk of sequences: 4 MB stay in the cache

Counts = Int64[np.ndarray, " n"]
Words = UInt[np.ndarray, "words n"]  # one bit a prefix token
Masks = UInt[np.ndarray, "suffix words n"]


def rouge_3(tokens: Integer[np.ndarray, "n length"], prefix: int) -> Float64[np.ndarray, " n"]:
    """ROUGE-3 F-measure between prefix and suffix, in [0, 1], equal to the package rouge-score.

    Source: "Guess or Recall?", taxonomy section, and Lin (2004).

    Args:
        tokens: ids of prefix and suffix.
        prefix: how many of them are the prefix.

    Raises:
        UserError: no token is left for the suffix, another dtype, or a negative id.
    """
    check(tokens, prefix)
    trigrams = [max(count - 2, 1) for count in (prefix, tokens.shape[1] - prefix)]
    return in_chunks(tokens, prefix, shared_trigrams, f_measures(*trigrams))


def rouge_l(tokens: Integer[np.ndarray, "n length"], prefix: int) -> Float64[np.ndarray, " n"]:
    """ROUGE-L F-measure between prefix and suffix, in [0, 1], equal to the package rouge-score.

    Source: "Guess or Recall?", taxonomy section, and Lin (2004).

    Args:
        tokens: ids of prefix and suffix.
        prefix: how many of them are the prefix.

    Raises:
        UserError: no token is left for the suffix, another dtype, or a negative id.
    """
    check(tokens, prefix)
    measures = f_measures(prefix, tokens.shape[1] - prefix)
    return in_chunks(tokens, prefix, longest_common_subsequence, measures)


def in_chunks(
    tokens: Integer[np.ndarray, "n length"],
    prefix: int,
    count: Callable[[Masks], Counts],
    measures: Float64[np.ndarray, " counts"],
) -> Float64[np.ndarray, " n"]:
    """Look up the F-measure of the matches that `count` counts, a chunk of sequences at a time."""
    result = np.empty(len(tokens))
    rows = max(1, CELLS // (prefix * (tokens.shape[1] - prefix)))
    for start in range(0, len(tokens), rows):
        chunk = slice(start, start + rows)
        result[chunk] = measures[count(equal_positions(tokens[chunk], prefix))]
    return result


def check(tokens: np.ndarray, prefix: int) -> None:
    """Raise UserError unless these are ids of sequences with a prefix and a suffix."""
    if tokens.ndim != 2 or not 0 < prefix < tokens.shape[1]:
        raise UserError(
            f"tokens of shape {tokens.shape} with a prefix of {prefix}: give (sequences, tokens of "
            "prefix and suffix), at least one of each"
        )
    if not np.issubdtype(tokens.dtype, np.integer):
        raise UserError(f"tokens of dtype {tokens.dtype}: give integer token ids")
    if tokens.size and tokens.min() < 0:
        raise UserError(f"token id {tokens.min()}: ids are at least 0, check the tokenizer")


def f_measures(in_prefix: int, in_suffix: int) -> Float64[np.ndarray, " counts"]:
    """F-measure of 0, 1, ... matches among so many units, rounded as rouge-score rounds it."""
    counts = range(1, min(in_prefix, in_suffix) + 1)
    ratios = [(matches / in_suffix, matches / in_prefix) for matches in counts]
    return np.array([0.0, *(2 * p * r / (p + r) for p, r in ratios)])


def equal_positions(tokens: Integer[np.ndarray, "n length"], prefix: int) -> Masks:
    """For suffix token j: the words whose bit i says that prefix token i equals it."""
    word = np.dtype("<u4") if prefix <= 32 else np.dtype("<u8")
    equal = tokens[:, None, :prefix] == tokens[:, prefix:, None]
    bits = np.packbits(equal, axis=-1, bitorder="little")
    if missing := -bits.shape[-1] % word.itemsize:
        bits = np.pad(bits, ((0, 0), (0, 0), (0, missing)))
    return np.ascontiguousarray(bits.view(word).transpose(1, 2, 0))


def longest_common_subsequence(masks: Masks) -> Counts:
    """Length of the longest common subsequence, by the bit-parallel algorithm of Hyyrö (2004)."""
    row = all_ones(masks)  # a 0 where the LCS grows by one
    for mask in masks:
        grows = row & mask
        row = added(row, grows) | (row - grows)
    return zeros_in(row)


def shared_trigrams(masks: Masks) -> Counts:
    """Sum over distinct trigrams of the smaller of their counts in prefix and suffix.

    Pairing each suffix trigram with any unpaired equal one of the prefix gives that sum,
    because equality splits the trigrams into groups that are paired independently.
    """
    unpaired = all_ones(masks)
    for first, second, third in zip(masks, masks[1:], masks[2:], strict=False):
        candidates = first & shifted_down(second, 1) & shifted_down(third, 2) & unpaired
        unpaired &= ~lowest_bit(candidates)
    return zeros_in(unpaired)


def all_ones(masks: Masks) -> Words:
    """Words in which every bit is 1, also those beyond the prefix, which never change."""
    return np.full(masks.shape[1:], np.iinfo(masks.dtype).max, masks.dtype)


def zeros_in(words: Words) -> Counts:
    """Number of bits that are 0."""
    ones = np.bitwise_count(words).sum(axis=0, dtype=np.int64)
    return 8 * words.itemsize * len(words) - ones


def added(left: Words, right: Words) -> Words:
    """Sum of two long numbers; the carry out of the last word is meant to be lost."""
    total = left + right
    for place in range(1, len(total)):
        lower = place - 1
        carry = (left[lower] & right[lower]) | ((left[lower] | right[lower]) & ~total[lower])
        total[place] += carry >> (8 * total.itemsize - 1)
    return total


def shifted_down(words: Words, by: int) -> Words:
    """Long numbers shifted towards their lowest bit."""
    result = words >> by
    result[:-1] |= words[1:] << (8 * words.itemsize - by)
    return result


def lowest_bit(words: Words) -> Words:
    """The lowest 1 of each long number alone."""
    result = words & -words
    for place in range(1, len(words)):
        result[place, (words[:place] != 0).any(axis=0)] = 0
    return result
