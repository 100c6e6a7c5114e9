"""The work that the stage `attention` and the parts of the command `extract` share."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import torch
import transformers
from jaxtyping import Bool, Int32, Int64
from transformers import PreTrainedModel

from guess_or_recall.attention.studied import Studied, finished_tokens, read_studied
from guess_or_recall.device import device
from guess_or_recall.io.files import read_json
from guess_or_recall.io.paths import MODEL, MODEL_POINTER
from guess_or_recall.io.scratch import scratch
from guess_or_recall.model.batches import sequences_at_once
from guess_or_recall.model.load import identity, load_model
from guess_or_recall.settings.attention import AttentionSettings


class Extraction(NamedTuple):
    """What is to be extracted, by which model, and where it is kept until all is finished."""

    model: PreTrainedModel
    sequence_ids: Int64[np.ndarray, " n"]
    tokens: Int32[np.ndarray, "n length"]
    gallery: Bool[np.ndarray, " n"]
    batch: int  # sequences a forward pass
    provenance: dict  # all that the attention depends on
    folder: Path  # of the shards, until they are published


@contextmanager
def working(settings: AttentionSettings, shared: bool = False) -> Iterator[Extraction]:
    """Load the model and the pool with all its continuations, in a scratch folder.

    Args:
        settings: of the stage.
        shared: whether others may work in the same folder at the same time.
    """
    prefix, studied = settings.sequences.prefix, read_studied(settings.sequences)
    provenance = provenance_of(settings, studied)
    model = load_model(MODEL)
    batch = sequences_at_once(settings.attention.batch, model)
    with scratch("attention", provenance, shared=shared) as folder:
        tokens = finished_tokens(model, studied, prefix, batch, folder / "continuations.int32")
        ids, gallery = studied.sequence_ids, studied.gallery
        yield Extraction(model, ids, tokens, gallery, batch, provenance, folder)


def provenance_of(settings: AttentionSettings, studied: Studied) -> dict:
    """Everything that the attention depends on, as attributes of every file.

    How many sequences a forward pass and a shard take is none of it.
    """
    model = read_json(MODEL_POINTER)
    inputs = [studied.sequence_ids, studied.tokens, studied.gallery]
    if studied.unfinished.any():  # how they go on depends on where their suffix begins
        inputs += [studied.unfinished, np.array(settings.sequences.prefix)]
    return {
        "model": model.get("name") or model["path"],
        **({"commit": model["commit"]} if model.get("commit") else {}),
        **identity(model),
        **{name: model[name] for name in ("attention_layers",) if name in model},
        "inputs": hashlib.sha256(b"".join(array.tobytes() for array in inputs)).hexdigest(),
        "device": device().type,
        **library_versions(),
    }


def library_versions() -> dict[str, str]:
    """Versions of the libraries that the values and the bytes of a store depend on."""
    return {
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
        "h5py": h5py.__version__,
    }
