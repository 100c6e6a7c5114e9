"""ROUGE-3 and ROUGE-L between the prefix and the suffix of many sequences at once.

Both need only which prefix token equals which suffix token. For one suffix token these 32
answers fit a 32-bit word, so one integer operation serves 32 comparisons of a sequence.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Integer, UInt8, UInt32

from guess_or_recall.errors import UserError

LENGTH = 32  # tokens of a prefix, and of a suffix: one bit each
CHUNK = 4096  # sequences at once: their equality tensor (4 MB) stays in the cache

Counts = UInt8[np.ndarray, " n"]
Masks = UInt32[np.ndarray, "32 n"]


def rouge_3(tokens: Integer[np.ndarray, "n 64"]) -> Float64[np.ndarray, " n"]:
    """ROUGE-3 F-measure between prefix and suffix, in [0, 1], equal to the package rouge-score.

    Source: "Guess or Recall?", taxonomy section, and Lin (2004).

    Args:
        tokens: ids of the prefix (32) and of the suffix (32).

    Raises:
        UserError: another shape or dtype, or a negative id.
    """
    return in_chunks(tokens, shared_trigrams, f_measures(LENGTH - 2))


def rouge_l(tokens: Integer[np.ndarray, "n 64"]) -> Float64[np.ndarray, " n"]:
    """ROUGE-L F-measure between prefix and suffix, in [0, 1], equal to the package rouge-score.

    Source: "Guess or Recall?", taxonomy section, and Lin (2004).

    Args:
        tokens: ids of the prefix (32) and of the suffix (32).

    Raises:
        UserError: another shape or dtype, or a negative id.
    """
    return in_chunks(tokens, longest_common_subsequence, f_measures(LENGTH))


def in_chunks(
    tokens: Integer[np.ndarray, "n 64"],
    count: Callable[[Masks], Counts],
    measures: Float64[np.ndarray, " counts"],
) -> Float64[np.ndarray, " n"]:
    """Look up the F-measure of what `count` finds, a chunk of sequences at a time."""
    check(tokens)
    result = np.empty(len(tokens))
    for start in range(0, len(tokens), CHUNK):
        chunk = slice(start, start + CHUNK)
        result[chunk] = measures[count(equal_positions(tokens[chunk]))]
    return result


def check(tokens: np.ndarray) -> None:
    """Raise UserError unless these are ids of 64-token sequences."""
    if tokens.ndim != 2 or tokens.shape[1] != 2 * LENGTH:
        raise UserError(f"tokens of shape {tokens.shape}: give (sequences, {2 * LENGTH})")
    if not np.issubdtype(tokens.dtype, np.integer):
        raise UserError(f"tokens of dtype {tokens.dtype}: give integer token ids")
    if tokens.size and tokens.min() < 0:
        raise UserError(f"token id {tokens.min()}: ids are at least 0, check the tokenizer")


def f_measures(possible: int) -> Float64[np.ndarray, " counts"]:
    """F-measure of 0, 1, ... `possible` matches, rounded as rouge-score rounds it."""
    ratios = [matches / possible for matches in range(possible + 1)]
    return np.array([2 * p * p / (p + p) if p else 0.0 for p in ratios])


def equal_positions(tokens: Integer[np.ndarray, "n 64"]) -> Masks:
    """For suffix token j: the word whose bit i says that prefix token i equals it."""
    prefix, suffix = tokens[:, None, :LENGTH], tokens[:, LENGTH:, None]
    bits = np.packbits(prefix == suffix, axis=-1, bitorder="little")
    return np.ascontiguousarray(bits.view("<u4")[..., 0].T)


def longest_common_subsequence(masks: Masks) -> Counts:
    """Length of the longest common subsequence, by the bit-parallel algorithm of Hyyrö (2004)."""
    row = np.full(masks.shape[1], 0xFFFFFFFF, np.uint32)  # a 0 where the LCS grows by one
    for mask in masks:
        grows = row & mask
        row = (row + grows) | (row - grows)  # the carry out of bit 31 is meant to be lost
    return LENGTH - np.bitwise_count(row)


def shared_trigrams(masks: Masks) -> Counts:
    """Sum over distinct trigrams of the smaller of their counts in prefix and suffix.

    Pairing each suffix trigram with any unpaired equal one of the prefix gives that sum,
    because equality splits the trigrams into groups that are paired independently.
    """
    unpaired = np.full(masks.shape[1], 0xFFFFFFFF, np.uint32)
    for first, second, third in zip(masks, masks[1:], masks[2:], strict=False):
        candidates = first & second >> 1 & third >> 2 & unpaired
        unpaired &= ~(candidates & -candidates)  # the lowest candidate is taken
    return LENGTH - np.bitwise_count(unpaired)
