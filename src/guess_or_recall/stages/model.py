"""Train the language model, or point to one: `python src/run.py model`."""

import shutil
from pathlib import Path

from guess_or_recall.device import device
from guess_or_recall.io.files import publish, read_json, require_disk, write_json
from guess_or_recall.io.paths import (
    CORPUS,
    MODEL,
    MODEL_POINTER,
    SEQUENCES_FOLDER,
    STREAM,
    metrics_of,
)
from guess_or_recall.io.schemas import stream
from guess_or_recall.io.scratch import scratch
from guess_or_recall.io.tables import read_table, token_matrix
from guess_or_recall.model.pointer import describe, pointer_to_folder, pointer_to_hub
from guess_or_recall.model.trained import final_loss, vocabulary_size, write_trained
from guess_or_recall.model.training import ModelRecipe, new_model, train_model
from guess_or_recall.settings.model import ModelSettings
from guess_or_recall.settings.section import read_settings


def main() -> None:
    """Write data/model and metrics/model.json."""
    settings, loss = read_settings(ModelSettings), None
    model, length = settings.model, settings.sequences.total
    if model.source == "train":
        loss = train(settings)
        pointer = {**describe("train", MODEL, model.dtype), "bos": []}
    else:
        fit = model.bos, SEQUENCES_FOLDER, length
        if model.source == "hub":
            pointer = pointer_to_hub(model.hub, *fit)
        else:
            pointer = pointer_to_folder(Path(model.path), model.dtype, *fit)
        if MODEL.exists():
            shutil.rmtree(MODEL)  # a model that was trained there
    write_json(MODEL_POINTER, pointer)
    write_json(metrics_of("model"), pointer | {"loss": loss})


def train(settings: ModelSettings) -> float:
    """Train a model on the stream into data/model; give its loss over the last 100 steps."""
    shape, length, seed = settings.model.train, settings.sequences.total, settings.seed
    windows = token_matrix(read_table(STREAM, stream(length))["tokens"])
    vocabulary = vocabulary_size(SEQUENCES_FOLDER)
    model = new_model(vocabulary, shape.layers, shape.width, shape.heads, length, seed)
    recipe = ModelRecipe(shape.epochs, shape.batch, shape.learning_rate, shape.weight_decay, seed)
    matters = shape.model_dump(), seed, length, read_json(CORPUS), device().type
    with scratch("model", *matters) as folder:
        require_disk(folder, 2 * 12 * model.num_parameters())  # a checkpoint and its successor
        checkpoint = folder / "checkpoint.safetensors"
        losses = train_model(model, windows, recipe, device(), checkpoint)
        write_trained(folder / "trained", model, losses, SEQUENCES_FOLDER, settings)
        publish(folder / "trained", MODEL)
    return final_loss(losses)
