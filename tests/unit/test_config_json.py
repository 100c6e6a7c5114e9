"""Nonsense in config.json is named by the stage `model` and by `gor plan`; what is none is read."""

import json
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from guess_or_recall.errors import UserError
from guess_or_recall.model.layers import attention_layers
from guess_or_recall.model.load import check_folder, load_folder
from guess_or_recall.plan.shape import config_of, shape_of
from guess_or_recall.settings.params import parse_params
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from tests.conftest import ROOT

TOKENS = torch.arange(8)[None]
SHAPE: dict[str, Any] = {
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 20,
}


@pytest.fixture
def change(tmp_path):
    """Change the config.json of a small model: the folder."""
    LlamaForCausalLM(LlamaConfig(**SHAPE)).save_pretrained(tmp_path)
    path = tmp_path / "config.json"

    def changed(**values):
        path.write_text(json.dumps(json.loads(path.read_text()) | values))
        return tmp_path

    return changed


def planned(folder):
    """What `gor plan` reads of a model's folder."""
    content = read_yaml(ROOT / "params.yaml")
    content["model"] |= {"source": "path", "path": str(folder)}
    return shape_of(config_of(parse_params(dump_yaml(content), "here")))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"vocab_size": None}, "'vocab_size' expected int, got NoneType"),
        ({"max_position_embeddings": "64"}, "expected int, got str (value: '64')"),
        ({"hidden_size": 7}, "The hidden size (7) is not a multiple of the number of attention"),
        ({"num_key_value_heads": 3}, "is not supported: "),
        ({"num_key_value_heads": 0}, "is not supported: "),
        ({"hidden_act": "nonesuch"}, "'nonesuch' is nothing that transformers knows"),
        ({"rope_parameters": {"rope_type": "nonesuch"}}, "'nonesuch' is nothing that transformers"),
        ({"architectures": 3}, "is a 3, not a causal LM"),
        ({"text_config": {}}, "config.json has {} for the settings of the model"),
        ({"dtype": "nonesuch"}, "no attribute 'nonesuch'"),
        ({"layer_types": ["full_attention"]}, "must be equal to the number of `layer_types` (1)"),
        ({"model_type": 3}, "does not recognize this architecture"),
    ],
)
def test_nonsense_is_named_at_once(change, values, said):
    folder = change(**values)
    for read in (planned, lambda folder: attention_layers(check_folder(folder), "it")):
        with pytest.raises(UserError) as caught:
            read(folder)
        assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "null", "3", "[]", "{", "\ufeff{}"])
def test_what_is_no_configuration_is_named(change, content):
    folder = change()
    (folder / "config.json").write_text(content)
    for read in (planned, check_folder):
        with pytest.raises(UserError, match=r"is not supported: .*config.json or weights are dama"):
            read(folder)


def test_a_plan_without_a_model(change):
    for place in (change() / "gone", change() / "config.json"):
        with pytest.raises(UserError, match=r"holds no config.json: name a model's folder"):
            planned(place)


def test_what_is_not_installed_is_no_damage(change):
    folder = change(attn_implementation="flash_attention_2")
    with pytest.raises(UserError, match=r"install it, or take what asks for it out of config.json"):
        planned(folder)


@pytest.mark.parametrize("pad", [20, 10**6, -1])
def test_a_pad_token_outside_the_vocabulary_changes_nothing(change, pad):
    """It is that of a tokenizer which got one, and nothing is padded."""
    with torch.inference_mode():
        expected = load_folder(change())(TOKENS).logits
        model = load_folder(change(pad_token_id=pad))
        assert torch.equal(model(TOKENS).logits, expected)
    assert planned(change()).layers == 2


def test_a_config_of_a_far_larger_model_takes_no_memory(change):
    """As one that lacks its sizes: those of Llama 7B are then assumed."""
    folder = change()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(UserError, match=r"a model of 6,738,415,616 parameters, its weights have"):
        load_folder(folder)
