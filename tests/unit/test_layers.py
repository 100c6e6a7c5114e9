"""A model with attention in some of its layers: its own layer numbers stand everywhere."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from guess_or_recall.attention.extract import Shards, extract, extract_gallery
from guess_or_recall.attention.pooling import pooled_attention
from guess_or_recall.attention.reading import layers_of, read_pooled
from guess_or_recall.attention.subset import Subset, write_subset
from guess_or_recall.commands.sequence import require_layer
from guess_or_recall.errors import UserError, say_once
from guess_or_recall.io.files import read_json
from guess_or_recall.io.tables import write_table
from guess_or_recall.localization.ablation import ablate
from guess_or_recall.localization.cuts import Regions, plan
from guess_or_recall.localization.damage import (
    WHOLE,
    Ablation,
    agreement_table,
    class_table,
    summary,
)
from guess_or_recall.localization.delta_profiles import (
    class_profiles,
    layers_of_delta_profiles,
    sequence_profiles,
)
from guess_or_recall.localization.delta_profiles import summary as summary_of_profiles
from guess_or_recall.model.layers import declared_layers, numbered_modules
from guess_or_recall.model.pointer import describe
from guess_or_recall.report.ablation import ablation_curves, delta_against_ablation
from guess_or_recall.report.delta import delta_maps, delta_profile
from guess_or_recall.report.gallery import attention_gallery
from guess_or_recall.report.sequence import Words, sequence_figure
from tests.hybrids import NUMBERS, hybrid

LENGTH = 12
IDS = np.arange(6)
TOKENS = np.random.default_rng(0).integers(3, 50, (6, LENGTH)).astype(np.int32)
CLASSES = ["non-memorized", "guess", "recall"]
LABELS = np.array([0, 0, 1, 1, 2, 2], np.int8)


@pytest.fixture(scope="module")
def model():
    torch.set_num_threads(1)
    return hybrid(50)


@pytest.fixture(scope="module")
def ablation(model):
    cuts = plan({"off": [1, 2]}, list(numbered_modules(model)), 2, seed=0)
    outcomes = ablate(model, TOKENS, cuts, Regions(6, 2), 6)
    return Ablation(IDS, LABELS, CLASSES, [WHOLE, *cuts], outcomes)


def test_the_pointer_says_which_layers_have_attention(model, tmp_path, capsys):
    say_once.cache_clear()
    model.save_pretrained(tmp_path / "net")
    pointer = describe("path", tmp_path / "net", "float32")
    assert (pointer["layers"], pointer["attention_layers"]) == (4, NUMBERS)
    assert "has attention in 2 of its 4 layers (1, 3)" in capsys.readouterr().err
    assert declared_layers(model.config) == NUMBERS


def test_the_store_its_subset_and_the_gallery_have_the_numbers(model, tmp_path):
    provenance = {"model": "net", "attention_layers": NUMBERS}
    extract(model, IDS, TOKENS, Shards(tmp_path / "store", 4, provenance), 3)
    assert layers_of(tmp_path / "store") == NUMBERS
    expected = pooled_attention(model, torch.from_numpy(TOKENS).long())[0].numpy()
    stored = read_pooled(tmp_path / "store", IDS, "mean")
    np.testing.assert_allclose(stored, expected, rtol=0, atol=1e-3)
    extract_gallery(model, IDS[:2], TOKENS[:2], tmp_path / "gallery.h5", provenance)
    assert layers_of(tmp_path / "gallery.h5") == NUMBERS
    said = read_json(tmp_path / "store" / "provenance.json")
    subset = Subset(IDS, TOKENS, LABELS, CLASSES, "guess", said)
    write_subset(tmp_path / "small.h5", tmp_path / "store", subset)
    assert layers_of(tmp_path / "small.h5") == NUMBERS


def test_a_store_without_numbers_has_them_from_0(model, tmp_path):
    extract(model, IDS, TOKENS, Shards(tmp_path, 6, {"model": "net"}), 6)
    assert layers_of(tmp_path) == [0, 1]


def test_cuts_are_named_by_the_models_numbers(model, ablation):
    assert [cut.name for cut in ablation.cuts] == ["", "1", "3", "1+3"]
    attention = model.model.layers[3].self_attn  # independent: its projection gives nothing
    handle = attention.o_proj.register_forward_hook(lambda *call: torch.zeros_like(call[-1]))
    with torch.no_grad():
        tokens = torch.from_numpy(TOKENS).long()
        loss = model(tokens, use_cache=False).logits[:, :-1].log_softmax(-1)
    handle.remove()
    expected = -loss.gather(2, tokens[:, 1:, None])[..., 0].mean(1)
    np.testing.assert_allclose(ablation.outcomes.sequence_loss[2], expected, rtol=1e-4)
    assert not np.allclose(ablation.outcomes.sequence_loss[1], expected, rtol=1e-4)


def test_tables_and_metrics_have_the_numbers(ablation, tmp_path):
    table = class_table(ablation, 10, 0)
    profile = np.random.default_rng(0).random((1, 6, 2)).astype(np.float32)
    agreement = agreement_table(ablation, ["off"], {1: profile[0, 2:4]}, 10, 0)
    classes = summary(table, agreement, ablation)["classes"]
    assert {measures["worst_layer"] for measures in classes.values()} <= set(NUMBERS)
    by_class = class_profiles(profile, LABELS, CLASSES, 10, 0, NUMBERS)
    assert by_class["layer"].unique().tolist() == NUMBERS
    peaks = summary_of_profiles(by_class, LABELS, CLASSES, 1)["peak_layer"]
    assert set(peaks.values()) <= set(NUMBERS)
    write_table(tmp_path / "profiles.parquet", sequence_profiles(profile, IDS, LABELS, NUMBERS))
    assert layers_of_delta_profiles(tmp_path / "profiles.parquet") == NUMBERS


def test_figures_have_the_numbers(ablation):
    table = class_table(ablation, 10, 0)
    values = np.random.default_rng(0).random((3, 2, LENGTH, LENGTH)).astype(np.float32)
    profile = pd.DataFrame(
        {"class": np.repeat(CLASSES, 2), "layer": NUMBERS * 3, "delta": np.arange(6.0)}
    ).assign(low=0.0, high=9.0)
    nothing = pd.DataFrame(columns=["how", "class", "layers", "spearman", "low", "high"])
    titled = [
        delta_maps(values, CLASSES, 6, NUMBERS),
        attention_gallery(values[:, :, None], np.arange(3), IDS[:3], CLASSES, 6, NUMBERS),
        sequence_figure(values[0], values[1], Words(["t"] * LENGTH, 6), 3, "one", NUMBERS),
    ]
    for figure in titled:
        titles = [line for axes in figure.axes for line in axes.get_title().split("\n")]
        assert {"layer 1", "layer 3"} <= set(titles)
        assert not {"layer 0", "layer 2"} & set(titles)
    single = ablation_curves(table, CLASSES, 6).axes[1]
    for axes in (single, delta_profile(profile, CLASSES).axes[0]):
        assert np.asarray(axes.lines[0].get_xdata()).tolist() == NUMBERS
    against = delta_against_ablation(profile, table, nothing, CLASSES).axes[0]
    assert {text.get_text() for text in against.texts} == {"1", "3"}
    plt.close("all")


def test_a_layer_without_attention_cannot_be_asked_for():
    require_layer(3, NUMBERS)
    with pytest.raises(UserError, match="the model has attention in the layers 1, 3"):
        require_layer(2, NUMBERS)
