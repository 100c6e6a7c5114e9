"""Made inputs of the extraction of attention: a tiny model, sequences, the files of a study."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from guess_or_recall.attention.extract import Shards
from guess_or_recall.io.files import write_json
from guess_or_recall.io.tables import token_column, write_table
from guess_or_recall.model.weights import content_of_model
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from tests.conftest import ROOT

PROVENANCE = {"model": "tiny", "weights": "abc"}


def tiny_model() -> GPTNeoXForCausalLM:
    """Two layers whose attention differs from position to position."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = GPTNeoXConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=16,
        max_position_embeddings=64,
        bos_token_id=0,
        eos_token_id=0,
    )
    tiny = GPTNeoXForCausalLM(config).eval()
    for parameter in tiny.parameters():
        parameter.data.mul_(10)
    return tiny


def draw(count: int, length: int = 64) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    ids = np.sort(random.choice(10**6, count, replace=False))
    return ids, random.integers(0, 40, (count, length), dtype=np.int32)


def shards_in(folder: Path) -> Shards:
    return Shards(folder, sequences=5, provenance=PROVENANCE)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def workspace(folder: Path, model, count: int = 90, prefix: int = 32, suffix: int = 32):
    """Inputs of the stage, in the files that the earlier stages write; gives the pool."""
    ids, tokens = draw(count, prefix + suffix)
    memorization_score = np.where(np.arange(count) % 3 == 0, 1.0, 0.5)
    columns = {"sequence_id": pa.array(ids), "tokens": token_column(tokens)}
    write_table(folder / "data/sequences/sequences.parquet", pa.table(columns))
    columns = {
        "sequence_id": pa.array(ids),
        "memorization_score": pa.array(memorization_score),
        "continuation": token_column(np.ascontiguousarray(39 - tokens[:, prefix:])),
    }
    write_table(folder / "data/score/score.parquet", pa.table(columns))
    pool = ids[count // 9 :]
    marks = pa.array(np.arange(len(pool)) < 4)
    write_table(
        folder / "data/pool/pool.parquet", pa.table({"sequence_id": pool, "gallery": marks})
    )
    model.save_pretrained(folder / "tiny")
    write_json(
        folder / "data/model/model.json",
        {"source": "path", "path": "tiny", **content_of_model(folder / "tiny", "tiny")},
    )
    params = read_yaml(ROOT / "params.yaml")
    params["sequences"] |= {"prefix": prefix, "suffix": suffix}
    params["attention"] = {"batch": 2, "shard": 4, "gallery": 2}
    (folder / "params.yaml").write_text(dump_yaml(params))
    return pool
