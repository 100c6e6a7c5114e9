"""A byte-level BPE tokenizer: trained on the corpus, or taken from a model's folder."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from guess_or_recall.errors import UserError, first_line
from guess_or_recall.io.checksums import verify

END_OF_TEXT = "<|endoftext|>"
LONG = 1 << 20  # characters of a text that is cut, to train on it
PIECE = 1 << 16  # into pieces of so many
CHUNK = 1 << 22  # tokens that are looked at together


def part_to_train_on(
    lengths: list[int], megabytes: float, seed: int
) -> Bool[np.ndarray, " documents"]:
    """Which documents are a random part of at least so many million characters.

    Args:
        lengths: characters of each document.
        megabytes: million characters that are wanted.
        seed: of the choice.
    """
    order = np.random.default_rng(seed).permutation(len(lengths))
    characters = np.cumsum(np.array(lengths, np.int64)[order])
    chosen = np.zeros(len(lengths), bool)
    chosen[order[: 1 + np.searchsorted(characters, megabytes * 1e6)]] = True
    return chosen


def in_pieces(texts: Iterable[str]) -> Iterator[str]:
    """Texts to train on, the very long ones in pieces, so that memory does not grow with them."""
    for text in texts:
        length = len(text) if len(text) <= LONG else PIECE
        yield from (text[start : start + length] for start in range(0, len(text), length or 1))


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE of `vocabulary` tokens; the same texts give the same tokenizer."""
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bare.train_from_iterator(in_pieces(texts), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bare, eos_token=END_OF_TEXT)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Load the fast tokenizer of a local Hugging Face model or tokenizer folder.

    Raises:
        UserError: the folder holds no tokenizer.json, or one that cannot be read.
    """
    key = "sequences.tokenizer.path"
    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"{key}: '{folder}' holds no tokenizer.json: name a folder that has one")
    verify(folder)
    try:
        loaded = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # a damaged file raises any kind, from KeyError to Exception itself
        raise UserError(
            f"{key}: the tokenizer in '{folder}' cannot be read ({type(error).__name__}: "
            f"{first_line(error)}): fetch or copy that folder again, or name another"
        ) from None
    if not isinstance(loaded, PreTrainedTokenizerFast):
        raise UserError(
            f"{key}: '{folder}' asks for {type(loaded).__name__}, which does not use its "
            "tokenizer.json: name a folder with a fast tokenizer"
        )
    vocabulary_alone(loaded.backend_tokenizer)
    return loaded


def vocabulary_alone(tokenizer: Tokenizer) -> Tokenizer:
    """Take from a tokenizer what a file may say beyond its vocabulary: it changes no text's tokens.

    That is truncation, padding, and merges left out at random (the dropout of BPE). Templates add
    tokens to nobody who does not ask for special tokens.
    """
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if getattr(tokenizer.model, "dropout", None):
        tokenizer.model.dropout = None
    return tokenizer


def special_pattern(tokenizer: PreTrainedTokenizerFast) -> re.Pattern[str]:
    """What finds the text of special tokens in a text; the longest where several begin."""
    names = sorted(special_ids(tokenizer), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names)) or "(?!)")


def special_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    """Id of each special token by its text."""
    added = tokenizer.backend_tokenizer.get_added_tokens_decoder()
    return {token.content: token_id for token_id, token in added.items() if token.special}


def odd_tokens(tokenizer: PreTrainedTokenizerFast, tokens: Int[np.ndarray, " n"]) -> dict[str, int]:
    """How many tokens of a corpus are special, and how many stand for text without a token."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    name = model.get("unk_token")
    unknown = model.get("unk_id") if name is None else model["vocab"].get(name)
    special = set(special_ids(tokenizer).values()) - {unknown}
    counts = {"special_tokens": 0, "unknown_tokens": 0}
    for start in range(0, len(tokens), CHUNK):
        chunk = np.asarray(tokens[start : start + CHUNK])
        counts["special_tokens"] += int(np.isin(chunk, list(special)).sum())
        counts["unknown_tokens"] += int((chunk == unknown).sum()) if unknown is not None else 0
    return counts


def decode(tokenizer: PreTrainedTokenizerFast, windows: Int[np.ndarray, "n length"]) -> list[str]:
    """The text of each window."""
    backend = tokenizer.backend_tokenizer
    return backend.decode_batch(windows.tolist(), skip_special_tokens=False)
