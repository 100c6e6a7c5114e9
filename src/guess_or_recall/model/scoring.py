"""Which sequences a model recites: 32-extractability, greedy continuations, perplexities."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm
from transformers import DynamicCache, PreTrainedModel

from guess_or_recall.errors import UserError
from guess_or_recall.model.batches import in_batches

PREFIX = 32
LENGTH = 64
UNKNOWN = -1  # in the place of each token of a continuation that was not decoded


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
    ends = getattr(model.config.get_text_config(), "eos_token_id", None)
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


@torch.inference_mode()
def score(
    model: PreTrainedModel,
    tokens: Int[np.ndarray, "n 64"],
    batch: int,
    decode_batch: int,
    decoded: bool = True,
) -> Scores:
    """Score sequences: `memorization_score` is 1 iff greedy decoding recites the suffix.

    One forward pass over the true tokens decides who is memorized: greedy decoding gives the
    suffix iff the argmax at each of positions 31..62 is the next token. Only the others are
    decoded, from their first wrong token on ("Guess or Recall?", section 3).

    Args:
        model: a causal language model.
        tokens: token ids.
        batch: sequences a forward pass; fewer where the GPU's memory is too small.
        decode_batch: sequences decoded together.
        decoded: whether the others are decoded at all. If not, their score is the share of the
            suffix in front of the first wrong token, the least that it can be, and their
            continuation has zeros from there on.

    Raises:
        UserError: a token id is outside the vocabulary, or the model gives NaN.
    """
    check_vocabulary(tokens, model.config.get_text_config().vocab_size)
    guesses, losses = forward_passes(model, tokens, batch)
    suffix = torch.from_numpy(tokens[:, PREFIX:].astype(np.int64))
    wrong = guesses != suffix
    first_wrong = torch.where(wrong.any(1), wrong.int().argmax(1), LENGTH - PREFIX)
    continuation = suffix.where(torch.arange(LENGTH - PREFIX) < first_wrong[:, None], 0)
    matched = first_wrong / (LENGTH - PREFIX)
    if decoded:
        rest = np.flatnonzero(wrong.any(1).numpy())
        rest = rest[np.argsort(first_wrong[rest].numpy(), kind="stable")]
        continuation[rest] = continuations(model, tokens[rest], first_wrong[rest], decode_batch)
        matched = (continuation == suffix).double().mean(1)
    return Scores(
        matched.double().numpy(),
        mean_perplexity(losses[:, : PREFIX - 1]).numpy(),
        mean_perplexity(losses[:, PREFIX - 1 :]).numpy(),
        mean_perplexity(losses).numpy(),
        continuation.int().numpy(),
    )


def forward_passes(
    model: PreTrainedModel, tokens: Int[np.ndarray, "n 64"], batch: int
) -> tuple[Int[Tensor, "n 32"], Float[Tensor, "n 63"]]:
    """`teacher_forced` of all sequences; a GPU is not waited for before the end.

    Raises:
        UserError: the logits are not finite.
    """
    guesses = torch.empty(len(tokens), LENGTH - PREFIX, dtype=torch.int64, device=model.device)
    losses = torch.empty(len(tokens), LENGTH - 1, device=model.device)

    def work(part: slice) -> None:
        given = torch.from_numpy(tokens[part].astype(np.int64)).to(model.device)
        guesses[part], losses[part] = teacher_forced(model, given)

    with tqdm(total=len(tokens), desc="forward passes", unit="sequence", leave=False) as progress:
        in_batches(work, len(tokens), batch, progress)
    if not losses.isfinite().all():
        raise UserError(
            "the model's logits are not finite: its weights are broken, or overflow in "
            f"{model.dtype} (model.hub.dtype: bfloat16 or float32)"
        )
    return guesses.cpu(), losses.cpu()


def continuations(
    model: PreTrainedModel,
    tokens: Int[np.ndarray, "n 64"],
    first_wrong: Int[Tensor, " n"],
    batch: int,
) -> Int[Tensor, "n 32"]:
    """Greedy continuations of sequences that are sorted by the place of their first wrong token."""
    made = torch.empty(len(tokens), LENGTH - PREFIX, dtype=torch.int64)

    def work(part: slice) -> None:
        given = torch.from_numpy(tokens[part].astype(np.int64)).to(model.device)
        made[part] = decode(model, given, int(first_wrong[part][0])).cpu()

    with tqdm(total=len(tokens), desc="decoding", unit="sequence", leave=False) as progress:
        in_batches(work, len(tokens), batch, progress)
    return made
