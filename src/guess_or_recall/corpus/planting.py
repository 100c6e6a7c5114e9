"""Which windows a training stream shows, how often, and which of them are studied."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int
from transformers import PreTrainedTokenizerFast

from guess_or_recall.corpus.documents import TokenizedTexts
from guess_or_recall.corpus.tokenizer import decode
from guess_or_recall.corpus.windows import cut, first_of_equal, window_starts
from guess_or_recall.errors import UserError
from guess_or_recall.features.rouge import rouge_l
from guess_or_recall.features.templates import templates
from guess_or_recall.settings.sequences import Planting, Sequences

BACKGROUND = "background"  # the kind of windows that are not planted


def choose(
    texts: TokenizedTexts,
    tokenizer: PreTrainedTokenizerFast,
    settings: Sequences,
    planted: Mapping[str, Planting],
    seed: int,
) -> tuple[pd.DataFrame, Int[np.ndarray, "w length"]]:
    """Choose the windows of the training stream, and among them those that are studied.

    Windows come in one random order. The first that fit are planted, the first
    `settings.background` others are shown once. Equal windows are planted or studied once.

    Returns:
        sequence_id, document, document_id, document_start, planted, planted_copies, studied, and
        whether it repeats an earlier one, a row per window of the stream; and the windows.
    """
    in_order = window_starts(texts.ends, settings.total)
    starts = np.random.default_rng(seed).permutation(in_order)
    if not planted:
        starts = starts[: settings.background]
    windows = cut(texts.tokens, starts, settings.total)
    first = first_of_equal(windows)
    kinds, copies = np.full(len(windows), BACKGROUND, dtype=object), np.ones(len(windows), int)
    if planted:
        fits = fitting(tokenizer, windows, first, settings.prefix, planted)
        kinds, copies = plant(fits, {kind: rule.copies for kind, rule in planted.items()})
    shown = (kinds != BACKGROUND) | (np.cumsum(kinds == BACKGROUND) <= settings.background)
    documents = np.searchsorted(texts.ends, starts, side="right")
    frame = pd.DataFrame(
        {
            "sequence_id": np.arange(len(windows)),
            "document": np.array(texts.names, dtype=object)[documents],
            "document_id": np.array(texts.ids, dtype=object)[documents],
            "document_start": texts.places[np.searchsorted(in_order, starts)],
            "planted": kinds,
            "planted_copies": copies,
            "studied": choose_studied(kinds, first & shown, settings.studied, seed),
            "is_repetition": ~first,
        }
    )
    return frame.loc[shown].reset_index(drop=True), windows if shown.all() else windows[shown]


def fitting(
    tokenizer: PreTrainedTokenizerFast,
    windows: Int[np.ndarray, "w length"],
    first: Bool[np.ndarray, " w"],
    prefix: int,
    planted: Mapping[str, Planting],
) -> dict[str, Bool[np.ndarray, " w"]]:
    """Which windows may be planted as which kind: by ROUGE-L in [low, high), or as a template.

    A `high` of 1 is inside its range. `first` marks the windows that are no repetition.
    """
    overlap = rouge_l(windows, prefix)
    fits = {}
    for kind, rule in planted.items():
        low, high = rule.rouge_l
        fits[kind] = first & (overlap >= low) & ((overlap < high) | (high == 1))
        if rule.template:
            rows = np.flatnonzero(fits[kind])
            incrementing, repeating = templates(decode(tokenizer, windows[rows]))
            fits[kind][rows[~(incrementing | repeating)]] = False
    return fits


def plant(
    fits: Mapping[str, Bool[np.ndarray, " w"]], copies: Mapping[str, Mapping[int, int]]
) -> tuple[np.ndarray, Int[np.ndarray, " w"]]:
    """Choose the windows to plant: for each kind the first ones that fit and are still free.

    Args:
        fits: kind -> which windows (in random order) may be planted as it.
        copies: kind -> copies -> number of windows.

    Returns:
        The kind of every window ("background" where it is not planted) and its copies (1 there).

    Raises:
        UserError: the corpus has too few windows of a kind.
    """
    shape = next(iter(fits.values())).shape
    kinds, planted_copies = np.full(shape, BACKGROUND, dtype=object), np.ones(shape, np.int64)
    for kind, ladder in copies.items():
        rows, count = np.flatnonzero(fits[kind] & (kinds == BACKGROUND)), sum(ladder.values())
        if len(rows) < count:
            raise UserError(
                f"sequences.planted.{kind}: {count} windows wanted, the corpus has {len(rows)} "
                "that fit: plant fewer, or widen rouge_l"
            )
        kinds[rows[:count]] = kind
        planted_copies[rows[:count]] = np.repeat(list(ladder), list(ladder.values()))
    return kinds, planted_copies


def choose_studied(
    kinds: np.ndarray, eligible: Bool[np.ndarray, " w"], counts: Mapping[str, int], seed: int
) -> Bool[np.ndarray, " w"]:
    """Choose the windows that are studied: at most so many of each kind, at random."""
    studied = np.zeros(len(kinds), bool)
    for number, (kind, count) in enumerate(counts.items(), 1):
        rows = np.flatnonzero((kinds == kind) & eligible)
        studied[np.random.default_rng([seed, number]).permutation(rows)[:count]] = True
    return studied
