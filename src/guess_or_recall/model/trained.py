"""A trained model as a folder: weights, tokenizer, corpus, loss curve and card."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from transformers import PreTrainedModel

from guess_or_recall.device import device
from guess_or_recall.io import schemas
from guess_or_recall.io.files import read_json, write_csv, write_json
from guess_or_recall.io.paths import CORPUS, LOSS
from guess_or_recall.model.card import write_card
from guess_or_recall.settings.model import ModelSettings


def vocabulary_size(sequences: Path) -> int:
    """Tokens of the tokenizer of the sequences."""
    return len(read_json(sequences / "tokenizer" / "tokenizer.json")["model"]["vocab"])


def write_trained(
    folder: Path,
    model: PreTrainedModel,
    losses: Float[np.ndarray, " steps"],
    sequences: Path,
    settings: ModelSettings,
) -> None:
    """Write a trained model, in float16, with all that says what it was made from.

    Args:
        folder: to write.
        model: whose weights are halved in place.
        losses: of every step.
        sequences: what the stage `sequences` made.
        settings: by which it was trained.
    """
    corpus = read_json(sequences / CORPUS.name)
    model.half().save_pretrained(folder)
    shutil.copytree(sequences / "tokenizer", folder, dirs_exist_ok=True)
    write_json(folder / CORPUS.name, corpus)
    write_csv(folder / LOSS.name, loss_curve(losses), schemas.LOSS, "%.5f")
    write_card(
        folder,
        corpus,
        parameters=model.num_parameters(),
        length=settings.sequences.total,
        epochs=settings.model.train.epochs,
        seed=settings.seed,
        settings=json.dumps(settings.model.train.model_dump()),
        device=torch.cuda.get_device_name() if device().type == "cuda" else "CPU",
        torch=torch.__version__,
        loss=final_loss(losses),
    )


def final_loss(losses: Float[np.ndarray, " steps"]) -> float:
    """Mean loss of the last 100 steps, in nats a token."""
    return float(losses[-100:].mean())


def loss_curve(losses: Float[np.ndarray, " steps"]) -> pd.DataFrame:
    """The loss, a mean over 50 steps a row."""
    steps = list(range(0, len(losses), 50))
    means = [float(losses[step : step + 50].mean()) for step in steps]
    return pd.DataFrame({"step": steps, "loss": means})
