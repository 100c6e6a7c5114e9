"""Whether a model is to see a BOS token: the tokenizer's own rule, and what stages make of it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, processors
from tokenizers.models import WordLevel
from transformers import LlamaConfig, LlamaForCausalLM

from guess_or_recall.corpus.tokenizer import train_tokenizer
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import write_json
from guess_or_recall.model.bos import bos_tokens
from guess_or_recall.model.fit import check_tokenizer
from guess_or_recall.model.front import in_front
from guess_or_recall.model.load import identity, load_model
from guess_or_recall.model.pointer import pointer_to_folder
from guess_or_recall.model.scoring import score
from guess_or_recall.settings.params import parse_params
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from tests.conftest import ROOT

PREFIX, LENGTH = 5, 9
TOKENS = np.random.default_rng(0).integers(4, 50, (6, LENGTH)).astype(np.int32)


def tokenizer_in(folder: Path, template: bool = False, **config: object) -> Path:
    """A tokenizer whose template puts its BOS token in front, or does not."""
    tokenizer = train_tokenizer(["abc"], 300)
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    bos_id = tokenizer.backend_tokenizer.token_to_id("<s>")
    if template:
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", bos_id)]
        )
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return folder


@pytest.mark.parametrize(
    ("template", "config", "bos", "puts"),
    [
        (True, {}, "auto", True),
        (True, {"add_bos_token": True}, "auto", True),
        (False, {}, "auto", False),
        (False, {"add_bos_token": False}, "auto", False),
        (False, {"add_bos_token": True}, "auto", True),
        (False, {"add_bos_token": True, "bos_token": None}, "auto", False),
        (True, {}, "never", False),
        (False, {}, "always", True),
        (False, {"bos_token": {"content": "<s>"}}, "always", True),
        (True, {"bos_token": None}, "always", True),
    ],
)
def test_the_rule_is_the_tokenizers_own(template, config, bos, puts, tmp_path):
    folder = tokenizer_in(tmp_path, template, **config)
    assert bos_tokens(folder, tmp_path / "none", bos, 400) == ([259] if puts else [])


def test_a_rule_without_its_token_is_said(tmp_path, capsys):
    tokenizer_in(tmp_path, add_bos_token=True, bos_token="<none of it>")
    assert bos_tokens(tmp_path, tmp_path, "auto", 400) == []
    assert "but no bos_token that tokenizer.json knows: the mod" in capsys.readouterr().err


def test_merges_that_a_file_leaves_out_at_random_change_nothing(tmp_path):
    """The dropout of BPE: else the right tokenizer is refused, or its front not recognized."""
    path = tokenizer_in(tmp_path / "tokenizer", template=True) / "tokenizer.json"
    content = json.loads(path.read_text())
    merged = train_tokenizer(["a text " * 9], 300).backend_tokenizer
    content["model"] |= {"dropout": 0.5} | {
        name: json.loads(merged.to_str())["model"][name] for name in ("vocab", "merges")
    }
    path.write_text(json.dumps(content))
    for _ in range(20):
        assert bos_tokens(path.parent, tmp_path, "auto", 400) == [259]
        check_tokenizer(path.parent, tmp_path)


def test_files_that_disagree_are_said(tmp_path, capsys):
    tokenizer_in(tmp_path, add_bos_token=True)
    bos_tokens(tmp_path, tmp_path, "auto", 400)
    said = capsys.readouterr().err
    assert "add_bos_token = true, the template of tokenizer.json puts no token" in said


def test_the_shipped_model_has_none():
    """Its tokenizer has none."""
    for bos in ("auto", "never"):
        assert bos_tokens(ROOT / "models/tiny", ROOT, bos, 4096) == []
    with pytest.raises(UserError, match=r"model.bos = always: .*models/tiny has no tokenizer with"):
        bos_tokens(ROOT / "models/tiny", ROOT, "always", 4096)


def test_a_tokenizer_that_knows_few_words_is_not_asked_to_encode_any(tmp_path):
    words = Tokenizer(WordLevel({"<s>": 0, "b": 1}))
    words.save(str(tmp_path / "tokenizer.json"))
    assert bos_tokens(tmp_path, tmp_path, "auto", 2) == []
    write_json(tmp_path / "special_tokens_map.json", {"bos_token": "<s>"})
    assert bos_tokens(tmp_path, tmp_path, "always", 2) == [0]
    words.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 0)])
    words.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(UserError, match="has no tokens for 'a text', by which to see what it puts"):
        bos_tokens(tmp_path, tmp_path, "auto", 2)
    shutil.copytree(tmp_path, tmp_path / "tokenizer")
    check_tokenizer(tmp_path, tmp_path)  # of the same words


def test_a_model_that_was_trained_here_saw_none(tmp_path):
    """Whatever the tokenizer, which it got from elsewhere."""
    write_json(tokenizer_in(tmp_path, template=True) / "corpus.json", {})
    assert bos_tokens(tmp_path, tmp_path, "auto", 400) == []
    assert bos_tokens(tmp_path, tmp_path, "always", 400) == [259]


def test_the_tokenizer_of_the_sequences_counts_where_the_model_has_none(tmp_path):
    tokenizer_in(tmp_path / "tokenizer", template=True)
    assert bos_tokens(tmp_path / "net", tmp_path, "auto", 400) == [259]
    with pytest.raises(UserError, match=r"no tokenizer with a BOS token"):
        bos_tokens(tmp_path / "net", tmp_path / "net", "always", 400)


def test_a_token_that_the_model_does_not_know_is_refused(tmp_path):
    tokenizer_in(tmp_path, template=True)
    with pytest.raises(UserError, match="has the id 259, the model knows 0 to 99"):
        bos_tokens(tmp_path, tmp_path, "auto", 100)


def test_a_model_that_is_trained_here_cannot_ask_for_one():
    content = read_yaml(ROOT / "params.yaml")
    content["model"] |= {"source": "train", "bos": "always"}
    with pytest.raises(UserError, match="bos = 'always': a model that is trained here sees no BOS"):
        parse_params(dump_yaml(content), "here")


# through the pointer


@pytest.fixture
def folder(workspace):
    """A Llama of 9 + 1 positions with a tokenizer that puts a BOS token in front."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=300,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=LENGTH + 1,
    )
    LlamaForCausalLM(config).save_pretrained("net")
    write_json(Path("none/corpus.json"), {"source": "files"})
    return tokenizer_in(Path("net"), template=True)


def test_the_stages_follow_the_pointer(folder, capsys):
    pointers = {
        bos: pointer_to_folder(folder, "float32", bos, Path("none"), LENGTH)
        for bos in ("auto", "never")
    }
    assert "sees its BOS token (259) in front of every sequence" in capsys.readouterr().err
    assert pointers["auto"] == pointers["never"] | {"bos": [259]}
    assert pointers["never"]["bos"] == []
    identities = [identity(pointer) for pointer in pointers.values()]
    assert identities[0] == identities[1] | {"bos": [259]}  # of no token: the hashes of old
    scores = []
    for bos, pointer in pointers.items():
        write_json(Path("data/model/model.json"), pointer)
        model = load_model(Path("data/model"))
        assert in_front(model) == (bos == "auto")
        scores.append(score(model, TOKENS, PREFIX, 3, 3).sequence_perplexity)
    assert not np.allclose(*scores)


def test_the_token_needs_a_position(folder):
    with pytest.raises(UserError, match=r"reads 10 tokens, 11 are needed with the BOS token in fr"):
        pointer_to_folder(folder, "float32", "auto", Path("none"), LENGTH + 1)
    assert pointer_to_folder(folder, "float32", "never", Path("none"), LENGTH + 1)["bos"] == []
