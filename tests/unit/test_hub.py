"""Models of the hub: from its cache, at one commit, without a network."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from transformers import (
    BertConfig,
    BertForMaskedLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
)

from guess_or_recall.attention.pooling import full_attention, pooled_attention
from guess_or_recall.attention.triangle import unpack
from guess_or_recall.corpus.tokenizer import train_tokenizer
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import content_hash, read_json, write_json
from guess_or_recall.model import hub, load
from guess_or_recall.model.load import load_model
from guess_or_recall.model.scoring import score
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.stages import model as model_stage
from tests.conftest import ROOT

HTTP = "httpx2" if importlib.util.find_spec("httpx2") else "httpx"  # of huggingface_hub
NAME, COMMIT = "org/net", "0123456789abcdef0123456789abcdef01234567"
SHAPE: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
NONE: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
GROUPED = {**SHAPE, **NONE, "num_key_value_heads": 2}
HEADS = {**GROUPED, "head_dim": 8}
GPT2: dict[str, Any] = {"vocab_size": 60, "n_embd": 32, "n_layer": 3, "n_head": 4}
MODELS = {
    "gpt-neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**SHAPE, **NONE)),
    "llama-grouped-keys": lambda: LlamaForCausalLM(LlamaConfig(**GROUPED)),
    "qwen2-sliding": lambda: Qwen2ForCausalLM(
        Qwen2Config(**GROUPED, use_sliding_window=True, sliding_window=8, max_window_layers=1)
    ),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**HEADS)),
    "mistral-sliding": lambda: MistralForCausalLM(MistralConfig(**GROUPED, sliding_window=8)),
    "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**HEADS, sliding_window=16)),
    "gemma3": lambda: Gemma3ForCausalLM(
        Gemma3TextConfig(
            **HEADS, sliding_window=16, layer_types=["sliding_attention"] * 2 + ["full_attention"]
        )
    ),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**GPT2, **NONE)),
    "olmo2": lambda: Olmo2ForCausalLM(Olmo2Config(**GROUPED)),
    "phi": lambda: PhiForCausalLM(PhiConfig(**GROUPED)),
}


@pytest.fixture
def cache(workspace, monkeypatch):
    """An empty cache of the hub, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(workspace / "home" / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return workspace / "home" / "hub"


def put(cache, folder, name=NAME, commit=COMMIT, revision="main"):
    """Put a model's folder into a cache, as a download does."""
    here = cache / f"models--{name.replace('/', '--')}"
    (here / "blobs").mkdir(parents=True, exist_ok=True)
    (here / "snapshots" / commit).mkdir(parents=True)
    (here / "refs").mkdir(exist_ok=True)
    (here / "refs" / revision).write_text(commit)
    for path in folder.iterdir():
        blob = content_of(path)
        (here / "blobs" / blob).write_bytes(path.read_bytes())
        (here / "snapshots" / commit / path.name).symlink_to(f"../../blobs/{blob}")
    return here / "snapshots" / commit


def content_of(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def saved(model, folder, seed=0):
    for parameter in model.parameters():
        parameter.data.mul_(4)  # patterns far from uniform
    model.save_pretrained(folder)
    return folder


def made(name="gpt-neox", seed=0):
    torch.manual_seed(seed)
    return MODELS[name]()


def sequences(folder, text="aaaa bbbb"):
    """What the stage `model` reads of the stage `sequences`."""
    train_tokenizer([text] * 3, 260).save_pretrained(folder / "data/sequences/tokenizer")
    write_json(folder / "data/sequences/corpus.json", {"source": "files"})


def ask(folder, **settings):
    """params.yaml with model.source hub."""
    content = read_yaml(ROOT / "params.yaml")
    content["model"]["source"] = "hub"
    content["model"]["hub"] |= {"name": NAME, **settings}
    (folder / "params.yaml").write_text(dump_yaml(content))


def fetched(folder, **settings):
    """The model that later stages load, after the stage `model`."""
    sequences(folder)
    ask(folder, **settings)
    model_stage.main()
    return load_model(Path("data/model"))


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


def refusal(folder, **settings):
    """The one line with which the stage refuses."""
    with pytest.raises(UserError) as caught:
        fetched(folder, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_not_in_the_cache(cache, workspace, monkeypatch):
    said = refusal(workspace)
    assert "'org/net' at revision 'main' is not whole in the cache" in said
    assert "HF_HUB_OFFLINE is set" in said
    assert "hf download org/net --revision main" in said
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    down = LocalEntryNotFoundError("Got: ConnectError: no route\nAn error happened")
    monkeypatch.setattr(hub, "snapshot_download", raising(down))
    assert "cannot be downloaded (ConnectError: no route)" in refusal(workspace)


def raising(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (GatedRepoError, "'org/net' is gated: accept its licence at"),
        (RepositoryNotFoundError, "the hub has no model 'org/net', or it is private"),
        (RevisionNotFoundError, "'org/net' has no revision 'main': set model.hub.revision"),
    ],
)
def test_what_the_hub_refuses(kind, said, cache, workspace, monkeypatch):
    http = importlib.import_module(HTTP)
    response = http.Response(403, request=http.Request("GET", "https://hub.test/x"))
    monkeypatch.setattr(hub, "snapshot_download", raising(kind("no\nno", response=response)))
    assert said in refusal(workspace)


def test_no_network_in_the_midst_of_a_download(cache, workspace, monkeypatch):
    late = importlib.import_module(HTTP).ReadTimeout("read timed out")
    monkeypatch.setattr(
        hub,
        "snapshot_download",
        raising(late),
    )
    assert "cannot be downloaded (" in refusal(workspace)
    monkeypatch.setattr(hub, "snapshot_download", raising(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        fetched(workspace)


def test_a_commit_that_the_cache_holds_whole_is_not_asked_for(cache, workspace, monkeypatch):
    folder = put(cache, saved(made(), workspace / "net"))
    monkeypatch.setattr(hub, "snapshot_download", raising(ConnectionError("asked")))
    assert hub.snapshot(NAME, COMMIT) == folder
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    with pytest.raises(UserError, match="is not whole in the cache"):
        hub.snapshot(NAME, COMMIT)


def test_no_name_of_the_hub(cache, workspace):
    assert "'/gone/net' is no name of a repository" in refusal(workspace, name="/gone/net")


def test_a_folder_is_not_read_as_a_model_of_the_hub(cache, workspace):
    """Its name would be all that DVC sees of it."""
    saved(made(), workspace / "org/net")
    said = refusal(workspace)
    assert "'org/net' is a folder" in said
    assert "set model.source to path and model.path to org/net" in said


def test_pickled_weights_are_not_read(cache, workspace):
    folder = saved(made(), workspace / "net")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    put(cache, folder)
    said = refusal(workspace)
    assert "model.hub: 'org/net' holds no .safetensors weights (pickled weights are not" in said
    assert f"M.from_pretrained('{hub.snapshot(NAME, 'main')}').save_pretrained(" in said


def test_models_that_are_not_causal(cache, workspace):
    bert = BertForMaskedLM(BertConfig(**SHAPE))
    put(cache, saved(bert, workspace / "bert"))
    assert refusal(workspace) == "model.hub: 'org/net' is a BertForMaskedLM, not a causal LM"
    T5Config().save_pretrained(workspace / "t5")
    (workspace / "t5/model.safetensors").touch()
    put(cache, workspace / "t5", "org/t5")
    assert refusal(workspace, name="org/t5") == "model.hub: 'org/t5' is a t5, not a causal LM"


def test_remote_code_is_not_run(cache, workspace):
    folder = saved(made(), workspace / "net")
    content = json.loads((folder / "config.json").read_text())
    content |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "own.py").write_text("raise SystemExit('was run')")
    put(cache, folder)
    assert "'org/net' is not supported" in refusal(workspace)


def test_another_tokenizer(cache, workspace):
    folder = saved(made(), workspace / "net")
    train_tokenizer(["cccc dddd"] * 3, 260).save_pretrained(folder)
    put(cache, folder)
    assert "the sequences were not made with the tokenizer of" in refusal(workspace)


def test_a_model_over_several_gpus_needs_accelerate(cache, workspace, monkeypatch):
    put(cache, saved(made(), workspace / "net"))
    monkeypatch.setattr(load.importlib.util, "find_spec", lambda name: None)
    assert "device_map = auto needs accelerate: pip install" in refusal(
        workspace, device_map="auto"
    )


def test_a_model_larger_than_the_gpu(cache, workspace, monkeypatch):
    put(cache, saved(made(), workspace / "net"))
    monkeypatch.setattr(torch.nn.Module, "to", raising(torch.OutOfMemoryError("full")))
    said = refusal(workspace, dtype="float16")
    assert said.startswith("model.hub: 'org/net' does not fit on the GPU in float16")
