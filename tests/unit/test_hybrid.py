"""A model with attention in some of its layers, from `model` to the figures, in one process.

Its weights are random, and its own continuations are taken for the suffixes that it memorized.
"""

# pandas' stubs take a selected table or column for any of several types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import load_file
from transformers import OlmoHybridForCausalLM

from guess_or_recall.io import paths
from guess_or_recall.io.files import read_json, seal, write_json
from guess_or_recall.io.tables import token_column, token_matrix, write_table
from guess_or_recall.localization.delta_profiles import layers_of_delta_profiles
from guess_or_recall.model.scoring import score
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.stages import figures
from tests.conftest import run_stages
from tests.hybrids import NUMBERS, hybrid
from tests.made_study import write_params, write_tables

NAMES = {str(number) for number in NUMBERS}


def write_settings() -> None:
    """Sizes and numbers of draws that take no time."""
    write_params(train=9)
    content = read_yaml(Path("params.yaml"))
    content["model"] |= {"source": "path", "path": "net"}
    content["train"] |= {"wandb": "disabled", "epochs": 1}
    content["train"]["grid"] = {"kernel": [6], "features": [2], "pooling": ["mean"]}
    content["evaluate"]["bootstrap"] = 20
    content["ablate"] |= {"sequences": 2, "cuts": {"off": [1, 2]}, "random": 1, "bootstrap": 20}
    content["figures"]["flow_from"] = "recite"
    Path("params.yaml").write_text(dump_yaml(content))


def write_memorized(model: OlmoHybridForCausalLM) -> None:
    """Sequences of which the model gives two of three."""
    write_tables()
    table = pq.read_table(paths.SEQUENCES)
    tokens = token_matrix(table["tokens"])
    continued = score(model, tokens, 32, len(tokens), len(tokens)).continuation
    tokens[np.arange(len(tokens)) % 3 > 0, 32:] = continued[np.arange(len(tokens)) % 3 > 0]
    place = table.column_names.index("tokens")
    write_table(paths.SEQUENCES, table.set_column(place, "tokens", token_column(tokens)))
    write_json(paths.CORPUS, {"source": "files"})


@pytest.fixture
def drawn(workspace, monkeypatch):
    """The figures of a study of a hybrid, by their names, not written."""
    torch.set_num_threads(1)
    pictures = {}
    monkeypatch.setattr(
        figures, "save", lambda figure, folder, name: pictures.update({name: figure})
    )
    write_settings()
    model = hybrid(100)
    model.save_pretrained("net")
    write_memorized(model)
    run_stages(workspace, "model", "score", "pool", "attention", "label", "train", "evaluate")
    run_stages(workspace, "localize", "ablate")
    metrics = paths.metrics_of("evaluate")  # of CNNs that have learnt nothing
    write_json(metrics, read_json(metrics) | {"above_chance": True})
    seal(paths.EVALUATE)
    run_stages(workspace, "figures")
    return pictures


def test_every_number_of_a_layer_is_the_models_own(drawn):
    model, stored = (read_json(paths.metrics_of(name)) for name in ("model", "attention"))
    assert (model["layers"], model["attention_layers"]) == (4, NUMBERS)
    assert (stored["layers"], stored["attention_layers"]) == (2, NUMBERS)
    assert read_json(paths.PROVENANCE)["attention_layers"] == NUMBERS
    with h5py.File(paths.GALLERY) as gallery:
        assert list(gallery.attrs["attention_layers"]) == NUMBERS
    assert read_json(paths.metrics_of("score"))["memorized"] == 100

    assert load_file(paths.DELTA)["layers"].tolist() == NUMBERS
    assert layers_of_delta_profiles(paths.DELTA_PROFILES) == NUMBERS
    assert {*pd.read_csv(paths.DELTA_PROFILE)["layer"]} == {*NUMBERS}
    assert {*read_json(paths.metrics_of("localize"))["peak_layer"].values()} <= {*NUMBERS}

    cuts = pd.read_csv(paths.ABLATION, dtype={"layers": str}).query("how == 'off'")
    assert {*cuts["layers"]} == NAMES | {"1+3"}
    assert {*pq.read_table(paths.ABLATED)["layers"].to_pylist()} == NAMES | {"1+3", ""}
    worst = read_json(paths.metrics_of("ablate"))["classes"].values()
    assert {measures["worst_layer"] for measures in worst} <= {*NUMBERS}

    for name in ("attention_gallery", "delta_maps"):
        titles = {line for axes in drawn[name].axes for line in axes.get_title().split("\n")}
        assert {line for line in titles if "layer" in line} == {"layer 1", "layer 3"}, name
    curves = drawn["ablation_curves"].axes[1].containers
    for line in (*drawn["delta_profile"].axes[0].lines, *(curve.lines[0] for curve in curves)):
        assert line.get_xdata().tolist() == NUMBERS
    assert len(curves) == 3
    against = drawn["delta_against_ablation"].axes[0]
    assert {text.get_text() for text in against.texts} == NAMES
