"""A cache of the hub with made models."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
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
)

from guess_or_recall.corpus.tokenizer import train_tokenizer
from guess_or_recall.io.files import write_json
from guess_or_recall.model.load import load_model
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.stages import model as model_stage
from tests.conftest import ROOT

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
