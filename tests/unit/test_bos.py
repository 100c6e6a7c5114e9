"""A model that was trained with a BOS token in front of every text is measured with it."""

# transformers' stubs give a model's outputs for any of several types
# pyright: reportAttributeAccessIssue=false, reportOptionalSubscript=false

from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
)

from guess_or_recall.attention.pooling import full_attention, observing, pool_heads, sound
from guess_or_recall.localization.cuts import Cut, Regions, cutting, kept
from guess_or_recall.model.front import in_front, put_in_front
from guess_or_recall.model.interface import attending, eager_attention
from guess_or_recall.model.layers import numbered_modules
from guess_or_recall.model.scoring import score, teacher_forced
from guess_or_recall.remarks import of_attention

BOS, PREFIX, LENGTH = 3, 5, 9
TOKENS = np.random.default_rng(0).integers(4, 50, (6, LENGTH)).astype(np.int32)
SMALL: dict[str, Any] = {"vocab_size": 50, "eos_token_id": 2, "bos_token_id": BOS}
SHAPE: dict[str, Any] = SMALL | {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
KINDS = {
    "llama": lambda: LlamaForCausalLM(
        LlamaConfig(**SHAPE, intermediate_size=32, num_key_value_heads=1)
    ),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**SMALL, n_embd=16, n_layer=2, n_head=2)),
    "gpt-neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**SHAPE, intermediate_size=32)),
}


@pytest.fixture(params=KINDS)
def model(request):
    """A model in which every token matters: weights of ten times the usual size."""
    torch.manual_seed(0)
    model = KINDS[request.param]().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(10 if weight.ndim > 1 else 1)
    return model


def by_hand(tokens):
    """Sequences with the token in front, as a plain call of transformers takes them."""
    wide = torch.from_numpy(np.asarray(tokens).astype(np.int64))
    return torch.cat([torch.full((len(wide), 1), BOS), wide], 1)


@torch.inference_mode()
def test_scores_are_those_of_plain_calls_with_the_token_in_front(model):
    without = score(model, TOKENS, PREFIX, 2, 4)
    scores = score(put_in_front(model, [BOS]), TOKENS, PREFIX, 2, 4)
    greedy = by_hand(TOKENS[:, :PREFIX])
    for _ in range(LENGTH - PREFIX):  # without a cache
        logits = model(input_ids=greedy, use_cache=False).logits[:, -1]
        logits[:, 2] = -torch.inf  # end of text
        greedy = torch.cat([greedy, logits.argmax(-1, keepdim=True)], 1)
    assert scores.continuation.tolist() == greedy[:, 1 + PREFIX :].tolist()
    logs = model(input_ids=by_hand(TOKENS), use_cache=False).logits.log_softmax(-1)[:, 1:-1]
    losses = -logs.gather(2, by_hand(TOKENS)[:, 2:, None])[..., 0]  # of all tokens but the first
    parts = {"prompt": losses[:, : PREFIX - 1], "generation": losses[:, PREFIX - 1 :]}
    for name, part in (parts | {"sequence": losses}).items():
        values = getattr(scores, f"{name}_perplexity")
        np.testing.assert_allclose(values, part.mean(1).exp(), rtol=1e-4)
        assert not np.allclose(values, getattr(without, f"{name}_perplexity"), rtol=1e-2)
    assert scores.continuation.tolist() != without.continuation.tolist()


@torch.inference_mode()
def test_a_sequence_that_goes_on_so_behind_the_token_is_memorized(model):
    put_in_front(model, [BOS])
    continued = score(model, TOKENS, PREFIX, 6, 6).continuation
    memorized = np.concatenate([TOKENS[:, :PREFIX], continued], 1).astype(np.int32)
    assert (score(model, memorized, PREFIX, 3, 3).memorization_score == 1).all()


@torch.inference_mode()
def test_patterns_are_the_models_own_cut_by_hand(model):
    """The column and row of the token are left out; rows are checked before, and said after."""
    put_in_front(model, [BOS])
    tokens = torch.from_numpy(TOKENS)
    stored = full_attention(model, tokens)
    with observing(model, pool_heads) as look:
        observed = sound(model, look, tokens)
    model.set_attn_implementation("eager")
    output = model(input_ids=by_hand(TOKENS), output_attentions=True, use_cache=False)
    patterns = torch.stack(output.attentions, 1)[..., 1:, 1:]
    torch.testing.assert_close(stored.float(), patterns, atol=1e-3, rtol=0)
    assert stored.shape[-2:] == (LENGTH, LENGTH)
    np.testing.assert_allclose(observed.least, patterns.sum(-1).amin((1, 2, 3)), atol=1e-5)
    assert observed.rows.least.min() > 0.999 > 0.9 > observed.least.min()


def test_without_the_token_nothing_is_cut(model):
    assert in_front(model) == 0
    with observing(model, pool_heads) as look:
        observed = sound(model, look, torch.from_numpy(TOKENS))
    assert observed.least.tolist() == observed.rows.least.tolist()


@pytest.mark.parametrize("how", ["only-diagonal", "all-but-prefix-to-suffix", "off"])
@torch.inference_mode()
def test_cuts_fall_on_the_same_tokens(model, how):
    """And leave the token in front, but where the whole attention is off."""
    put_in_front(model, [BOS])
    regions, modules = Regions(PREFIX, 1), numbered_modules(model)
    tokens = torch.from_numpy(TOKENS.astype(np.int64))
    with cutting(model, modules, Cut(how, (1,)), regions):
        best, losses = teacher_forced(model, tokens, PREFIX)
    cells = torch.ones(LENGTH + 1, LENGTH + 1, dtype=torch.bool)
    cells[1:, 1:] = kept(how, LENGTH, regions)

    def attend(module, query, key, value, mask, *args, **kwargs):
        output, pattern = eager_attention(module)(module, query, key, value, mask, *args, **kwargs)
        if module is not modules[1]:
            return output, pattern
        values = value.repeat_interleave(pattern.shape[1] // value.shape[1], 1)
        return ((pattern * cells) @ values).transpose(1, 2).contiguous(), pattern

    if how == "off":
        modules[1].register_forward_hook(lambda module, args, out: (out[0] * 0, *out[1:]))
        logits = model(input_ids=by_hand(TOKENS), use_cache=False).logits
    else:
        with attending(model, attend):
            logits = model(input_ids=by_hand(TOKENS), use_cache=False).logits
    logs = logits.log_softmax(-1)[:, 1:-1]
    expected = -logs.gather(2, tokens[:, 1:, None])[..., 0]
    torch.testing.assert_close(losses, expected, atol=1e-4, rtol=1e-4)
    assert best.shape == (len(TOKENS), LENGTH - PREFIX)


def test_what_becomes_of_the_rest_of_a_row_is_said():
    said = {"computed_wider": 0, "sequences": 1, "least_row_sum": 0.4}
    for provenance, word in ((said, "attention sinks"), (said | {"bos": [1]}, "the BOS token in")):
        [line] = of_attention(provenance, tolerance=0.01)
        assert word in line
