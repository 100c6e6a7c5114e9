"""What an interrupted run, a chain of jobs or a sweep has left, damaged: one line, and a way out.

What the stages made is in test_data_files.py.
"""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from guess_or_recall.cluster import chain as chains
from guess_or_recall.commands import notes
from guess_or_recall.errors import UserError
from guess_or_recall.io import paths, schemas
from guess_or_recall.io.checkpoint import load_checkpoint, save_checkpoint
from guess_or_recall.io.files import write_json
from guess_or_recall.model.shards import read_shard
from guess_or_recall.settings.yaml import read_yaml
from guess_or_recall.sweep.declare import settle
from guess_or_recall.sweep.results import read_result
from tests.chains import WHOLE
from tests.conftest import ROOT

BASE = read_yaml(ROOT / "profiles" / "default.yaml")
CELLS = "actual,predicted,count,epoch\na,a,1,all\na,b,0,all\nb,a,0,all\nb,b,1,all\n"


def test_the_state_of_a_training(tmp_path):
    module = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(module.parameters())
    path = tmp_path / "a state.safetensors"
    save_checkpoint(path, module, optimizer, {"done": torch.tensor(3)})
    assert load_checkpoint(path, module, optimizer)["done"] == 3
    whole = path.read_bytes()
    for content in (b"", whole[:-1], whole[:40], b"x" * 40, whole.replace(b"weight", b"weighs")):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"is damaged \(.*remove it \(`rm -r '.*a state.safe"):
            load_checkpoint(path, module, optimizer)


def test_finished_scores(tmp_path):
    path = tmp_path / "0-2.parquet"
    pq.write_table(pa.table({"sequence_id": [1, 2]}), path)
    whole = path.read_bytes()
    for content in (b"", whole[:-9], b"PAR1" + bytes(40) + b"PAR1"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"0-2.parquet is damaged .* and it is made again"):
            read_shard(path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"name": "rho-1"}'])
def test_the_record_of_a_chain(workspace, content):
    chains.write_chain(WHOLE)
    (WHOLE.folder / "chain.json").write_text(content)
    with pytest.raises(UserError, match=r"slurm/rho-1 is damaged .*remove it \(`rm -r "):
        chains.latest()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("coverage", {"statement": 3}),
        ("model", {"source": "path", "attention_layers": 3, "layers": 4, "vocabulary": 9}),
        ("label", {"shortage": True, "sampled": []}),
        ("attention", {"sequences": 1, "computed_wider": 0, "least_row_sum": "none"}),
    ],
)
def test_notes_on_values_that_make_no_sense(workspace, path, content):
    """Of a clone without data, whose metrics no checksum covers."""
    (workspace / "params.yaml").write_bytes((ROOT / "profiles/default.yaml").read_bytes())
    places = {"coverage": paths.COVERAGE, "model": paths.MODEL_POINTER}
    place = places.get(path) or paths.metrics_of(path)
    write_json(place, content)
    with pytest.raises(UserError, match=rf"{place} is damaged: .*none of its stage"):
        notes.main()


@pytest.fixture
def files():
    """What a variant of a sweep has left, by path."""
    measured = dict.fromkeys(("min_f1", "min_f1_low", "min_f1_high", "eval_loss"), 0.5)
    part = {"train": 1, "eval": 1}
    label = {"corpus": {"a": 1, "b": 1}, "sampled": {"a": part, "b": part}, "shortage": False}
    votes, kinds = io.BytesIO(), schemas.votes(2)
    pq.write_table(pa.table([pa.array([1, 0], kind.type) for kind in kinds], schema=kinds), votes)
    return {
        "params.yaml": (ROOT / "profiles/default.yaml").read_bytes(),
        str(paths.metrics_of("evaluate")): json.dumps(measured).encode(),
        str(paths.metrics_of("label")): json.dumps(label).encode(),
        str(paths.CONFUSION): CELLS.encode(),
        str(paths.VOTES): votes.getvalue(),
    }


def test_results_of_a_sweep(files):
    setting = settle({"taxonomy": "guess"}, BASE, "")
    assert read_result(setting, files.__getitem__).confusion.tolist() == [[1, 0], [0, 1]]
    for name, whole in files.items():
        for content in (b"", b"[]", b"\xff" * 9, whole[: len(whole) // 2], b"{}"):
            if name == "params.yaml" and len(content) > 9:
                continue  # half of the settings is as good here
            damaged = {**files, name: content}
            with pytest.raises(UserError, match=r"the results of guess-.* cannot be read \(\w+: "):
                read_result(setting, damaged.__getitem__)

    def absent(name):
        raise FileNotFoundError(2, "No such file", name)

    with pytest.raises(UserError, match=r"the results of guess-.* are not here \(.*params.yaml"):
        read_result(setting, absent)
