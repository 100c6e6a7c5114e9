"""Folders of models that the stage `model` refuses: no weights, another corpus or tokenizer."""

import json
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from guess_or_recall.errors import UserError
from guess_or_recall.model.fit import check_corpus, check_positions, check_tokenizer
from guess_or_recall.model.load import load_folder
from guess_or_recall.model.training import new_model


def save(model, folder, **options):
    model.save_pretrained(folder, **options)
    return folder


def test_unfit_folders_are_refused(tmp_path):
    llama = LlamaConfig(
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=20,
    )
    llama.save_pretrained(tmp_path / "bare")
    with pytest.raises(UserError, match=r"holds no .safetensors"):
        load_folder(tmp_path / "bare")
    (tmp_path / "bare" / "config.json").rename(tmp_path / "bare" / "model.safetensors")
    with pytest.raises(UserError, match=r"holds no config.json"):
        load_folder(tmp_path / "bare")
    check_positions(llama, 64, "it")
    settings: dict[str, Any] = {**llama.to_dict(), "max_position_embeddings": 63}
    with pytest.raises(UserError, match=r"it reads 63 tokens, 64 are needed: shorten sequences"):
        check_positions(LlamaConfig(**settings), 64, "it")
    broken = save(LlamaForCausalLM(llama), tmp_path / "broken")
    load_folder(broken)
    (broken / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(UserError, match="cannot be read"):
        load_folder(broken)
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"model_type": "nonesuch"}))
    with pytest.raises(UserError, match="not supported"):
        load_folder(broken)
    (broken / "config.json").write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(UserError, match="is a vit, not a causal LM"):
        load_folder(broken)


def corpus(folder, **changes):
    folder.mkdir(exist_ok=True)
    content = {"source": "packages", "stream_sha256": "a", "packages": {}} | changes
    (folder / "corpus.json").write_text(json.dumps(content))
    return folder


def test_another_corpus_is_named(tmp_path):
    package = {"version": "1.0", "sha256": "abcdef0123", "files": 1, "bytes": 1}
    model = corpus(tmp_path / "model", packages={"sympy": package, "dvc": package})
    check_corpus(model, corpus(tmp_path / "same"))
    changed = corpus(
        tmp_path / "other",
        stream_sha256="b",
        packages={"sympy": package | {"version": "2.0"}, "dvc": package},
    )
    with pytest.raises(UserError, match=r"packages differ: sympy \(1.0 abcdef01 then, 2.0"):
        check_corpus(model, changed)
    changed = corpus(
        tmp_path / "planted", stream_sha256="b", packages={"sympy": package, "dvc": package}
    )
    with pytest.raises(UserError, match="params `sequences` or `seed` differ"):
        check_corpus(model, changed)
    check_corpus(model, corpus(tmp_path / "own", source="files", stream_sha256="b"))


def test_another_tokenizer_is_named(tmp_path):
    from guess_or_recall.corpus.tokenizer import train_tokenizer

    for name, text in [("model", "aaaa bbbb"), ("sequences/tokenizer", "cccc dddd")]:
        train_tokenizer([text] * 3, 260).save_pretrained(tmp_path / name)
    check_tokenizer(tmp_path / "sequences" / "tokenizer", tmp_path / "sequences")
    with pytest.raises(UserError, match=r"not made with the tokenizer of .*model_?"):
        check_tokenizer(tmp_path / "model", tmp_path / "sequences")
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"model.tokenizer.json cannot be read"):
        check_tokenizer(tmp_path / "model", tmp_path / "sequences")


def test_an_added_token_makes_no_other_tokenizer(tmp_path):
    """But other merges, another normalizer or another number of a shared token do."""
    from guess_or_recall.corpus.tokenizer import train_tokenizer

    texts = ["The year of the cat, the year of the dog"] * 3
    train_tokenizer(texts, 270).save_pretrained(tmp_path / "sequences" / "tokenizer")
    padded = train_tokenizer(texts, 270)
    padded.add_special_tokens({"pad_token": "[PAD]"})
    padded.backend_tokenizer.enable_truncation(2)  # is not the vocabulary's
    padded.save_pretrained(tmp_path / "padded")
    check_tokenizer(tmp_path / "padded", tmp_path / "sequences")
    plain = json.loads((tmp_path / "padded" / "tokenizer.json").read_text())
    for name, change in {
        "merges": {"model": plain["model"] | {"merges": plain["model"]["merges"][:1]}},
        "normalizer": {"normalizer": {"type": "Lowercase"}},
        "number": {"added_tokens": [plain["added_tokens"][0] | {"content": "<|end|>"}]},
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokenizer.json").write_text(json.dumps(plain | change))
        with pytest.raises(UserError, match="not made with the tokenizer of"):
            check_tokenizer(tmp_path / name, tmp_path / "sequences")


def test_missing_weights_are_not_made_up(tmp_path):
    folder = save(
        new_model(vocabulary=50, layers=1, width=32, heads=4, length=64, seed=1), tmp_path
    )
    weights = load_file(folder / "model.safetensors")
    gone = next(name for name in weights if "dense_h_to_4h.weight" in name)
    kept = {name: value for name, value in weights.items() if name != gone}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"has no weights for .*dense_h_to_4h"):
        load_folder(folder)
