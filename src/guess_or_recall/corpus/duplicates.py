"""Exact occurrences of suffixes in a token stream, by a rolling hash and a comparison."""

import numpy as np
from jaxtyping import Bool, Int, UInt64
from numpy.lib.stride_tricks import sliding_window_view
from tqdm import tqdm

CHUNK = 1 << 20
TABLE_BITS = 22


def rolling_hash(
    tokens: Int[np.ndarray, " n"], base: int, length: int
) -> UInt64[np.ndarray, " runs"]:
    """Polynomial hash (mod 2^64) of every run of `length` tokens, in a few doublings."""
    single = tokens.astype(np.uint64) + np.uint64(1)
    first = np.array([base], np.uint64)  # an array: its overflow is meant, and silent
    hashes, power, span = single, first, 1
    for bit in f"{length:b}"[1:]:  # the binary digits of `length`, read from the highest
        hashes, power, span = hashes[:-span] * power + hashes[span:], power * power, 2 * span
        if bit == "1":
            hashes, power, span = hashes[:-1] * first + single[span:], power * first, span + 1
    return hashes


def within_document(
    start: int, count: int, ends: Int[np.ndarray, " d"], length: int
) -> Bool[np.ndarray, " n"]:
    """Which of the runs that begin at start, start+1, ... stay inside one document."""
    positions = np.arange(start, start + count)
    return positions + length <= ends[np.searchsorted(ends, positions, side="right")]


def distinct_hashes(suffixes: Int[np.ndarray, "n length"]) -> tuple[int, UInt64[np.ndarray, " n"]]:
    """A base under which distinct suffixes hash differently, and their hashes."""
    length = suffixes.shape[1]
    for base in range(0x9E3779B97F4A7C15, 0x9E3779B97F4A7C15 + 64, 2):
        hashes = rolling_hash(suffixes.ravel(), base, length)[::length]
        if len(np.unique(hashes)) == len(suffixes):
            return base, hashes
    raise AssertionError("32 hash functions in a row collide")


def count_duplicates(
    tokens: Int[np.ndarray, " n"],
    ends: Int[np.ndarray, " d"],
    suffixes: Int[np.ndarray, "s length"],
) -> Int[np.ndarray, " s"]:
    """Count the exact occurrences of each suffix in a stream of documents.

    Overlapping occurrences count, occurrences across a document's end do not ("Guess or
    Recall?", section 3: duplicates of the suffix over the training stream).

    Args:
        tokens: the documents' tokens, one after the other (a memory map is read in chunks).
        ends: where each document ends in `tokens`, ascending; the last is len(tokens).
        suffixes: the token runs to count.
    """
    length = suffixes.shape[1]
    distinct, inverse = np.unique(suffixes, axis=0, return_inverse=True)
    base, hashes = distinct_hashes(distinct)
    order = np.argsort(hashes)
    ordered = hashes[order]
    shift = np.uint64(64 - TABLE_BITS)
    possible = np.zeros(1 << TABLE_BITS, bool)  # most positions are ruled out by the top bits
    possible[ordered >> shift] = True
    counts = np.zeros(len(distinct), np.int64)
    starts = range(0, max(len(tokens) - length + 1, 0), CHUNK)
    for start in tqdm(starts, desc="counting duplicates", unit="chunk", disable=len(starts) < 4):
        chunk = np.asarray(tokens[start : start + CHUNK + length - 1])
        run_hashes = rolling_hash(chunk, base, length)
        keep = np.flatnonzero(possible[run_hashes >> shift])
        place = np.minimum(np.searchsorted(ordered, run_hashes[keep]), len(ordered) - 1)
        match = ordered[place] == run_hashes[keep]
        keep, which = keep[match], order[place[match]]
        match = within_document(start, len(run_hashes), ends, length)[keep]
        match &= (sliding_window_view(chunk, length)[keep] == distinct[which]).all(axis=1)
        counts += np.bincount(which[match], minlength=len(distinct))
    return counts[inverse.ravel()]
