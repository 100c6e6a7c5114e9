"""The plan of a big run: bytes of every artifact, and a disk that is too small."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from huggingface_hub import constants
from transformers import GPTNeoXConfig

from guess_or_recall.commands import plan
from guess_or_recall.errors import UserError
from guess_or_recall.plan.needs import Needs, needs_of
from guess_or_recall.plan.shape import Shape, config_of, shape_of
from guess_or_recall.plan.sizes import bytes_of, require_disk
from guess_or_recall.settings.params import parse_params
from guess_or_recall.settings.profiles import render
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from tests.conftest import ROOT

Disk = namedtuple("Disk", "total used free")
COMMIT = "0123456789abcdef" * 2 + "01234567"
PYTHIA_12B = Shape(36, 40, 11_846_072_320)


def params(profile, monkeypatch):
    monkeypatch.chdir(ROOT)
    return parse_params(render(profile), profile)


def test_the_paper_s_artifacts(monkeypatch, tmp_path):
    """DESIGN: 0.30 MB a sequence at 12b, of which the paper's settings need 69 thousand."""
    settings = params("pythia-12b", monkeypatch)
    monkeypatch.chdir(tmp_path)
    needs = needs_of(settings)
    assert not needs.exact
    assert (needs.candidates, needs.variants) == (6_871_216, 80)
    sizes = bytes_of(
        settings, PYTHIA_12B, Needs(6_871_216, 69_000, 1_730_000, True, 98), 24 * 10**9
    )
    assert sizes["attention"] / 69_000 == 4 * 36 * 2080 + 256
    assert 20e9 < sizes["attention"] < 21e9
    assert sizes["weights, in the cache of the hub"] == 24 * 10**9


def test_a_disk_that_is_too_small(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(0, 0, 5 * 10**9))
    require_disk({"attention": 2 * 10**9, "tables": 3 * 10**9})
    assert capsys.readouterr().out == "disk: 5.00 GB needed, 5.00 GB free\n"
    with pytest.raises(UserError, match=r"too small: 5.10 GB are needed, 5.00 GB are free"):
        require_disk({"attention": 2 * 10**9, "tables": 31 * 10**8})


def test_shapes_of_all_sources(monkeypatch, tmp_path):
    settings = params("micro", monkeypatch)
    assert shape_of(config_of(settings))[:2] == (2, 4)
    assert shape_of(config_of(params("default", monkeypatch))) == (8, 8, 8_415_744)
    cached = tmp_path / "models--org--net/snapshots" / COMMIT
    GPTNeoXConfig(num_hidden_layers=3, hidden_size=64, num_attention_heads=8).save_pretrained(
        cached
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    (cached / "model.safetensors").touch()
    content = read_yaml(Path("params.yaml"))
    content["model"] |= {"source": "hub"}
    content["model"]["hub"] |= {"name": "org/net", "revision": COMMIT}
    assert shape_of(config_of(parse_params(dump_yaml(content), "own")))[:2] == (3, 8)


def test_a_model_that_is_too_large_has_sizes_and_no_times(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(plan, "room_on", lambda device: 10**6)
    plan.main()
    said = capsys.readouterr().out
    assert "memory: 0.0 GB for the weights, 0.0 GB are free (no trial, so no times)" in said
    assert "published method" in said and "a second" not in said
