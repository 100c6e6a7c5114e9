"""ROUGE, templates and code, from tokens and text alone: `python src/run.py features`."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool

from guess_or_recall.features.code_fasttext import (
    describe_fasttext,
    is_code_fasttext,
    model_file,
)
from guess_or_recall.features.code_magika import describe_detector, is_code
from guess_or_recall.features.rouge import rouge_3, rouge_l
from guess_or_recall.features.templates import templates
from guess_or_recall.io.files import existing
from guess_or_recall.io.tables import read_parts, token_matrix, write_parts
from guess_or_recall.settings.features import Features

SEQUENCES = Path("data/sequences/sequences.parquet")
OUTPUT = Path("data/features/features.parquet")
SCHEMA = pa.schema(
    {"sequence_id": pa.int64(), "tokens": pa.list_(pa.int32(), 64), "text": pa.string()}
)
TEMPLATES = ("is_incrementing", "is_repeating")
PUBLISHED = [pa.field(f"published_{name}", pa.bool_()) for name in TEMPLATES]
COMPARED = 100  # one sequence in so many, computed and published

Detect = Callable[[list[str]], Bool[np.ndarray, " n"]]
Templates = tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]


def write_features(settings: Features) -> dict:
    """Write the features of all sequences; return what to report."""
    names = pq.read_schema(existing(SEQUENCES)).names
    has_published = {field.name for field in PUBLISHED} <= {*names}
    wanted = has_published or settings.templates == "published"
    schema = pa.schema([*SCHEMA, *PUBLISHED]) if wanted else SCHEMA
    detect, detector = code_detector(settings)
    write_parts(OUTPUT, feature_parts(read_parts(SEQUENCES, schema), settings, detect))
    found = summary(pq.read_table(OUTPUT)) | {"code_detector": detector}
    if has_published:
        found["templates"] = settings.templates
        found["published_against_computed"] = disagreement(read_parts(SEQUENCES, schema))
    return found


def code_detector(settings: Features) -> tuple[Detect | None, dict[str, str] | None]:
    """What tells code from prose, and its description; None and None where nothing does."""
    if settings.is_code == "magika":
        return is_code, describe_detector()
    if settings.is_code == "fasttext":
        path = model_file(settings.fasttext)
        return partial(is_code_fasttext, path=path), describe_fasttext(path)
    return None, None


def feature_parts(
    parts: Iterator[pa.Table], settings: Features, detect: Detect | None
) -> Iterator[pa.Table]:
    """Features of every part of the sequences, its templates computed or published."""
    for part in parts:
        own = published_templates(part) if settings.templates == "published" else None
        yield compute_features(part, detect, own)


def published_templates(sequences: pa.Table) -> Templates:
    """Which sequences were published as incrementing, and which as repeating."""
    incrementing, repeating = (sequences[field.name].to_numpy() for field in PUBLISHED)
    return incrementing, repeating


def disagreement(parts: Iterator[pa.Table]) -> dict[str, float]:
    """Share of sequences, one in `COMPARED`, whose published templates differ from the computed."""
    differ = []
    for part in parts:
        some = part.take(np.arange(0, len(part), COMPARED))
        computed = templates(some["text"].to_pylist())
        differ.append(np.array(published_templates(some)) != np.array(computed))
    both = np.concatenate(differ, axis=1)
    shares = both.mean(axis=1).round(6).tolist()
    return {"compared": both.shape[1], **dict(zip(TEMPLATES, shares, strict=True))}


def compute_features(
    sequences: pa.Table, detect: Detect | None, published: Templates | None = None
) -> pa.Table:
    """Features of every sequence, in the order of the sequences.

    They describe the original text, also where the model continues the prefix differently.
    Templates are the `published` ones where they are given.
    """
    tokens, texts = token_matrix(sequences["tokens"]), sequences["text"].to_pylist()
    incrementing, repeating = published or templates(texts)
    code = detect(texts) if detect else np.zeros(len(texts), bool)
    columns = {
        "rouge_3": rouge_3(tokens),
        "rouge_l": rouge_l(tokens),
        "is_incrementing": incrementing,
        "is_repeating": repeating,
        "is_code": code,
    }
    return pa.table({"sequence_id": sequences["sequence_id"], **columns})


def summary(features: pa.Table) -> dict:
    """Mean ROUGE; count and share of each kind of text."""
    count = features.num_rows
    means = {f"mean_{name}": mean(features, name) for name in ("rouge_3", "rouge_l")}
    kinds = {
        name: {"sequences": int(features[name].to_numpy().sum()), "share": mean(features, name)}
        for name in ("is_incrementing", "is_repeating", "is_code")
    }
    return {"sequences": count, **means, **kinds}


def mean(features: pa.Table, name: str) -> float:
    """Mean of a column, rounded for reading."""
    return round(float(features[name].to_numpy().mean()), 6)
