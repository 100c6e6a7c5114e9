"""Models of the hub: from its cache, at one commit, without a network."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants

from guess_or_recall.attention.pooling import full_attention, pooled_attention
from guess_or_recall.attention.triangle import unpack
from guess_or_recall.io.files import content_hash, read_json
from guess_or_recall.model.load import load_model
from guess_or_recall.model.scoring import score
from tests.conftest import ROOT
from tests.hub_cache import COMMIT, MODELS, NAME, ask, fetched, made, put, saved, sequences


@pytest.fixture
def cache(workspace, monkeypatch):
    """An empty cache of the hub, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(workspace / "home" / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return workspace / "home" / "hub"


@pytest.fixture
def tokens():
    return np.random.default_rng(0).integers(0, 60, (3, 64)).astype(np.int32)


@pytest.mark.parametrize("name", MODELS)
def test_attention_of_every_architecture_from_the_cache(name, cache, workspace, tokens):
    put(cache, saved(made(name), workspace / "net"))
    model = fetched(workspace)
    ids = torch.from_numpy(tokens.astype(np.int64)).to(model.device)
    both, every = pooled_attention(model, ids).float(), full_attention(model, ids)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        expected = torch.stack(model(ids, output_attentions=True, use_cache=False).attentions, 1)
    assert expected.max(-1).values.mean() > 2 / 64  # not uniform
    assert torch.allclose(unpack(both[0]), expected.mean(2), rtol=0, atol=5e-4)
    assert torch.equal(unpack(both[1]), expected.amax(2).half().float())
    assert torch.equal(every, expected.half())


@pytest.mark.parametrize("name", MODELS)
def test_scores_without_a_first_or_last_token(name, cache, workspace, tokens):
    put(cache, saved(made(name), workspace / "net"))
    scores = score(fetched(workspace), tokens, 32, batch=2, decode_batch=2)
    alone = score(load_model(Path("data/model")), tokens[1:2], 32, batch=1, decode_batch=1)
    assert scores.continuation[1].tolist() == alone.continuation[0].tolist()
    assert scores.sequence_perplexity[1] == pytest.approx(alone.sequence_perplexity[0], rel=1e-3)


def test_what_is_recorded(cache, workspace):
    folder = put(cache, saved(made(), workspace / "net"))
    fetched(workspace, dtype="bfloat16")
    recorded = read_json(Path("data/model/model.json"))
    assert recorded == {
        "source": "hub",
        "name": NAME,
        "revision": "main",
        "dtype": "bfloat16",
        "device_map": "single",
        "commit": COMMIT,
        "weights": content_hash(folder / "model.safetensors"),
        "settings": content_hash(folder / "config.json", folder / "generation_config.json"),
        "architecture": "gpt_neox",
        "layers": 3,
        "attention_layers": [0, 1, 2],
        "heads": 4,
        "vocabulary": 60,
        "end_of_text": [],
        "bos": [],
    }
    assert read_json(Path("metrics/model.json")) == {**recorded, "loss": None}
    assert os.listdir("data/model") == ["model.json"]


def test_later_stages_load_the_commit_that_was_found(cache, workspace):
    put(cache, saved(made(seed=1), workspace / "then"))
    before = fetched(workspace)
    put(cache, saved(made(seed=2), workspace / "now"), commit="f" * 40)
    after, moved = load_model(Path("data/model")), fetched(workspace)
    weights = [next(model.parameters()) for model in (before, after, moved)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert read_json(Path("data/model/model.json"))["commit"] == "f" * 40


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_dtype(dtype, cache, workspace, tokens):
    put(cache, saved(made("qwen2-sliding"), workspace / "net"))
    model = fetched(workspace, dtype=dtype)
    assert {weight.dtype for weight in model.parameters()} == {getattr(torch, dtype)}
    assert np.isfinite(score(model, tokens, 32, 3, 3).sequence_perplexity).all()
    ids = torch.from_numpy(tokens)
    exact = pooled_attention(fetched(workspace), ids)
    assert (pooled_attention(model, ids) - exact).abs().float().mean() < 0.02


def test_the_command_line_offline(cache, workspace):
    put(cache, saved(made(), workspace / "net"))
    sequences(workspace)
    ask(workspace)
    first = run(workspace)
    assert first.returncode == 0, first.stderr
    assert read_json(Path("data/model/model.json"))["commit"] == COMMIT
    ask(workspace, revision="step7")
    second = run(workspace)
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert second.stderr.startswith("error in model: model.hub: 'org/net' at revision 'step7'")


def run(folder):
    return subprocess.run(
        [sys.executable, ROOT / "src" / "run.py", "model"],
        env={**os.environ, "HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
