"""Attention patterns of many sequences, shard after shard; it resumes after any kill."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import torch
import transformers
from jaxtyping import Float, Float16, Int32, Int64
from tqdm import tqdm
from transformers import PreTrainedModel

from guess_or_recall.attention.gallery import write_gallery
from guess_or_recall.attention.hdf5 import key_of
from guess_or_recall.attention.pooling import (
    Observe,
    as_stored,
    finite,
    full_attention,
    is_finite,
    observing,
    pool_heads,
)
from guess_or_recall.attention.store import check_shard, shard_path, write_shard, write_view
from guess_or_recall.attention.triangle import packed_size
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import require_disk
from guess_or_recall.model.batches import in_batches, worth_compiling
from guess_or_recall.model.interface import attention_modules


def library_versions() -> dict[str, str]:
    """Versions of the libraries that the values and the bytes of a store depend on."""
    return {
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
        "h5py": h5py.__version__,
    }


def studied_tokens(
    tokens: Int32[np.ndarray, "n length"],
    continuation: Int32[np.ndarray, "n half"],
    memorization_score: Float[np.ndarray, " n"],
) -> Int32[np.ndarray, "n length"]:
    """Sequences as their attention is studied ("Guess or Recall?", section 3).

    A memorized sequence (score of 1) enters as it is; of another one, the suffix is replaced by
    the model's own greedy continuation of the prefix.
    """
    prefix = tokens[:, : tokens.shape[1] - continuation.shape[1]]
    own = np.concatenate([prefix, continuation], axis=1)
    return np.where((memorization_score == 1)[:, None], tokens, own)


def extract(
    model: PreTrainedModel,
    sequence_ids: Int64[np.ndarray, " n"],
    tokens: Int32[np.ndarray, "n length"],
    folder: Path,
    *,
    batch: int,
    shard: int,
    provenance: dict,
    part: tuple[int, int] | None = None,
) -> None:
    """Fill `folder` with the shards of pooled attention, their view and provenance.json.

    Shards that a killed run left there finished are kept, after a check of their checksums. A
    shard depends on its own sequences only, so an interruption leaves no trace in the bytes.

    Args:
        model: a causal language model, in evaluation mode.
        batch: sequences a forward pass.
        shard: sequences a file, the most that a kill can lose.
        provenance: everything that the values depend on, `batch` and `shard` included.
        part: (i, n) makes the shards i, i + n, i + 2n, ... alone and no view; other processes may
            make the others in the same folder.

    Raises:
        UserError: no sequence, token ids outside the vocabulary, too little disk space, or see
            `observe`.
    """
    check_tokens(model, tokens)
    if not part:
        remove_leftovers(folder)
    layers = len(attention_modules(model))
    starts = range(0, len(tokens), shard)
    own = starts[slice(part[0], None, part[1])] if part else starts
    todo = [
        start
        for start in own
        if not finished(folder, start // shard, sequence_ids[start : start + shard], provenance)
    ]
    missing = sum(len(tokens[start : start + shard]) for start in todo)
    require_room(folder, missing, layers, tokens.shape[1])
    total = sum(len(tokens[start : start + shard]) for start in own)
    fused = worth_compiling(model, missing, batch)
    bar = tqdm(total=total, initial=total - missing, desc="attention", unit="sequence")
    with bar, observing(model, pool_heads, fused) as look, ThreadPoolExecutor(1) as writer:
        written: Future | None = None
        for start in todo:
            rows = slice(start, start + shard)
            pooled = pool_shard(model, look, tokens[rows], layers, batch, bar)
            if written:
                written.result()  # one shard at most waits for the disk
            given = sequence_ids[rows], pooled, provenance
            written = writer.submit(write_shard, shard_path(folder, start // shard), *given)
        if written:
            written.result()
    if not part:
        write_view(folder, len(starts), provenance)


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


def remove_leftovers(folder: Path) -> None:
    """Remove the half-written files of a killed run; no other process may work in `folder`."""
    for path in folder.glob(".*.tmp"):
        path.unlink()


def finished(
    folder: Path, index: int, sequence_ids: Int64[np.ndarray, " n"], provenance: dict
) -> bool:
    """Whether a shard stands in `folder`, whole; one that does not pass its check is made again."""
    path = shard_path(folder, index)
    if not path.exists():
        return False
    try:
        check_shard(path, key_of(provenance), sequence_ids)
    except UserError as error:
        tqdm.write(f"made again: {error}")
        return False
    return True


def pool_shard(
    model: PreTrainedModel,
    look: Observe,
    tokens: Int32[np.ndarray, "n length"],
    layers: int,
    batch: int,
    progress: tqdm,
) -> Float16[np.ndarray, "pooling=2 n layers packed"]:
    """Pooled attention of the sequences of one shard, `batch` at a time.

    A GPU is never waited for before the end: it copies a batch while the next ones are launched.

    Raises:
        UserError: one sequence alone does not fit on the GPU; or see `finite`.
    """
    shape = 2, len(tokens), layers, packed_size(tokens.shape[1])
    pooled = torch.empty(shape, dtype=torch.float16, pin_memory=torch.cuda.is_available())
    sound = torch.ones(len(tokens), dtype=torch.bool, device=model.device)

    def pool(part: slice) -> None:
        found = look(torch.from_numpy(tokens[part]))
        sound[part] = is_finite(found)
        for here, there in zip(pooled[:, part], as_stored(found), strict=True):
            here.copy_(there, non_blocking=True)

    in_batches(pool, len(tokens), batch, progress)
    again = np.flatnonzero(~sound.cpu().numpy())  # waits for all that was launched

    def pool_again(part: slice) -> None:
        found = finite(model, look, torch.from_numpy(tokens[again[part]]))
        pooled[:, again[part]] = as_stored(found).cpu()

    in_batches(pool_again, len(again), batch, tqdm(disable=True))
    return pooled.numpy()


def extract_gallery(
    model: PreTrainedModel,
    sequence_ids: Int64[np.ndarray, " g"],
    tokens: Int32[np.ndarray, "g length"],
    path: Path,
    provenance: dict,
) -> None:
    """Write the attention patterns of every head of a few sequences. Raises as `extract` does."""
    check_tokens(model, tokens)
    patterns = [full_attention(model, one).cpu() for one in torch.from_numpy(tokens).split(1)]
    write_gallery(path, sequence_ids, torch.cat(patterns).numpy(), tokens, provenance)
