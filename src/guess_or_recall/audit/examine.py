"""What the model, the features, the taxonomy and the CNNs say of one sequence."""

import sys
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from jaxtyping import Float, Float32
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from guess_or_recall.attention.pooling import pooled_attention
from guess_or_recall.attention.store import POOLINGS
from guess_or_recall.attention.studied import studied_tokens
from guess_or_recall.attention.triangle import unpack
from guess_or_recall.audit.lookup import Subject
from guess_or_recall.audit.parting import Parting, parting
from guess_or_recall.classifier.cnn import Cnn
from guess_or_recall.classifier.saved import load_cnns
from guess_or_recall.corpus.tokenizer import decode
from guess_or_recall.errors import UserError
from guess_or_recall.features.columns import features
from guess_or_recall.features.detectors import DETECTORS
from guess_or_recall.io import paths
from guess_or_recall.io.tables import token_column
from guess_or_recall.localization.delta import Pooled, deltas, square
from guess_or_recall.model.scoring import score
from guess_or_recall.settings.params import Params
from guess_or_recall.taxonomy.trees import TaxonomyTree, classify, tree


class Examination(NamedTuple):
    """A sequence as its attention is studied, with its class and where the CNNs see it."""

    features: dict[str, float | bool]  # by the names that a taxonomy uses
    tree: TaxonomyTree
    label: int  # of `tree.classes`
    words: list[str]  # the text of each token, as it is studied
    parting: Parting  # of the sequence's suffix and the one that is studied
    attention: Float32[np.ndarray, "layers query key"]  # mean over heads
    delta: Float[np.ndarray, "layers query key"]  # mean over CNNs
    chances: dict[str, Float32[np.ndarray, " classes"]]  # of each CNN by its name


def examine(
    subject: Subject, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, params: Params
) -> Examination:
    """Take a sequence through scoring, features, taxonomy, attention and CNNs.

    Raises:
        UserError: the CNNs are missing, or were trained for another taxonomy.
    """
    current, prefix = tree(params.taxonomy, params.taxonomies), params.sequences.prefix
    cnns = load_current(current, torch.device(model.device))
    scores = score(model, subject.tokens, prefix, 1, 1)
    frame = features_of(subject, tokenizer, scores.memorization_score, params)
    labels = classify(frame, current, **params.thresholds())
    studied = studied_tokens(subject.tokens, scores.continuation, scores.memorization_score)
    patterns = pooled_attention(model, torch.from_numpy(studied.astype(np.int64))).cpu().numpy()
    pooled: Pooled = dict(zip(POOLINGS, patterns, strict=True))
    label = int(labels[0])
    return Examination(
        frame.iloc[0].to_dict(),
        current,
        label,
        decode(tokenizer, studied.T),
        parting(tokenizer, subject.tokens[0, prefix:], studied[0, prefix:]),
        unpack(torch.from_numpy(pooled["mean"][0]).float()).numpy(),
        deltas(cnns, pooled, labels, params.localize.gradients, 1, quiet=True).maps[label],
        chances(cnns, pooled),
    )


def load_current(current: TaxonomyTree, device: torch.device) -> list[Cnn]:
    """The CNNs; UserError where they were trained for another taxonomy."""
    cnns, classes = load_cnns(paths.TRAIN, device)
    if classes != list(current.classes):
        raise UserError(
            f"{paths.TRAIN} has the classes {', '.join(classes)}, the current taxonomy "
            f"{', '.join(current.classes)}: dvc repro"
        )
    return cnns


def features_of(
    subject: Subject,
    tokenizer: PreTrainedTokenizerFast,
    memorization_score: Float[np.ndarray, " 1"],
    params: Params,
) -> pd.DataFrame:
    """All that expressions of a taxonomy may name but perplexities, in one row."""
    if subject.duplicates is None:
        print("note: no training stream is here: its duplicates count as 1", file=sys.stderr)
    columns = {
        "sequence_id": pa.array([0], pa.int64()),
        "tokens": token_column(subject.tokens),
        "text": pa.array(decode(tokenizer, subject.tokens)),
    }
    detector = DETECTORS[params.features.is_code](params.features)
    table = features(pa.table(columns), params.sequences.prefix, detector)
    return table.to_pandas().assign(
        sequence_duplicates=max(subject.duplicates or 1, 1), memorization_score=memorization_score
    )


@torch.inference_mode()
def chances(cnns: list[Cnn], pooled: Pooled) -> dict[str, Float32[np.ndarray, " classes"]]:
    """The probability of each class by each CNN, by the CNN's name."""
    device = cnns[0].conv1.weight.device
    return {
        cnn.architecture.name: cnn(square(pooled[cnn.architecture.pooling], device))
        .softmax(-1)[0]
        .cpu()
        .numpy()
        for cnn in cnns
    }
