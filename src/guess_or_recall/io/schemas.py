"""The columns of every parquet and CSV table, by the stage that writes it.

A reader asks for the columns that it needs: `select(sequences(length), "sequence_id", "tokens")`.
Those that features.parquet has beyond `FEATURES` stand in `features/columns.py`, because a new
feature adds one.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

PERPLEXITIES = ("prompt_perplexity", "generation_perplexity", "sequence_perplexity")
SEQUENCE_ID = pa.schema({"sequence_id": pa.int64()})

LABELS = pa.schema(
    {
        "sequence_id": pa.int64(),
        "label": pa.int8(),
        "class_name": pa.string(),
        "part": pa.string(),  # train or eval
    }
)
PLANTED = pa.schema({"planted": pa.string()})  # of sequences.parquet
POOL = pa.schema({"sequence_id": pa.int64(), "gallery": pa.bool_()})

DUPLICATES = pa.schema({"sequence_duplicates": pa.int64()})  # of sequences.parquet
SCORES = pa.schema(  # of score.parquet
    {"memorization_score": pa.float64(), **dict.fromkeys(PERPLEXITIES, pa.float32())}
)
FEATURES = pa.schema(  # what of features.parquet the 20 trees name
    {
        **dict.fromkeys(("rouge_3", "rouge_l"), pa.float64()),
        **dict.fromkeys(("is_incrementing", "is_repeating", "is_code"), pa.bool_()),
    }
)

ABLATED = pa.schema(  # sequences.parquet of `ablate`: a row a sequence and cut
    {
        "how": pa.string(),
        "layers": pa.string(),
        "drawn": pa.bool_(),
        "sequence_id": pa.int64(),
        "label": pa.int8(),
        "extractable": pa.bool_(),
        **dict.fromkeys(("matched", "suffix_loss", "sequence_loss"), pa.float64()),
    }
)

PUBLISHED = pa.schema(
    {  # what the paper's data set says of a sequence, for others to take over
        "published_is_incrementing": pa.bool_(),
        "published_is_repeating": pa.bool_(),
        "published_memorization_score": pa.float64(),
        "published_huffman_coding_length": pa.float64(),
        **{f"published_{name}": pa.float32() for name in PERPLEXITIES},
    }
)


def token_list(length: int) -> pa.DataType:
    """The type of `length` token ids."""
    return pa.list_(pa.int32(), length)


def sequences(length: int) -> pa.Schema:
    """sequences.parquet, of sequences of `length` tokens; what is not known is null."""
    return pa.schema(
        {
            "sequence_id": pa.int64(),
            "tokens": token_list(length),
            "text": pa.string(),
            "sequence_duplicates": pa.int64(),
            "planted": pa.string(),
            "planted_copies": pa.int64(),
            "document": pa.string(),  # the file, and `:line` or `:row` where it holds several
            "document_id": pa.string(),  # the user's own name of it, if there is one
            "document_start": pa.int64(),  # the character of its text at which the sequence begins
        }
    )


def published_sequences(length: int) -> pa.Schema:
    """sequences.parquet of the paper's data set, the published values beside the others."""
    return pa.schema([*sequences(length), *PUBLISHED])


def stream(length: int) -> pa.Schema:
    """stream.parquet, of windows of `length` tokens."""
    return pa.schema({"tokens": token_list(length)})


DOCUMENTS = pa.schema({"document": pa.int64(), "tokens": pa.list_(pa.int32())})  # in its order


def score(suffix: int) -> pa.Schema:
    """score.parquet; a continuation that was not decoded is -1 throughout."""
    return pa.schema(
        {
            "sequence_id": pa.int64(),
            **{field.name: field.type for field in SCORES},
            "continuation": token_list(suffix),
        }
    )


def features(columns: Mapping[str, np.ndarray]) -> pa.Schema:
    """features.parquet, of the computed columns."""
    further = {
        name: pa.from_numpy_dtype(values.dtype)
        for name, values in columns.items()
        if name not in FEATURES.names
    }
    return pa.schema([*SEQUENCE_ID, *FEATURES, *pa.schema(further)])


def predictions(cnns: Iterable[str]) -> pa.Schema:
    """predictions.parquet of `evaluate`: the actual class, and the one that each CNN gives."""
    names = dict.fromkeys(["class_name", *cnns], pa.string())
    return pa.schema([*SEQUENCE_ID, *pa.schema(names)])


def votes(classes: int) -> pa.Schema:
    """votes.parquet of `evaluate`: how many CNNs and epochs give each class, by its number."""
    counts = {f"votes_{label}": pa.int32() for label in range(classes)}
    return pa.schema([*SEQUENCE_ID, LABELS.field("label"), *pa.schema(counts)])


def delta_profiles(layers: int) -> pa.Schema:
    """profiles.parquet of `localize`: the Δ profile of each sequence."""
    return pa.schema(
        {
            "sequence_id": pa.int64(),
            "label": pa.int8(),
            "delta": pa.list_(pa.float32(), layers),
        }
    )


def select(schema: pa.Schema, *names: str) -> pa.Schema:
    """Some columns of a schema."""
    return pa.schema([schema.field(name) for name in names])


INTERVAL = ("low", "high")

MANIFEST = ("file", "bytes", "sha256")  # of manifest.csv, where a source adds its own
LOSS = ("step", "loss")
VARIANTS = ("variant", "classes", "sequences", "adds", "shortage", "reason")
HISTORY = ("cnn", "epoch", "train_loss", "eval_loss", "eval_accuracy", "min_f1")
CONFUSION = ("actual", "predicted", "count", "epoch")
PLOTTED = ("actual", "predicted")
DELTA_PROFILE = ("class", "layer", "delta", *INTERVAL)
ABLATION = (
    *("class", "how", "layers", "width", "drawn", "sequences"),
    *("extractable", "extractable_low", "extractable_high"),
    *("matched", "matched_low", "matched_high"),
    *("suffix_perplexity", "suffix_perplexity_low", "suffix_perplexity_high"),
    *("sequence_perplexity", "sequence_perplexity_low", "sequence_perplexity_high"),
)
AGREEMENT = ("how", "class", "layers", "spearman", *INTERVAL)
SWEEP = (  # of results/SWEEP.csv, a row a variant and model, in percent
    *("rank", "model", "variant", "taxonomy", "delta", "rho_l", "rho_3"),
    *("classes", "train", "eval", "balanced", "min_f1", "min_f1_low", "min_f1_high", "mean_f1"),
    *("min_precision", "mean_precision", "min_recall", "mean_recall", "eval_loss"),
    *("seeds", "min_f1_seed_low", "min_f1_seed_high", "comparable"),
    *("normalised_f1", "published_min_f1", "difference", "published_rank"),
)
