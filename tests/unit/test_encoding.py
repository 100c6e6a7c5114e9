"""Text becomes tokens one way: whole or in pieces, whatever else a tokenizer's file asks for."""

import json

import numpy as np
import pytest
from tokenizers import (
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from guess_or_recall.corpus import encoding
from guess_or_recall.corpus.encoding import encode
from guess_or_recall.corpus.tokenizer import (
    in_pieces,
    load_tokenizer,
    odd_tokens,
    part_to_train_on,
    special_pattern,
    train_tokenizer,
)

TEXT = " ".join(f"naïve word{n * n} {'ab' * (n % 9)}\n" for n in range(900)) + "🙂 end" + "a" * 3000
SPECIAL = "<|endoftext|>"


@pytest.fixture(scope="module")
def plain():
    return train_tokenizer([TEXT], 400)


def ids(tokenizer, *texts, special_tokens="text"):
    return [row.ids.tolist() for row in encode(tokenizer, texts, special_tokens)]


def bpe_without_words() -> Tokenizer:
    """As Llama's: spaces are letters, one is put before the text, nothing splits words."""
    bare = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    bare.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<unk>", "<s>"], max_token_length=9, show_progress=False
    )
    bare.train_from_iterator(TEXT.split("\n")[:200], trainer)
    return bare


def word_piece() -> Tokenizer:
    bare = Tokenizer(models.WordPiece(unk_token="<unk>"))
    bare.normalizer = normalizers.BertNormalizer()
    bare.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=300, special_tokens=["<unk>", SPECIAL], show_progress=False
    )
    bare.train_from_iterator([TEXT], trainer)
    return bare


def unigram() -> Tokenizer:
    bare = Tokenizer(models.Unigram())
    bare.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False
    )
    bare.train_from_iterator([TEXT], trainer)
    return bare


@pytest.mark.parametrize("make", [None, bpe_without_words, word_piece, unigram])
def test_pieces_of_a_long_text_give_the_tokens_of_the_whole(plain, make, monkeypatch):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=make()) if make else plain
    [whole] = encode(tokenizer, [TEXT], "text", 7)
    monkeypatch.setattr(encoding, "PIECE", 2000)
    monkeypatch.setattr(encoding, "OVERLAP", 300)
    monkeypatch.setattr(encoding, "AGREEING", 12)
    [short, pieces, _] = encode(tokenizer, ["short", TEXT, ""], "text", 7)
    assert pieces.ids.tolist() == whole.ids.tolist() and len(whole.ids) > 1000
    assert pieces.starts.tolist() == whole.starts.tolist()
    assert short.ids.tolist() == ids(tokenizer, "short")[0]


def test_pieces_that_never_agree_are_joined_to_the_whole(monkeypatch):
    """A tokenizer of one token for all of a text."""
    bare = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    monkeypatch.setattr(encoding, "PIECE", 100)
    monkeypatch.setattr(encoding, "OVERLAP", 30)
    assert ids(PreTrainedTokenizerFast(tokenizer_object=bare), "x" * 1000) == [[0]]


def test_places_are_characters_of_the_text(plain):
    text = "naïve 🙂 " * 40
    [tokens] = encode(plain, [text], "text", 5)
    for place, token in zip(tokens.starts, range(0, len(tokens.ids), 5), strict=True):
        rest = plain.backend_tokenizer.decode(tokens.ids[token:].tolist())
        assert text[place:].endswith(rest.lstrip("\ufffd"))
        assert len(text[place:]) - len(rest.lstrip("\ufffd")) <= 1


@pytest.mark.parametrize("kept", ["truncation", "padding", "template", "dropout"])
def test_nothing_of_a_tokenizer_but_its_vocabulary_changes_a_text(tmp_path, plain, kept):
    bare = Tokenizer.from_str(plain.backend_tokenizer.to_str())
    if kept == "truncation":
        bare.enable_truncation(5)
    elif kept == "padding":
        bare.enable_padding(length=10_000, pad_token=SPECIAL)
    elif kept == "template":
        bare.post_processor = processors.TemplateProcessing(
            single=f"{SPECIAL} $A {SPECIAL}", special_tokens=[(SPECIAL, 0)]
        )
    else:
        bare.model.dropout = 0.9  # pyright: ignore[reportAttributeAccessIssue]
    PreTrainedTokenizerFast(tokenizer_object=bare, eos_token=SPECIAL).save_pretrained(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert ids(loaded, TEXT, "two words") == ids(plain, TEXT, "two words")
    again = tmp_path / "again"
    loaded.save_pretrained(again)
    stored = json.loads((again / "tokenizer.json").read_text())
    assert (stored["truncation"], stored["padding"]) == (None, None)
    assert not stored["model"]["dropout"]


def test_special_tokens_in_a_text_are_text_unless_the_settings_differ(plain):
    text = f"before{SPECIAL}after"
    [as_text], [as_token] = ids(plain, text), ids(plain, text, special_tokens="tokens")
    assert 0 not in as_text and as_token.count(0) == 1
    assert plain.backend_tokenizer.decode(as_text, skip_special_tokens=True) == text
    assert ids(plain, text) == [as_text]  # as before it was asked otherwise
    assert special_pattern(plain).findall(text * 3) == [SPECIAL] * 3


def test_special_and_unknown_tokens_are_counted():
    bare = Tokenizer(models.WordLevel({"a": 0, "<unk>": 1, SPECIAL: 2}, unk_token="<unk>"))
    bare.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    bare.add_special_tokens([SPECIAL, "<unk>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare)
    for special_tokens, expected in (("tokens", 1), ("text", 1)):  # a word of the vocabulary
        [row] = encode(tokenizer, [f"a b a c {SPECIAL}"], special_tokens)
        counts = odd_tokens(tokenizer, row.ids)
        assert counts == {"special_tokens": expected, "unknown_tokens": 2}
    nothing = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    assert odd_tokens(nothing, np.array([3], np.int32)) == dict.fromkeys(counts, 0)
    assert special_pattern(nothing).findall("text") == []


def test_the_part_to_train_on_is_of_the_size_asked_for():
    lengths = [300_000] * 10
    assert part_to_train_on(lengths, 1.0, 7).sum() == 4
    assert part_to_train_on(lengths, 99, 7).all()
    assert part_to_train_on([], 1.0, 7).tolist() == []


def test_long_texts_are_trained_on_in_pieces():
    long = "ab" * (1 << 20)
    assert next(in_pieces(["short", long])) == "short"
    assert "".join(in_pieces([long])) == long
    assert max(map(len, in_pieces([long]))) == 1 << 16
