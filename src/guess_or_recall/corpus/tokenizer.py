"""A byte-level BPE tokenizer: trained on the corpus, or taken from a model's folder."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from guess_or_recall.corpus.source import Document
from guess_or_recall.errors import UserError, first_line

END_OF_TEXT = "<|endoftext|>"


class TokenizedTexts(NamedTuple):
    """The tokens of all documents, one after the other."""

    tokens: Int[np.ndarray, " n"]
    ends: Int[np.ndarray, " d"]  # where each document ends in `tokens`
    names: list[str]


def part_to_train_on(texts: list[str], megabytes: float, seed: int) -> Iterator[str]:
    """A random part of the texts of at least so many million characters, in their order."""
    order = np.random.default_rng(seed).permutation(len(texts))
    characters = np.cumsum([len(texts[row]) for row in order])
    part = order[: 1 + np.searchsorted(characters, megabytes * 1e6)]
    return (texts[row] for row in np.sort(part))


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
    bare.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bare, eos_token=END_OF_TEXT)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Load the fast tokenizer of a local Hugging Face model or tokenizer folder.

    Raises:
        UserError: the folder holds no tokenizer.json, or one that cannot be read.
    """
    key = "sequences.tokenizer.path"
    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"{key}: '{folder}' holds no tokenizer.json: name a folder that has one")
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
    return loaded


def encode(
    tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]
) -> Iterator[Int[np.ndarray, " length"]]:
    """Token ids (int32) of each text, without special tokens, batch by batch on all cores."""
    backend = tokenizer.backend_tokenizer
    remaining = iter(texts)
    while batch := list(islice(remaining, 64)):
        for encoding in backend.encode_batch_fast(batch, add_special_tokens=False):
            yield np.array(encoding.ids, np.int32)


def tokenize(
    tokenizer: PreTrainedTokenizerFast, documents: Iterable[Document], path: Path
) -> TokenizedTexts:
    """Tokenize documents into the file `path`, so that memory does not grow with the corpus."""
    names: list[str] = []
    lengths: list[int] = []

    def texts() -> Iterator[str]:
        for document in documents:
            names.append(document.name)
            yield document.text

    with open(path, "wb") as stream:
        for ids in tqdm(encode(tokenizer, texts()), desc="tokenizing", unit=" documents"):
            stream.write(ids.tobytes())
            lengths.append(len(ids))
    tokens = np.memmap(path, np.int32, "r") if sum(lengths) else np.empty(0, np.int32)
    return TokenizedTexts(tokens, np.cumsum(lengths, dtype=np.int64), names)


def decode(tokenizer: PreTrainedTokenizerFast, windows: Int[np.ndarray, "n length"]) -> list[str]:
    """The text of each window."""
    backend = tokenizer.backend_tokenizer
    return backend.decode_batch(windows.tolist(), skip_special_tokens=False)
