"""Which files a model is read from; what is refused, with the command that mends it."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks import fuzz_models
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import content_hash, write_json
from guess_or_recall.model.load import load_folder, load_model
from guess_or_recall.model.pointer import describe
from guess_or_recall.model.scoring import score
from guess_or_recall.model.training import new_model
from guess_or_recall.model.weights import INDEX, content_of_model, weight_files
from tests.weights import TOKENS, change, refused


@pytest.fixture
def folder(net):
    return net


def in_shards(folder):
    """The same weights in two files and an index."""
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    parts = {"model-1.safetensors": names[:4], "model-2.safetensors": names[4:]}
    for file, part in parts.items():
        save_file({name: weights[name] for name in part}, folder / file, {"format": "pt"})
    (folder / "model.safetensors").unlink()
    places = {name: file for file, part in parts.items() for name in part}
    write_json(folder / INDEX, {"metadata": {}, "weight_map": places})
    return places


def test_shards_of_an_index_are_read_and_all_hashed(folder):
    expected = score(load_folder(folder), TOKENS, 12, 3, 3)
    places = in_shards(folder)
    scores = score(load_folder(folder), TOKENS, 12, 3, 3)
    assert scores.sequence_perplexity.tolist() == expected.sequence_perplexity.tolist()
    files = [folder / name for name in sorted(set(places.values()))]
    assert content_of_model(folder, "it")["weights"] == content_hash(*files)


@pytest.mark.parametrize(
    "elsewhere",
    ["../else.safetensors", "/tmp/else.safetensors", "pytorch_model.bin", "sub/a.safetensors"],
)
def test_an_index_that_leads_elsewhere_is_refused(elsewhere, folder, tmp_path):
    places = in_shards(folder)
    shutil.copy(folder / "model-1.safetensors", tmp_path / "else.safetensors")
    places = {n: elsewhere if f == "model-1.safetensors" else f for n, f in places.items()}
    write_json(folder / INDEX, {"metadata": {}, "weight_map": places})
    assert f"names '{elsewhere}': only .safetensors files inside" in refused(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is damaged"),
        ("[" * 100_000, "is damaged"),
        ("[]", "has no weight_map"),
        ('{"weight_map": {"a": 5}}', "names 5, which is no file"),
        ('{"weight_map": {"a": "gone.safetensors"}}', "lacks gone.safetensors"),
    ],
)
def test_a_damaged_index(content, said, folder):
    in_shards(folder)
    (folder / INDEX).write_text(content)
    assert said in refused(folder)


def test_other_files_of_the_folder_are_not_read(folder):
    """Neither a distributed checkpoint, nor weights that config.json names, nor an old .bin."""
    before = score(load_folder(folder), TOKENS, 12, 3, 3).sequence_perplexity
    changed = new_model(vocabulary=50, layers=2, width=16, heads=2, length=24, seed=9)
    save_file(dict(changed.state_dict()), folder / "other.safetensors", {"format": "pt"})
    torch.save(changed.state_dict(), folder / "pytorch_model.bin")
    (folder / ".metadata").write_bytes(b"\x80")
    (folder / "__0_0.distcp").write_bytes(b"\x80")
    assert (
        score(load_folder(folder), TOKENS, 12, 3, 3).sequence_perplexity.tolist() == before.tolist()
    )
    assert weight_files(folder, "it") == [folder / "model.safetensors"]
    change(folder, transformers_weights="other.safetensors")
    assert "cannot be read" in refused(folder)


def test_every_setting_is_hashed(folder):
    first = content_of_model(folder, "it")
    change(folder, layer_norm_eps=1e-3)
    second = content_of_model(folder, "it")
    write_json(folder / "generation_config.json", {"eos_token_id": 7})
    assert first["weights"] == second["weights"]
    hashes = {content_of_model(folder, "it")["settings"], first["settings"], second["settings"]}
    assert len(hashes) == 3


def test_files_that_changed_since_are_named(folder):
    write_json(Path("data/model/model.json"), describe("path", folder, "float32"))
    load_model(Path("data/model"))
    change(folder, layer_norm_eps=1e-3)
    with pytest.raises(UserError, match="its settings have changed since the stage `model`"):
        load_model(Path("data/model"))


def test_adapters_gguf_and_pickled_weights_get_the_command(folder):
    (folder / "adapter_config.json").write_text("{}")
    assert "merge_and_unload().save_pretrained('" in refused(folder)
    (folder / "adapter_config.json").unlink()
    (folder / "model.safetensors").rename(folder / "net.Q4.gguf")
    assert "from_pretrained('" in refused(folder)
    assert "gguf_file='net.Q4.gguf').save_pretrained('" in refused(folder)
    assert "is a file but GGUF: convert it" in refused(folder / "net.Q4.gguf")
    (folder / "net.Q4.gguf").rename(folder / "pytorch_model.bin")
    assert "pickled weights are not read" in refused(folder)


def test_model_path_has_a_dtype(folder):
    pointer = describe("path", folder, "bfloat16")
    assert pointer["dtype"] == "bfloat16"
    write_json(Path("data/model/model.json"), pointer)
    assert load_model(Path("data/model")).dtype == torch.bfloat16


def test_an_end_of_text_outside_the_vocabulary(folder, capsys):
    expected = score(load_folder(folder), TOKENS, 12, 3, 3).continuation
    change(folder, eos_token_id=[0, 50257, -1])
    assert describe("path", folder, "float32")["end_of_text"] == [0]
    assert "eos_token_id 50257, -1 of config.json is outside" in capsys.readouterr().err
    assert score(load_folder(folder), TOKENS, 12, 3, 3).continuation.tolist() == expected.tolist()


def test_weights_that_config_json_has_no_place_for(folder, capsys):
    change(folder, num_hidden_layers=1)
    assert describe("path", folder, "float32")["unused_weights"] == 12
    assert (
        "has 12 weights that the model of its config.json does not use" in capsys.readouterr().err
    )


def test_folders_damaged_at_random():
    """The first of the 60 of `python benchmarks/fuzz_models.py`."""
    counts = fuzz_models.fuzz(12)
    assert counts.total() == 12
    assert counts["without a word"] == 0
    assert counts["refused"] and counts["the same"]
