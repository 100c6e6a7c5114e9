"""Scores of a whole corpus, shard after shard; finished shards outlive a kill."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int
from tqdm import tqdm
from transformers import PreTrainedModel

from guess_or_recall.io import schemas
from guess_or_recall.io.scratch import unusable
from guess_or_recall.io.tables import token_column, write_table
from guess_or_recall.model.batches import sequences_at_once, worth_compiling
from guess_or_recall.model.interface import attention_modules, blocks_of, compiled
from guess_or_recall.model.scoring import UNKNOWN, Scores, check_vocabulary, score
from guess_or_recall.settings.score import Score


def score_in_shards(
    model: PreTrainedModel,
    sequence_id: pa.ChunkedArray,
    tokens: Int[np.ndarray, "n length"],
    prefix: int,
    settings: Score,
    folder: Path,
) -> pa.Table:
    """Score all sequences, and leave each finished shard in `folder`; those there are kept.

    A shard bears the numbers of its rows, so that none of another size is taken for it.

    Raises:
        UserError: see `score`; or a finished shard is damaged.
    """
    check_vocabulary(tokens, model.config.get_text_config().vocab_size)
    batches, decoded = batches_of(model, settings), settings.decode == "all"
    starts = range(0, len(tokens), settings.shard)
    shards = [slice(start, min(start + settings.shard, len(tokens))) for start in starts]
    paths = [folder / f"{rows.start}-{rows.stop}.parquet" for rows in shards]
    with compiled_where_it_pays(model, len(tokens), batches[0]):
        for rows, path in zip(tqdm(shards, desc="scoring", unit="shard"), paths, strict=True):
            if not path.exists():
                scores = score(model, tokens[rows], prefix, *batches, decoded)
                write_table(path, score_table(sequence_id[rows], scores, decoded))
    return pa.concat_tables(map(read_shard, paths))


def read_shard(path: Path) -> pa.Table:
    """Read a finished shard; UserError where it is damaged."""
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise unusable(path, error) from None


def batches_of(model: PreTrainedModel, settings: Score) -> tuple[int, int]:
    """Sequences of a forward pass, and sequences decoded together."""
    return sequences_at_once(settings.batch, model), sequences_at_once(settings.decode_batch, model)


def compiled_where_it_pays(
    model: PreTrainedModel, sequences: int, batch: int
) -> AbstractContextManager:
    """The model with compiled blocks, where there are enough sequences."""
    if not worth_compiling(model, sequences, batch):
        return nullcontext()
    return compiled(blocks_of(model, attention_modules(model)))


def score_table(sequence_id: pa.ChunkedArray, scores: Scores, decoded: bool = True) -> pa.Table:
    """A row per sequence: its id, its scores, its continuation (`UNKNOWN` if not decoded)."""
    is_known = decoded | (scores.memorization_score == 1)[:, None]
    continuation = token_column(np.where(is_known, scores.continuation, UNKNOWN))
    columns = {"sequence_id": sequence_id, **scores._asdict(), "continuation": continuation}
    return pa.table(columns, schema=schemas.score(scores.continuation.shape[1]))
