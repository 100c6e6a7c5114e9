"""Attention patterns of many sequences, shard after shard; it resumes after any kill."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float16, Float32, Int32, Int64
from tqdm import tqdm
from transformers import PreTrainedModel

from guess_or_recall.attention.gallery import write_gallery
from guess_or_recall.attention.hdf5 import UnavailableError, key_of
from guess_or_recall.attention.pooling import (
    WIDER,
    Observe,
    as_stored,
    full_attention,
    observing,
    pool_heads,
    sound,
)
from guess_or_recall.attention.rows import is_sound
from guess_or_recall.attention.store import check_shard, shard_path, write_shard, write_view
from guess_or_recall.attention.triangle import packed_size
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import require_disk
from guess_or_recall.model.batches import in_batches, worth_compiling
from guess_or_recall.model.interface import attention_modules


class Shards(NamedTuple):
    """The files to make."""

    folder: Path
    sequences: int  # of a file, the most that a kill can lose
    provenance: dict  # all that the values depend on

    def files(self, count: int) -> list["ShardFile"]:
        """The files of `count` sequences."""
        starts = range(0, count, self.sequences)
        return [
            ShardFile(shard_path(self.folder, index), start, min(start + self.sequences, count))
            for index, start in enumerate(starts)
        ]


class ShardFile(NamedTuple):
    """A file, and the sequences of it: rows `start` to `stop` of all."""

    path: Path
    start: int
    stop: int

    @property
    def rows(self) -> slice:
        """Its rows."""
        return slice(self.start, self.stop)


def extract(
    model: PreTrainedModel,
    sequence_ids: Int64[np.ndarray, " n"],
    tokens: Int32[np.ndarray, "n length"],
    shards: Shards,
    batch: int,
    part: tuple[int, int] | None = None,
) -> None:
    """Fill a folder with the shards of pooled attention, their view and provenance.json.

    Shards that a killed run left there finished are kept, after a check of their checksums; those
    of another size are made again. A shard depends on its own sequences only, so an interruption
    leaves no trace in the bytes.

    Args:
        model: a causal language model, in evaluation mode.
        sequence_ids: of the sequences.
        tokens: of the sequences, as they are studied.
        shards: the files to make.
        batch: sequences a forward pass.
        part: (i, n) makes the shards i, i + n, i + 2n, ... alone and no view; other processes may
            make the others in the same folder.

    Raises:
        UserError: no sequence, token ids outside the vocabulary, too little disk space, or see
            `observe`.
    """
    check_tokens(model, tokens)
    every_file = shards.files(len(tokens))
    if not part:
        remove_leftovers(shards.folder, every_file)
    files = every_file[part[0] :: part[1]] if part else every_file
    key = key_of(shards.provenance)
    missing = [file for file in files if not finished(file, sequence_ids[file.rows], key)]
    total, left = sequences_in(files), sequences_in(missing)
    require_room(shards.folder, left, len(attention_modules(model)), tokens.shape[1])
    with tqdm(total=total, initial=total - left, desc="attention", unit="sequence") as progress:
        fill(missing, shards.provenance, model, sequence_ids, tokens, batch, progress)
    if not part:
        write_view(shards.folder, len(every_file), shards.provenance)


def sequences_in(files: list[ShardFile]) -> int:
    """Number of sequences of some files."""
    return sum(file.stop - file.start for file in files)


def fill(
    files: list[ShardFile],
    provenance: dict,
    model: PreTrainedModel,
    sequence_ids: Int64[np.ndarray, " n"],
    tokens: Int32[np.ndarray, "n length"],
    batch: int,
    progress: tqdm,
) -> None:
    """Make some shards; one is written while the next one is computed."""
    layers, written = len(attention_modules(model)), None
    fused = worth_compiling(model, sequences_in(files), batch)
    with observing(model, pool_heads, fused) as look, ThreadPoolExecutor(1) as writer:
        for file in files:
            shard = pool_shard(model, look, tokens[file.rows], layers, batch, progress)
            if written:
                written.result()  # one shard at most waits for the disk
            content = sequence_ids[file.rows], shard.pooled, provenance, shard.notes()
            written = writer.submit(write_shard, file.path, *content)
        if written:
            written.result()


def require_room(folder: Path, sequences: int, layers: int, length: int) -> None:
    """Raise UserError where the mean and maximum of so many sequences do not fit on the disk."""
    require_disk(folder, sequences * bytes_of_sequence(layers, length))


def bytes_of_sequence(layers: int, length: int) -> int:
    """Bytes of a sequence in the shards: mean and maximum, checksums, the index of the chunks."""
    return 4 * layers * packed_size(length) + 256


def check_tokens(model: PreTrainedModel, tokens: Int32[np.ndarray, "n length"]) -> None:
    """Raise UserError where there is no sequence, or an id is outside the model's vocabulary."""
    if not len(tokens):
        raise UserError("no sequence to extract the attention of: extend `pool` in params.yaml")
    vocabulary = model.config.get_text_config().vocab_size
    wrong = tokens[(tokens < 0) | (tokens >= vocabulary)]
    if len(wrong):
        raise UserError(
            f"token id {wrong[0]} is outside the vocabulary of the model (0 to {vocabulary - 1}): "
            "take the model and the tokenizer from the same place"
        )


def remove_leftovers(folder: Path, files: list[ShardFile]) -> None:
    """Remove half-written files, and shards that smaller ones of a killed run have beyond `files`.

    No other process may work in `folder`.
    """
    beyond = {*folder.glob("shard-*.h5")} - {file.path for file in files}
    for path in [*folder.glob(".*.tmp"), *beyond]:
        path.unlink()


def finished(file: ShardFile, sequence_ids: Int64[np.ndarray, " n"], key: str) -> bool:
    """Whether a shard is there, whole; one that does not pass its check is made again.

    Raises:
        UserError: it cannot be read now, such as where another program has locked it.
    """
    if not file.path.exists():
        return False
    try:
        check_shard(file.path, key, sequence_ids)
    except UnavailableError:
        raise
    except UserError as error:
        tqdm.write(f"made again: {error}")
        return False
    return True


class Pooled(NamedTuple):
    """Pooled attention of the sequences of a shard, and what is to be known of it."""

    pooled: Float16[np.ndarray, "pooling=2 n layers packed"]
    row_sum: Float32[np.ndarray, " n"]  # the least of a row of the patterns that are stored
    is_wider: Bool[np.ndarray, " n"]  # computed in a wider type than the model's

    def notes(self) -> dict[str, int | float]:
        """What a reader of the shard must know, by the names of `store.NOTES`."""
        least = round(float(self.row_sum.min()), 3)
        return {"computed_wider": int(self.is_wider.sum()), "least_row_sum": least}


def pool_shard(
    model: PreTrainedModel,
    look: Observe,
    tokens: Int32[np.ndarray, "n length"],
    layers: int,
    batch: int,
    progress: tqdm,
) -> Pooled:
    """Pooled attention of the sequences of one shard, `batch` at a time.

    A GPU is never waited for before the end: it copies a batch while the next ones are launched.

    Raises:
        UserError: one sequence alone does not fit on the GPU; or see `sound`.
    """
    shape = 2, len(tokens), layers, packed_size(tokens.shape[1])
    pooled = torch.empty(shape, dtype=torch.float16, pin_memory=torch.cuda.is_available())
    unsound = torch.zeros(len(tokens), dtype=torch.bool, device=model.device)
    row_sum = torch.empty(len(tokens), device=model.device)

    def pool(part: slice) -> None:
        observed = look(torch.from_numpy(tokens[part]))
        unsound[part] = ~is_sound(observed.rows, observed.sinks)
        row_sum[part] = observed.least
        for kept, computed in zip(pooled[:, part], as_stored(observed.patterns), strict=True):
            kept.copy_(computed, non_blocking=True)

    in_batches(pool, len(tokens), batch, progress)
    again = np.flatnonzero(unsound.cpu().numpy())  # waits for all that was launched

    def pool_again(part: slice) -> None:
        observed = sound(model, look, torch.from_numpy(tokens[again[part]]))
        pooled[:, again[part]] = as_stored(observed.patterns).cpu()
        row_sum[again[part]] = observed.least

    in_batches(pool_again, len(again), batch, tqdm(disable=True))
    is_wider = unsound.cpu().numpy() & (model.dtype in WIDER)
    return Pooled(pooled.numpy(), row_sum.cpu().numpy(), is_wider)


def extract_gallery(
    model: PreTrainedModel,
    sequence_ids: Int64[np.ndarray, " g"],
    tokens: Int32[np.ndarray, "g length"],
    path: Path,
    provenance: dict,
) -> None:
    """Write the attention patterns of every head of a few sequences. Raises as `extract` does."""
    check_tokens(model, tokens)
    sequences = torch.from_numpy(tokens).split(1)
    patterns = [full_attention(model, sequence).cpu() for sequence in sequences]
    write_gallery(path, sequence_ids, torch.cat(patterns).numpy(), tokens, provenance)
