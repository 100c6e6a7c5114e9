"""Rows of attention patterns: what they add up to, and what leaks past the mask in float16."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertLMHeadModel, GptOssConfig, GptOssForCausalLM

from guess_or_recall.attention.extract import Shards, extract
from guess_or_recall.attention.pooling import (
    full_attention,
    observing,
    pool_heads,
    pooled_attention,
)
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.attention.rows import complaint, is_sound, rows_of
from guess_or_recall.attention.store import TOLERANCE
from guess_or_recall.attention.triangle import unpack
from guess_or_recall.errors import UserError, say_once
from guess_or_recall.io.files import read_json
from guess_or_recall.localization.cuts import Cut, Regions, cutting
from guess_or_recall.model.layers import numbered_modules
from guess_or_recall.model.training import new_model
from guess_or_recall.remarks import of_attention

LENGTH = 12
TOKENS = np.random.default_rng(0).integers(8, 50, (6, LENGTH)).astype(np.int32)
TOKENS[[1, 4], 9] = 7  # sees nothing amiss itself, but every row in front of it leaks to it


def leaking(dtype=torch.float16):
    """A GPT-NeoX whose scores are near -40,000, but for the key of token 7: near +40,000.

    That one, less the 65,504 of the mask, is still above all that a query may see.
    """
    model = new_model(vocabulary=50, layers=2, width=16, heads=8, length=LENGTH, seed=0).eval()
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        embedding = parameters["gpt_neox.embed_in.weight"]
        embedding[:, 0] = -5.0
        embedding[7, 0] = 5.0
        prefix = "gpt_neox.layers.0.attention.query_key_value"
        weight = parameters[f"{prefix}.weight"].view(8, 3, 2, 16)
        bias = parameters[f"{prefix}.bias"].view(8, 3, 2)
        weight[:, :2] = 0
        weight[:, 1, :, 0] = 43.0
        bias[:, 0], bias[:, 1] = 173.0, 0.0
    types = {torch.float16: model.half, torch.bfloat16: model.bfloat16, torch.float32: model.float}
    return types[dtype]()


def test_a_leak_is_seen_and_computed_in_a_wider_type(tmp_path):
    say_once.cache_clear()
    half, brain = leaking(), leaking().bfloat16()
    ids, tokens = np.arange(6), torch.from_numpy(TOKENS)
    with observing(half, pool_heads) as look, torch.inference_mode():
        raw = look(tokens)
    sums = unpack(raw.patterns[:, 0]).sum(-1)
    assert raw.patterns.isfinite().all()
    assert sums[:, [1, 4]].amin() == 0  # finite is not sound
    assert is_sound(raw.rows, sinks=False).tolist() == [True, False, True, True, False, True]
    extract(half, ids, TOKENS, Shards(tmp_path, 4, {"model": "net"}), batch=3)
    stored = torch.from_numpy(read_pooled(tmp_path, ids, "mean")).float()
    assert unpack(stored).sum(-1).sub(1).abs().max() < 0.01
    expected = pooled_attention(brain, tokens)[0].float()
    assert torch.equal(stored[[1, 4]], expected[[1, 4]])
    noted = read_json(tmp_path / "provenance.json")
    assert noted["computed_wider"] == 2
    assert noted["least_row_sum"] == pytest.approx(1, abs=0.01)
    assert full_attention(half, tokens[1:2]).sum(-1).sub(1).abs().max() < 0.01
    [line] = of_attention({**noted, "sequences": 6}, TOLERANCE)
    assert "2 of 6 sequences: attention computed in a wider type" in line


def test_a_cut_in_float16_does_not_leak_either():
    half, tokens = leaking(), torch.from_numpy(TOKENS).long()
    with torch.no_grad():
        whole = half(tokens, use_cache=False).logits  # fused attention has no mask to leak past
        nothing = Cut("all-but-diagonal", (0, 1)), Regions(prefix=6, near=-1)
        with cutting(half, numbered_modules(half), *nothing):
            cut = half(tokens, use_cache=False).logits
    torch.testing.assert_close(cut, whole, rtol=0, atol=2e-4)


def test_bfloat16_and_float32_do_not_leak(tmp_path):
    for dtype in (torch.bfloat16, torch.float32):
        folder = tmp_path / str(dtype)
        extract(leaking(dtype), np.arange(6), TOKENS, Shards(folder, 4, {}), batch=6)
        assert read_json(folder / "provenance.json")["computed_wider"] == 0


def test_a_leak_below_the_diagonal_is_one_too():
    """Behind a sliding window: the row of the lower triangle adds up to 1 all the same."""
    mask = torch.zeros(1, 1, 3, 3).masked_fill(torch.ones(3, 3).triu(1).bool(), -3e38)
    mask[..., 2, 0] = -3e38
    pattern = torch.tensor([[[[1.0, 0, 0], [0.5, 0.5, 0], [0.9, 0.1, 0]]]])
    assert is_sound(rows_of(pattern, None), sinks=False).tolist() == [True]
    rows = rows_of(pattern, mask)
    assert is_sound(rows, sinks=False).tolist() == [False]
    assert rows.leaked.item() == pytest.approx(0.9)
    assert torch.equal(rows_of(pattern, mask > -1).leaked, rows.leaked)


def test_a_single_head_of_many_that_leaks_is_seen():
    pattern = torch.eye(4).expand(1, 64, 4, 4).clone()
    pattern[0, 63, 1] = torch.tensor([0.0, 0.5, 0.5, 0.0])
    assert is_sound(rows_of(pattern, None), sinks=True).tolist() == [False]


def test_what_is_wrong_in_the_widest_type():
    whole = torch.eye(2).view(1, 1, 2, 2)
    assert complaint(rows_of(whole, None)) is None
    assert complaint(rows_of(whole * 0.5, None)) is None  # a sink that has no name: recorded
    assert "add up to 2.000" in str(complaint(rows_of(whole * 2, None)))
    assert "not finite" in str(complaint(rows_of(whole * torch.nan, None)))
    assert "forbids a share of 1.000" in str(complaint(rows_of(whole.flip(-1), None)))


def test_a_model_that_sees_later_tokens_is_refused():
    shape: dict[str, Any] = {
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
    model = BertLMHeadModel(BertConfig(vocab_size=50, hidden_size=16, **shape)).eval()
    with pytest.raises(UserError, match="its tokens see later ones"):
        pooled_attention(model, torch.from_numpy(TOKENS))


def test_sinks_are_recorded_and_said(tmp_path):
    say_once.cache_clear()
    torch.manual_seed(0)
    config = GptOssConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        intermediate_size=16,
        num_local_experts=2,
        num_experts_per_tok=1,
    )
    model = GptOssForCausalLM(config).eval()
    for name, parameter in model.named_parameters():
        if "sinks" in name:
            parameter.data.fill_(1.0)
    extract(model, np.arange(6), TOKENS, Shards(tmp_path, 6, {}), batch=6)
    noted = read_json(tmp_path / "provenance.json")
    with torch.no_grad():
        model.set_attn_implementation("eager")
        patterns = model(torch.from_numpy(TOKENS).long(), output_attentions=True).attentions
    least = min(float(pattern.sum(-1).amin()) for pattern in patterns)
    assert 0.1 < least < 0.7
    assert noted["least_row_sum"] == pytest.approx(least, abs=1e-3)
    assert noted["computed_wider"] == 0
    [line] = of_attention(noted, TOLERANCE)
    assert f"add up to {noted['least_row_sum']} at the least" in line
