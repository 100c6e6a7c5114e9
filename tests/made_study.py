"""A study of a few made sequences in which the stages ran, and the command subset on it."""

# matplotlib's stubs take an image's array for None
# pyright: reportArgumentType=false, reportCallIssue=false

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import typer
from safetensors.torch import save_file

from guess_or_recall.attention.gallery import write_gallery
from guess_or_recall.attention.store import shard_path, write_shard, write_view
from guess_or_recall.attention.triangle import packed_size
from guess_or_recall.classifier.cnn import Architecture, Cnn
from guess_or_recall.commands import subset as command
from guess_or_recall.io.files import write_json
from guess_or_recall.io.paths import LABELS, metrics_of
from guess_or_recall.io.tables import token_column, write_table
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.stages import label as label_stage
from guess_or_recall.stages import localize as localize_stage
from guess_or_recall.stages import pool as pool_stage
from guess_or_recall.taxonomy.labels import read_labels
from tests.conftest import ROOT

CLASSES = ["non-memorized", "guess", "recall"]
POOLINGS = ("mean", "max")
STORE = Path("data/attention")
FILE = Path("small.h5")
COUNT, LAYERS, SHARD, STEP = 150, 2, 20, 7
UNDECODED = 3  # every third of those that are not memorized has no known continuation


def write_params(train):
    content = read_yaml(ROOT / "profiles" / "default.yaml")
    content["samples"] |= {"train": train, "eval": 5}
    content["pool"] = {"taxonomies": ["guess", "recite"], "deltas": [50], "rhos": [0.5]}
    content["attention"] |= {"gallery": 2}
    content["localize"] |= {"sequences": 3, "batch": 2, "bootstrap": 50}
    Path("params.yaml").write_text(dump_yaml(content))


def write_tables():
    rng, ids = np.random.default_rng(0), pa.array(np.arange(COUNT) * STEP + 2**40)
    tokens = rng.integers(0, 99, (COUNT, 64), dtype=np.int32)
    continuation = (99 - tokens[:, 32:]).astype(np.int32)
    continuation[::UNDECODED] = -1
    perplexity = pa.array(rng.random(COUNT), pa.float32())
    names = ("prompt_perplexity", "generation_perplexity", "sequence_perplexity")
    flags = ("is_incrementing", "is_repeating", "is_code")
    tables = {
        "sequences": {
            "tokens": token_column(tokens),
            "sequence_duplicates": pa.array(rng.choice([1, 60], COUNT)),
            "planted": pa.array(["distinct"] * COUNT),
        },
        "score": {
            "memorization_score": pa.array(rng.choice([1.0, 1.0, 0.5], COUNT)),
            "continuation": token_column(continuation),
            **dict.fromkeys(names, perplexity),
        },
        "features": {
            "rouge_3": pa.array(np.zeros(COUNT)),
            "rouge_l": pa.array(rng.choice([0.2, 0.7], COUNT)),
            **{flag: pa.array(np.zeros(COUNT, bool)) for flag in flags},
        },
    }
    for name, columns in tables.items():
        write_table(Path(f"data/{name}/{name}.parquet"), pa.table({"sequence_id": ids, **columns}))


def write_attention():
    table, rng = pq.read_table("data/pool/pool.parquet"), np.random.default_rng(1)
    ids, marked = (table[name].to_numpy() for name in ("sequence_id", "gallery"))
    pooled = rng.random((2, len(ids), LAYERS, packed_size(64))).astype(np.float16)
    provenance = {"model": "made", "weights": "abc", "batch": 8}
    starts = range(0, len(ids), SHARD)
    for index, start in enumerate(starts):
        rows = slice(start, start + SHARD)
        write_shard(shard_path(STORE, index), ids[rows], pooled[:, rows], provenance)
    write_view(STORE, len(starts), provenance)
    heads = np.zeros((marked.sum(), LAYERS, 4, 64, 64), np.float16)
    tokens = np.zeros((marked.sum(), 64), np.int32)
    write_gallery(Path("data/gallery/gallery.h5"), ids[marked], heads, tokens, provenance)


def write_cnns(classes=tuple(CLASSES), layers=LAYERS):
    torch.manual_seed(0)
    grid = [Architecture(6, 3, pooling) for pooling in POOLINGS]
    weights = {
        f"{architecture.name}/{name}": value
        for architecture in grid
        for name, value in Cnn(architecture, layers, len(classes), 64).state_dict().items()
    }
    Path("data/train").mkdir(parents=True, exist_ok=True)
    save_file(weights, "data/train/cnns.safetensors")
    listed = {architecture.name: asdict(architecture) for architecture in grid}
    described = {"grid": listed, "classes": list(classes), "layers": layers, "length": 64}
    write_json(Path("data/train/cnns.json"), described)


def make_study():
    """Run the stages up to localize on made sequences, in the working folder."""
    write_params(train=15)
    write_tables()
    pool_stage.main()
    write_params(train=6)  # the pool has more than the variant samples
    write_attention()
    label_stage.main()
    write_cnns()
    localize_stage.main()
    write_evaluation(above_chance=True)


def write_evaluation(above_chance, classes=tuple(CLASSES)):
    """The metrics of the CNNs, which nobody evaluated."""
    last_epoch = {"min_f1": 0.4, "min_f1_low": 0.32, "min_f1_high": 0.5}
    per_class = {"last_epoch": {name: {} for name in classes}}
    metrics = {"last_epoch": last_epoch, "above_chance": above_chance, "per_class": per_class}
    write_json(metrics_of("evaluate"), metrics)


def main(*arguments):
    """The command as the command line calls it."""
    program = typer.Typer()
    program.command()(command.main)
    typer.main.get_command(program).main(list(arguments), standalone_mode=False)


def of_classes(*names):
    return [word for name in names for word in ("--class", name)]


def by_id(*ids):
    return [word for sequence_id in ids for word in ("--id", sequence_id)]


def labels():
    return read_labels(LABELS)


def in_pool():
    return pq.read_table("data/pool/pool.parquet")["sequence_id"].to_numpy()
