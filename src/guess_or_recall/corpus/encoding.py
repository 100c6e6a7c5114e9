"""Token ids of texts: the same for a text alone, in a batch, and in pieces where it is long."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from tokenizers import Encoding, Tokenizer
from transformers import PreTrainedTokenizerFast

from guess_or_recall.errors import UserError, first_line

BATCH = 64  # texts that are encoded together, on all cores
PIECE = 1 << 18  # characters: a tokenizer takes some 300 bytes of memory for each
OVERLAP = 1 << 12  # characters that two neighbouring pieces share
AGREEING = 32  # tokens to each side of a joint that both pieces must have alike


class Tokens(NamedTuple):
    """The tokens of a text.

    Attributes:
        parts: their ids, in parts where the text is long.
        starts: the character at which every `stride`-th token begins.
    """

    parts: list[Int[np.ndarray, " n"]]
    starts: Int[np.ndarray, " places"]

    @property
    def ids(self) -> Int[np.ndarray, " length"]:
        """All ids."""
        return np.concatenate(self.parts)


def encode(
    tokenizer: PreTrainedTokenizerFast, texts: Iterable[str], special_tokens: str, stride: int = 1
) -> Iterator[Tokens]:
    """Tokens of each text, in their order.

    Args:
        tokenizer: of `load_tokenizer` or `train_tokenizer`.
        texts: of any length; a long one is encoded in pieces.
        special_tokens: `text`: what looks like a special token in a text is text; `tokens`: it is
            that token. Nothing else adds one.
        stride: `starts` tells where each so many-th token begins.
    """
    backend = tokenizer.backend_tokenizer
    backend.encode_special_tokens = special_tokens == "text"
    for batch in batches(texts):
        try:
            yield from encode_batch(backend, batch, stride)
        except Exception as error:  # of no narrower type
            raise UserError(
                f"the tokenizer cannot encode a text ({first_line(error)}): name another one "
                "(sequences.tokenizer.path)"
            ) from None


def encode_batch(backend: Tokenizer, batch: list[str], stride: int) -> Iterable[Tokens]:
    """Tokens of each text of a batch."""
    if len(batch[0]) > PIECE:  # then alone
        return [encode_long(backend, batch[0], stride)]
    encodings = backend.encode_batch(batch, add_special_tokens=False)
    return [tokens_of(encoding, stride) for encoding in encodings]


def batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts in batches of few characters; a long one is alone."""
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and (len(batch) == BATCH or size + len(text) > PIECE):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


def tokens_of(encoding: Encoding, stride: int) -> Tokens:
    """Ids and places of the tokens of one text."""
    ids = np.array(encoding.ids, np.int32)
    spans = [encoding.token_to_chars(token) for token in range(0, len(ids), stride)]
    starts = [span[0] for span in spans if span is not None]  # a token that is added has none
    assert len(starts) == len(spans)
    return Tokens([ids], np.array(starts, np.int64))


class Piece(NamedTuple):
    """Tokens of a part of a text."""

    ids: Int[np.ndarray, " n"]
    starts: Int[np.ndarray, " n"]  # the character of the whole text at which each begins


def encode_long(backend: Tokenizer, text: str, stride: int) -> Tokens:
    """Tokens of a long text, piece by piece, so that memory does not grow with it.

    Neighbouring pieces overlap, and are joined where both have the same tokens at the same
    characters for a while. Where they never do, a piece is made longer, in the end the whole.
    """
    ids, starts, count = [], [], 0
    for piece in joined(backend, text):
        ids.append(piece.ids)
        starts.append(piece.starts[-count % stride :: stride].copy())  # lets the others go
        count += len(piece.ids)
    return Tokens(ids, np.concatenate(starts))


def joined(backend: Tokenizer, text: str) -> Iterator[Piece]:
    """Pieces that follow one another without an overlap."""
    piece, length, first = encode_piece(backend, text, 0, PIECE), PIECE, 0
    begin = 0
    while begin + length < len(text):
        next_begin = boundary(piece, begin + length - OVERLAP)
        following = encode_piece(backend, text, next_begin, PIECE)
        joint = joint_of(piece, following)
        if joint is None:  # once more, twice as long
            length *= 2
            piece = encode_piece(backend, text, begin, length)
            continue
        end, start = joint
        yield Piece(piece.ids[first:end], piece.starts[first:end])
        piece, begin, length, first = following, next_begin, PIECE, start
    yield Piece(piece.ids[first:], piece.starts[first:])


def encode_piece(backend: Tokenizer, text: str, begin: int, length: int) -> Piece:
    """Tokens of some characters of a text."""
    encoding = backend.encode(text[begin : begin + length], add_special_tokens=False)
    starts = np.array(encoding.offsets, np.int64).reshape(-1, 2)[:, 0]
    return Piece(np.array(encoding.ids, np.int32), begin + starts)


def boundary(piece: Piece, character: int) -> int:
    """The last place up to a character at which a token begins: a piece from there fits best."""
    place = np.searchsorted(piece.starts, character, side="right") - 1
    return int(piece.starts[place]) if place >= 0 else character


def joint_of(piece: Piece, following: Piece) -> tuple[int, int] | None:
    """Where a piece ends and the following one goes on: a token of each; None where they differ."""
    if not len(following.starts):
        return None
    low = int(np.searchsorted(piece.starts, following.starts[0])) + AGREEING
    for end in range(low, len(piece.ids) - AGREEING):
        start = int(np.searchsorted(following.starts, piece.starts[end]))
        here = slice(end - AGREEING, end + AGREEING)
        there = slice(max(start - AGREEING, 0), start + AGREEING)
        if (
            piece.starts[end] > piece.starts[end - 1]  # not within a character
            and np.array_equal(piece.ids[here], following.ids[there])
            and np.array_equal(piece.starts[here], following.starts[there])
        ):
            return end, start
    return None
