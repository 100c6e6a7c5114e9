"""The columns of every parquet table, by the stage that writes it.

A reader asks for the columns that it needs: `select(sequences(length), "sequence_id", "tokens")`.
The columns of features.parquet stand in `features/columns.py`, because a new feature adds one.
"""

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


def profiles(layers: int) -> pa.Schema:
    """profiles.parquet of `localize`: mean Δ of a sequence in each layer."""
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
