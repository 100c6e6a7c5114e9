"""Configurations of models that the field uses: observed, or refused before scoring."""

from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BloomConfig,
    GPTJConfig,
    GPTNeoConfig,
    MambaConfig,
    OPTConfig,
)

from guess_or_recall.attention.pooling import full_attention
from guess_or_recall.errors import UserError
from guess_or_recall.localization.cuts import Cut, Regions, cutting
from guess_or_recall.model.layers import numbered_modules
from guess_or_recall.model.load import load_folder
from guess_or_recall.model.pointer import describe
from guess_or_recall.model.scoring import score
from tests.weights import TOKENS, change, refused

SHAPE: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


@pytest.fixture
def folder(net):
    return net


@pytest.mark.parametrize(
    "settings",
    [
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": 0},
        {"num_hidden_layers": -1},
        {"num_hidden_layers": "2"},
        {"num_attention_heads": None},
        {"num_attention_heads": 3},
        {"hidden_size": 1.5},
        {"vocab_size": 10**30},
        {"eos_token_id": "</s>"},
        {"eos_token_id": [[1]]},
        {"model_type": 5},
        {"model_type": None},
        {"architectures": "x"},
        {"architectures": [5]},
        {"architectures": {}},
        {"hidden_act": "nonesuch"},
        {"rope_parameters": "x"},
        {"rope_parameters": {"rope_type": "nonesuch"}},
        {"max_position_embeddings": "many"},
        {"max_position_embeddings": None},
        {"quantization_config": {"quant_method": "nonesuch"}},
        {"dtype": "nonesuch"},
        {"torch_dtype": 5},
        {"attn_implementation": "kernels-community/code"},
        {"attn_implementation": 5},
        {"layer_norm_eps": "small"},
        {"auto_map": 5},
        {"id2label": 5},
        {"num_labels": -5},
        {"per_layer_config": 5},
    ],
    ids=str,
)
def test_nonsense_in_config_json_is_one_line(settings, folder):
    """Or makes no difference."""
    expected = score(load_folder(folder), TOKENS, 12, 3, 3).sequence_perplexity
    change(folder, **settings)
    try:
        describe("path", folder, "float32")
    except UserError:
        refused(folder)
    else:
        perplexity = score(load_folder(folder), TOKENS, 12, 3, 3).sequence_perplexity
        assert perplexity.tolist() == expected.tolist()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"5", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_a_config_that_is_none(content, folder):
    (folder / "config.json").write_bytes(content)
    refused(folder)


CONFIGS = {
    "gpt_neo": lambda: GPTNeoConfig(
        vocab_size=50,
        hidden_size=16,
        num_layers=2,
        num_heads=2,
        attention_types=[[["global", "local"], 1]],
        window_size=4,
    ),
    "gptj": lambda: GPTJConfig(vocab_size=50, n_embd=16, n_layer=2, n_head=2, rotary_dim=4),
    "opt": lambda: OPTConfig(**SHAPE, ffn_dim=16, word_embed_proj_dim=16),
}


REFUSED = {
    "bloom": lambda: BloomConfig(vocab_size=50, hidden_size=16, n_layer=2, n_head=2),
    "mamba": lambda: MambaConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, state_size=4),
    "bert": lambda: BertConfig(**SHAPE, intermediate_size=16),
}


def of_config(config):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        parameter.data.mul_(4)  # patterns far from uniform
    return model


@pytest.mark.parametrize("name", CONFIGS)
def test_models_that_the_field_uses(name, tmp_path):
    of_config(CONFIGS[name]()).save_pretrained(tmp_path / "net")
    assert describe("path", tmp_path / "net", "float32")["attention_layers"] == [0, 1]
    model, tokens = load_folder(tmp_path / "net"), torch.from_numpy(TOKENS).long()
    pattern = full_attention(model, tokens)
    with torch.no_grad():
        whole = model(tokens, use_cache=False).logits
        nothing = Cut("all-but-diagonal", (0, 1)), Regions(prefix=12, near=-1)
        with cutting(model, numbered_modules(model), *nothing):
            torch.testing.assert_close(model(tokens, use_cache=False).logits, whole)
        model.set_attn_implementation("eager") if name == "opt" else None
        patterns = model(tokens, output_attentions=True, use_cache=False).attentions
    assert torch.equal(pattern, torch.stack(patterns, 1).half())
    with torch.no_grad(), cutting(model, numbered_modules(model), Cut("off", (1,)), nothing[1]):
        assert not torch.allclose(model(tokens, use_cache=False).logits, whole, atol=1e-3)


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_cannot_be_observed_are_refused_before_scoring(name, tmp_path):
    of_config(REFUSED[name]()).save_pretrained(tmp_path / "net")
    said = refused(tmp_path / "net")
    assert "cannot be observed" in said or "its tokens see later ones" in said
    assert "choose a causal language model" in said
