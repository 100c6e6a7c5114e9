import inspect
from typing import Any

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from guess_or_recall.attention import pooling, rows
from guess_or_recall.attention.pooling import (
    full_attention,
    observe,
    observing,
    pool_heads,
    pooled_attention,
)
from guess_or_recall.attention.triangle import unpack
from guess_or_recall.errors import UserError

SHAPE: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
SPECIAL: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
MODELS = {
    "gpt-neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**SHAPE, **SPECIAL)),
    "llama-grouped-keys": lambda: LlamaForCausalLM(
        LlamaConfig(**SHAPE, **SPECIAL, num_key_value_heads=2)
    ),
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=50, n_embd=32, n_layer=3, n_head=4, **SPECIAL)
    ),
    "gpt2-scaled-by-layer": lambda: GPT2LMHeadModel(
        GPT2Config(
            vocab_size=50,
            n_embd=32,
            n_layer=3,
            n_head=4,
            scale_attn_by_inverse_layer_idx=True,
            **SPECIAL,
        )
    ),
    "mistral-sliding-window": lambda: MistralForCausalLM(
        MistralConfig(**SHAPE, **SPECIAL, num_key_value_heads=1, sliding_window=8)
    ),
    "gemma2-softcap": lambda: Gemma2ForCausalLM(
        Gemma2Config(**SHAPE, **SPECIAL, num_key_value_heads=2, head_dim=8, sliding_window=16)
    ),
}
LENGTH = 64


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = MODELS[request.param]().eval()
    for parameter in network.parameters():
        parameter.data.mul_(4)  # patterns far from uniform
    return network


@pytest.fixture(scope="module")
def tokens():
    return torch.randint(50, (5, LENGTH), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def eager(model, tokens):
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    with torch.no_grad():
        output = model(tokens, output_attentions=True, use_cache=False)
    model.set_attn_implementation(before)
    return torch.stack(output.attentions), output.logits


def test_equals_the_attentions_that_transformers_gives(model, tokens, eager):
    attention = eager[0]
    assert attention.max(-1).values.mean() > 2 / LENGTH  # the reference is not uniform
    mean, maximum = observe(model, tokens, pool_heads).unbind(1)
    assert torch.allclose(unpack(mean), attention.mean(2), rtol=0, atol=1e-6)
    assert torch.equal(unpack(maximum), attention.amax(2))


def test_rounded_to_float16_once(model, tokens, eager):
    pooled = pooled_attention(model, tokens)
    assert pooled.dtype == torch.float16
    assert pooled.shape == (2, 5, 3, LENGTH * (LENGTH + 1) // 2)
    assert torch.equal(unpack(pooled[1]), eager[0].amax(2).transpose(0, 1).half())
    exact = observe(model, tokens, pool_heads)[:, 0].transpose(0, 1)
    assert torch.equal(pooled[0], exact.half())


def test_all_heads_equal_the_attentions_that_transformers_gives(model, tokens, eager):
    assert torch.equal(full_attention(model, tokens), eager[0].transpose(0, 1).half())


def test_logits_are_those_of_eager_and_the_model_is_given_back(model, tokens, eager):
    before = model.config._attn_implementation
    with observing(model, pool_heads) as look:
        assert len(look(tokens).patterns) == 3
        with torch.no_grad():
            logits = model(tokens, use_cache=False).logits
    assert torch.equal(logits, eager[1])
    assert model.config._attn_implementation == before
    with torch.no_grad():
        assert torch.allclose(model(tokens).logits, eager[1], atol=1e-4)


def test_pattern_rows_sum_to_one(model, tokens):
    rows = unpack(observe(model, tokens, pool_heads)[:, 0]).sum(-1)
    assert torch.allclose(rows, torch.ones_like(rows), atol=1e-5)


def test_pooled_by_hand():
    heads = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]], [[1.0, 0.0], [0.25, 0.75]]]])
    mean, maximum = pool_heads(heads)
    assert mean.tolist() == [[1.0, 0.375, 0.625]]
    assert maximum.tolist() == [[1.0, 0.5, 0.75]]


def test_low_precision_models_are_pooled_in_float32():
    heads = torch.rand(1, 7, 6, 6, generator=torch.Generator().manual_seed(0)).bfloat16()
    exact = heads.double().mean(1)
    assert torch.allclose(unpack(pool_heads(heads)[0]).double(), exact.tril(), atol=1e-7)


@pytest.mark.parametrize(
    "architecture",
    [
        lambda: BloomForCausalLM(BloomConfig(vocab_size=50, hidden_size=32, n_layer=2, n_head=4)),
        lambda: MambaForCausalLM(
            MambaConfig(vocab_size=50, hidden_size=32, num_hidden_layers=2, state_size=4)
        ),
    ],
    ids=["bloom-own-attention", "mamba-no-attention"],
)
def test_architectures_beside_the_interface_are_refused(architecture, tokens):
    network = architecture().eval()
    with pytest.raises(UserError, match="cannot be observed"):
        pooled_attention(network, tokens)


@pytest.mark.parametrize("damage", [float("nan"), float("inf")])
def test_attention_that_is_not_finite_is_refused(damage, tokens):
    model = MODELS["gpt-neox"]().eval()
    model.gpt_neox.layers[1].attention.query_key_value.weight.data[3, 3] = damage
    with pytest.raises(UserError, match="not finite"):
        pooled_attention(model, tokens)
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="fused kernels are made on a GPU only")
@pytest.mark.filterwarnings("ignore")  # the compiler warns of its own modules
def test_fused_blocks_give_the_same_attention(monkeypatch):
    for module, name in ((pooling, "rows_of"), (rows, "forbidden")):  # no checks are compiled
        monkeypatch.setattr(module, name, inspect.unwrap(getattr(module, name)))
    torch.manual_seed(0)
    model = MODELS["gpt-neox"]().eval().cuda()
    tokens = torch.randint(50, (5, LENGTH))
    pool = lambda pattern: torch.stack((pattern.mean(1), pattern.amax(1)))  # noqa: E731  (types are checked in ours)
    expected = observe(model, tokens, pool)
    with observing(model, pool, fused=True) as look:
        torch.testing.assert_close(look(tokens).patterns, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(look(tokens).patterns, expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(observe(model, tokens, pool), expected)
