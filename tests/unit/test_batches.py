"""Batches: how many sequences at once, and what happens where they do not fit or overflow."""

import numpy as np
import pytest
import torch
from tqdm import tqdm
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedModel

from guess_or_recall import errors
from guess_or_recall.attention.extract import Shards, extract, pool_shard
from guess_or_recall.attention.pooling import (
    full_attention,
    observing,
    pool_heads,
    pooled_attention,
)
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.errors import UserError
from guess_or_recall.model.batches import in_batches, sequences_at_once
from guess_or_recall.model.scoring import score


def made(width=32, seed=0):
    torch.manual_seed(seed)
    config = GPTNeoXConfig(
        vocab_size=60,
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=width,
        bos_token_id=None,
        eos_token_id=None,
    )
    return GPTNeoXForCausalLM(config).eval()


@pytest.fixture(autouse=True)
def notes():
    """Each test hears every note."""
    errors.say_once.cache_clear()


@pytest.fixture
def tokens():
    return np.random.default_rng(0).integers(0, 60, (13, 64)).astype(np.int32)


class Gpu:
    """A device on which work of more than `most` rows does not fit."""

    def __init__(self, most):
        self.most, self.done = most, []

    def __call__(self, part):
        if part.stop - part.start > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.done.append((part.start, part.stop))


def test_every_row_once_in_halved_batches(capsys):
    gpu = Gpu(3)
    with tqdm(disable=True) as bar:
        in_batches(gpu, 20, 16, bar)
    assert gpu.done == [(start, min(start + 2, 20)) for start in range(0, 20, 2)]
    said = capsys.readouterr().err.splitlines()
    assert [line.split("batches of ")[1] for line in said] == [
        "8 sequences",
        "4 sequences",
        "2 sequences",
    ]


def test_one_that_does_not_fit_alone():
    with (
        tqdm(disable=True) as bar,
        pytest.raises(UserError, match=r"one sequence at a time.*dtype"),
    ):
        in_batches(Gpu(0), 4, 4, bar)


def test_automatic_batches(monkeypatch):
    model = made()
    assert sequences_at_once(7, model) == 7
    assert sequences_at_once("auto", model) == 32
    monkeypatch.setattr(PreTrainedModel, "device", torch.device("cuda"))
    sizes = []
    for width in (128, 512, 2560, 4096, 5120, 10**6):
        model.config.hidden_size = width
        sizes.append(sequences_at_once("auto", model))
    assert sizes == [512, 512, 256, 128, 128, 1]


def limited(model, most, monkeypatch):
    """The model on a device that holds `most` sequences."""
    base, forward = model.base_model, model.base_model.forward

    def run(input_ids, **others):
        if len(input_ids) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(input_ids=input_ids, **others)

    monkeypatch.setattr(base, "forward", run)


def test_attention_and_scores_on_a_small_gpu(tokens, monkeypatch, tmp_path):
    """The same values as with room for all, from extraction and scoring."""
    model = made()
    large, small = (Shards(tmp_path / name, 8, {"model": "net"}) for name in ("large", "small"))
    extract(model, np.arange(13), tokens, large, batch=8)
    expected = score(model, tokens, 32, 8, 8)
    limited(model, 3, monkeypatch)
    extract(model, np.arange(13), tokens, small, batch=8)
    scores = score(model, tokens, 32, 8, 8)
    for pooling in ("mean", "max"):
        both = [read_pooled(tmp_path / name, np.arange(13), pooling) for name in ("large", "small")]
        np.testing.assert_allclose(*both, rtol=0, atol=1e-3)
    assert scores.continuation.tolist() == expected.continuation.tolist()
    np.testing.assert_allclose(scores.sequence_perplexity, expected.sequence_perplexity, rtol=1e-5)


def overflowing():
    """A model whose residual stream leaves float16 behind the first layer, at token 7 alone."""
    model = made()
    with torch.no_grad():
        away = 40_000.0 * (-1) ** torch.arange(32)
        parameters = dict(model.named_parameters())
        parameters["gpt_neox.embed_in.weight"][7] = away
        parameters["gpt_neox.layers.0.mlp.dense_4h_to_h.bias"].copy_(away)
    return model


def test_attention_that_overflows_float16_is_computed_in_bfloat16(tokens, capsys):
    """Only sequences with token 7 overflow; the values are those of a model in bfloat16."""
    tokens[tokens == 7] = 8
    tokens[[2, 9], 5] = 7
    half, brain = overflowing().half(), overflowing().half().bfloat16()
    with observing(half, pool_heads) as look, tqdm(disable=True) as bar:
        raw = look(torch.from_numpy(tokens)).patterns
        assert (~raw.isfinite().all(-1).flatten(0, 1).all(0)).nonzero()[:, 0].tolist() == [2, 9]
        shard = pool_shard(half, look, tokens, 2, 4, bar)
    pooled = shard.pooled
    assert shard.is_wider.nonzero()[0].tolist() == [2, 9]
    assert shard.notes() == {"computed_wider": 2, "least_row_sum": pytest.approx(1, abs=0.01)}
    assert np.isfinite(pooled).all()
    expected = pooled_attention(brain, torch.from_numpy(tokens[[2, 9]])).numpy()
    np.testing.assert_array_equal(pooled[:, [2, 9]], expected)
    alone = pooled_attention(half, torch.from_numpy(tokens[[0, 1]])).numpy()
    np.testing.assert_allclose(pooled[:, [0, 1]], alone, rtol=0, atol=1e-3)
    assert torch.isfinite(full_attention(half, torch.from_numpy(tokens[2:3]))).all()
    said = capsys.readouterr().err
    assert (
        said.count(
            "attention that is not finite in float16, or leaks past the mask, is computed in"
        )
        == 1
    )
    assert {weight.dtype for weight in half.parameters()} == {torch.float16}


def test_scores_without_decoding(tokens):
    """The score of what is not decoded is its least: what stands before the first wrong token."""
    model = made()
    tokens[:3, 32:] = score(model, tokens[:3], 32, 3, 3).continuation
    tokens[1, 40] = (tokens[1, 40] + 1) % 60
    whole, short = score(model, tokens, 32, 4, 4), score(model, tokens, 32, 4, 4, decoded=False)
    assert short.memorization_score[:3].tolist() == [1.0, 8 / 32, 1.0]
    assert (short.memorization_score <= whole.memorization_score).all()
    assert (short.memorization_score == 1).tolist() == (whole.memorization_score == 1).tolist()
    assert short.sequence_perplexity.tolist() == whole.sequence_perplexity.tolist()
    assert short.continuation[1].tolist() == [*tokens[1, 32:40].tolist(), *[0] * 24]
