"""Train the language model, or point to one: `python src/run.py model`."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from jaxtyping import Float
from transformers import PretrainedConfig

from guess_or_recall.device import device
from guess_or_recall.io.files import (
    atomic,
    content_hash,
    publish,
    read_json,
    require_disk,
    write_json,
)
from guess_or_recall.io.scratch import scratch
from guess_or_recall.io.tables import read_table, token_matrix
from guess_or_recall.model.card import check_corpus, check_tokenizer, write_card
from guess_or_recall.model.hub import commit_of, snapshot, weights_hash
from guess_or_recall.model.load import check_folder, load_folder, require_accelerate
from guess_or_recall.model.training import new_model, train_model
from guess_or_recall.settings.model import ModelSettings

OUTPUT = Path("data/model")
SEQUENCES = Path("data/sequences")


def describe(source: str, path: Path) -> dict:
    """The pointer that later stages follow, with the hash of the weights."""
    return {
        "source": source,
        "path": str(path),
        "weights": content_hash(*sorted(path.glob("*.safetensors"))),
        **in_short(load_folder(path).config),
    }


def in_short(config: PretrainedConfig) -> dict:
    """What a model is, in four lines."""
    config = config.get_text_config()
    return {
        "architecture": config.model_type,
        "layers": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "vocabulary": config.vocab_size,
    }


def point(params: ModelSettings) -> None:
    """Point to a model in a folder, after checking that it fits the sequences."""
    path = Path(params.model.path)
    check_folder(path)
    check_tokenizer(path, SEQUENCES)
    check_corpus(path, SEQUENCES)
    pointer = describe("path", path)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    write_json(OUTPUT / "model.json", pointer)


def point_to_hub(params: ModelSettings) -> None:
    """Point to one commit of a model of the hub; its weights stay in the cache of the hub."""
    hub = params.model.hub
    folder = snapshot(hub.name, hub.revision)
    config = check_folder(folder, f"model.hub: '{hub.name}'")
    require_accelerate(hub.device_map)
    check_tokenizer(folder, SEQUENCES)
    check_corpus(folder, SEQUENCES)
    pointer = {
        "source": "hub",
        **hub.model_dump(),
        "commit": commit_of(hub.name, folder),
        "weights": weights_hash(folder),
        **in_short(config),
    }
    shutil.rmtree(OUTPUT, ignore_errors=True)
    write_json(OUTPUT / "model.json", pointer)


def train(params: ModelSettings) -> float:
    """Train a model on the stream; return its loss over the last 100 steps."""
    settings = params.model.train
    corpus = read_json(SEQUENCES / "corpus.json")
    schema = pa.schema({"tokens": pa.list_(pa.int32(), 64)})
    windows = token_matrix(read_table(SEQUENCES / "stream.parquet", schema)["tokens"])
    vocabulary = read_json(SEQUENCES / "tokenizer" / "tokenizer.json")["model"]["vocab"]
    model = new_model(len(vocabulary), settings.layers, settings.width, settings.heads, params.seed)
    with scratch("model", settings.model_dump(), params.seed, corpus, device().type) as folder:
        require_disk(folder, 2 * 12 * model.num_parameters())  # a checkpoint and its successor
        losses = train_model(
            model,
            windows,
            epochs=settings.epochs,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            seed=params.seed,
            device=device(),
            checkpoint=folder / "checkpoint.safetensors",
        )
        made, loss = folder / "made", float(losses[-100:].mean())
        model.half().save_pretrained(made)
        shutil.copytree(SEQUENCES / "tokenizer", made, dirs_exist_ok=True)
        write_json(made / "corpus.json", corpus)
        write_loss(made, losses)
        write_card(
            made,
            corpus,
            parameters=model.num_parameters(),
            epochs=settings.epochs,
            seed=params.seed,
            settings=json.dumps(settings.model_dump()),
            device=torch.cuda.get_device_name() if device().type == "cuda" else "CPU",
            torch=torch.__version__,
            loss=loss,
        )
        publish(made, OUTPUT)
    write_json(OUTPUT / "model.json", describe("train", OUTPUT))
    return loss


def write_loss(folder: Path, losses: Float[np.ndarray, " steps"]) -> None:
    """Write the loss curve, a mean over 50 steps a row."""
    steps = list(range(0, len(losses), 50))
    means = [float(losses[step : step + 50].mean()) for step in steps]
    with atomic(folder / "loss.csv") as temporary:
        curve = pd.DataFrame({"step": steps, "loss": means})
        curve.to_csv(temporary, index=False, float_format="%.5f")
