"""Which sequences a model recites: 32-extractability, greedy continuations, perplexities."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm
from transformers import DynamicCache, PreTrainedModel

from guess_or_recall.errors import UserError

PREFIX = 32
LENGTH = 64


class Scores(NamedTuple):
    """What the stage `score` finds; perplexities are of prefix, suffix and whole sequence."""

    memorization_score: Float[np.ndarray, " n"]
    prompt_perplexity: Float[np.ndarray, " n"]
    generation_perplexity: Float[np.ndarray, " n"]
    sequence_perplexity: Float[np.ndarray, " n"]
    continuation: Int[np.ndarray, "n 32"]


def check_vocabulary(tokens: Int[np.ndarray, "n 64"], vocabulary: int) -> None:
    """Raise UserError where a token id is not one of the model's."""
    if tokens.min() < 0 or tokens.max() >= vocabulary:
        raise UserError(
            f"token ids run from {tokens.min()} to {tokens.max()}, the model knows 0 to "
            f"{vocabulary - 1}: tokenize with the model's own tokenizer (sequences.tokenizer.path)"
        )


def next_tokens(
    model: PreTrainedModel, logits: Float[Tensor, "*b vocabulary"]
) -> Int[Tensor, "*b"]:
    """Greedy next tokens; end of text is never one of them, so 32 tokens always come."""
    ends = model.config.eos_token_id
    if ends is not None:
        logits[..., ends] = -torch.inf
    return logits.argmax(-1)


def teacher_forced(
    model: PreTrainedModel, tokens: Int[Tensor, "b 64"]
) -> tuple[Int[Tensor, "b 32"], Float[Tensor, "b 63"]]:
    """One forward pass: the greedy token at each suffix position, and every token's loss."""
    logits = model(input_ids=tokens, use_cache=False).logits[:, :-1].float()
    losses = logits.logsumexp(-1) - logits.gather(2, tokens[:, 1:, None])[..., 0]
    return next_tokens(model, logits[:, PREFIX - 1 :]), losses


def decode(model: PreTrainedModel, tokens: Int[Tensor, "b 64"], known: int) -> Int[Tensor, "b 32"]:
    """Greedy continuation of the prefix, of which the first `known` tokens are in `tokens`."""
    cache = DynamicCache(config=model.config)
    given = tokens[:, : PREFIX + known]
    made = [given[:, PREFIX:]]
    for _ in range(LENGTH - PREFIX - known):
        logits = model(input_ids=given, past_key_values=cache, use_cache=True).logits[:, -1]
        given = next_tokens(model, logits.float())[:, None]
        made.append(given)
    return torch.cat(made, dim=1)


def mean_perplexity(losses: Float[Tensor, "b n"]) -> Float[Tensor, " b"]:
    """Exponential of the mean loss."""
    return losses.mean(1).exp()


def split(rows: np.ndarray, batch: int, what: str) -> Iterator[np.ndarray]:
    """Batches of row numbers under a progress bar."""
    with tqdm(total=len(rows), desc=what, unit="sequence", leave=False) as progress:
        for start in range(0, len(rows), batch):
            yield rows[start : start + batch]
            progress.update(len(rows[start : start + batch]))


@torch.inference_mode()
def score(
    model: PreTrainedModel, tokens: Int[np.ndarray, "n 64"], batch: int, decode_batch: int
) -> Scores:
    """Score sequences: `memorization_score` is 1 iff greedy decoding recites the suffix.

    One forward pass over the true tokens decides who is memorized: greedy decoding gives the
    suffix iff the argmax at each of positions 31..62 is the next token. Only the others are
    decoded, from their first wrong token on ("Guess or Recall?", section 3).

    Args:
        model: a causal language model.
        tokens: token ids.
        batch: sequences a forward pass.
        decode_batch: sequences decoded together.

    Raises:
        UserError: a token id is outside the vocabulary, or the model gives NaN.
    """
    check_vocabulary(tokens, model.config.get_text_config().vocab_size)
    everything = torch.from_numpy(tokens.astype(np.int64))
    guesses = torch.empty(len(tokens), LENGTH - PREFIX, dtype=torch.int64)
    losses = torch.empty(len(tokens), LENGTH - 1)
    for rows in split(np.arange(len(tokens)), batch, "forward passes"):
        best, loss = teacher_forced(model, everything[rows].to(model.device))
        guesses[rows], losses[rows] = best.cpu(), loss.cpu()
    if not losses.isfinite().all():
        raise UserError("the model's logits are not finite: its weights are broken or overflow")
    wrong = guesses != everything[:, PREFIX:]
    first_wrong = wrong.int().argmax(1).numpy()
    rest = np.flatnonzero(wrong.any(1).numpy())
    continuation = everything[:, PREFIX:].clone()
    for rows in split(rest[np.argsort(first_wrong[rest], kind="stable")], decode_batch, "decoding"):
        known = int(first_wrong[rows].min())
        continuation[rows] = decode(model, everything[rows].to(model.device), known).cpu()
    return Scores(
        (continuation == everything[:, PREFIX:]).double().mean(1).numpy(),
        mean_perplexity(losses[:, : PREFIX - 1]).numpy(),
        mean_perplexity(losses[:, PREFIX - 1 :]).numpy(),
        mean_perplexity(losses).numpy(),
        continuation.int().numpy(),
    )
