"""What a model memorized of some sequences: extractability, greedy continuations, perplexities."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm
from transformers import DynamicCache, PretrainedConfig, PreTrainedModel

from guess_or_recall.errors import UserError
from guess_or_recall.model.batches import in_batches
from guess_or_recall.model.front import in_front, with_front

UNKNOWN = -1  # in the place of each token of a continuation that was not decoded


class Scores(NamedTuple):
    """Scores of each sequence; perplexities are of prefix, suffix and whole sequence.

    A prefix of one token has none: NaN.
    """

    memorization_score: Float[np.ndarray, " n"]
    prompt_perplexity: Float[np.ndarray, " n"]
    generation_perplexity: Float[np.ndarray, " n"]
    sequence_perplexity: Float[np.ndarray, " n"]
    continuation: Int[np.ndarray, "n suffix"]


def check_vocabulary(tokens: Int[np.ndarray, "n length"], vocabulary: int) -> None:
    """Raise UserError where a token id is not one of the model's."""
    if tokens.min() < 0 or tokens.max() >= vocabulary:
        raise UserError(
            f"token ids run from {tokens.min()} to {tokens.max()}, the model knows 0 to "
            f"{vocabulary - 1}: tokenize with the model's own tokenizer (sequences.tokenizer.path)"
        )


def next_tokens(
    model: PreTrainedModel, logits: Float[Tensor, "*b vocabulary"]
) -> Int[Tensor, "*b"]:
    """Greedy next tokens; end of text is never among them, so that no continuation ends early."""
    for token in ends_of_text(model.config)[0]:
        logits[..., token] = -torch.inf
    return logits.argmax(-1)


def ends_of_text(config: PretrainedConfig) -> tuple[list[int], list[int]]:
    """The tokens that end a text, and those that a model names though its vocabulary lacks them."""
    text = config.get_text_config()
    named = getattr(text, "eos_token_id", None)
    ids = named if isinstance(named, list) else [] if named is None else [named]
    inside = [token for token in ids if 0 <= token < text.vocab_size]
    return inside, [token for token in ids if token not in inside]


def teacher_forced(
    model: PreTrainedModel, tokens: Int[Tensor, "b length"], prefix: int
) -> tuple[Int[Tensor, "b suffix"], Float[Tensor, "b length-1"]]:
    """One forward pass: the greedy token at each suffix position, and every token's loss."""
    logits = model(input_ids=with_front(model, tokens), use_cache=False).logits
    logits = logits[:, in_front(model) : -1].float()
    losses = logits.logsumexp(-1) - logits.gather(2, tokens[:, 1:, None])[..., 0]
    return next_tokens(model, logits[:, prefix - 1 :]), losses


def decode(
    model: PreTrainedModel, tokens: Int[Tensor, "b start"], count: int
) -> Int[Tensor, "b count"]:
    """The `count` tokens with which a model goes on greedily after some tokens."""
    cache = DynamicCache(config=model.config)
    latest, continuation = with_front(model, tokens), []
    for _ in range(count):
        logits = model(input_ids=latest, past_key_values=cache, use_cache=True).logits[:, -1]
        latest = next_tokens(model, logits.float())[:, None]
        continuation.append(latest)
    return torch.cat(continuation, dim=1)


def mean_perplexity(losses: Float[Tensor, "b n"]) -> Float[Tensor, " b"]:
    """Exponential of the mean loss."""
    return losses.mean(1).exp()


@torch.inference_mode()
def score(
    model: PreTrainedModel,
    tokens: Int[np.ndarray, "n length"],
    prefix: int,
    batch: int,
    decode_batch: int,
    decoded: bool = True,
) -> Scores:
    """Score sequences: `memorization_score` is 1 iff greedy decoding gives the suffix.

    One forward pass over the true tokens decides which are memorized: greedy decoding gives the
    suffix iff the argmax at its every position, and at the last of the prefix, is the next token.
    Only the others are decoded, from their first wrong token on ("Guess or Recall?", section 3).

    Args:
        model: a causal language model.
        tokens: token ids, of prefix and suffix.
        prefix: tokens of the prefix.
        batch: sequences a forward pass; fewer where the GPU's memory is too small.
        decode_batch: sequences decoded together.
        decoded: whether the others are decoded at all. If not, their score is the share of the
            suffix in front of the first wrong token, the least that it can be, and their
            continuation has zeros from there on.

    Raises:
        UserError: a token id is outside the vocabulary, or the model gives NaN.
    """
    check_vocabulary(tokens, model.config.get_text_config().vocab_size)
    greedy, losses = forward_passes(model, tokens, prefix, batch)
    suffix = torch.from_numpy(tokens[:, prefix:].astype(np.int64))
    length = suffix.shape[1]
    wrong = greedy != suffix
    first_wrong = torch.where(wrong.any(1), wrong.int().argmax(1), length)
    continuation = suffix.where(torch.arange(length) < first_wrong[:, None], 0)
    matched = first_wrong / length
    if decoded:
        rest = np.flatnonzero(wrong.any(1).numpy())
        rest = rest[np.argsort(first_wrong[rest].numpy(), kind="stable")]
        starts = prefix + first_wrong[rest]
        continuation[rest] = continuations(model, tokens[rest], starts, decode_batch)[:, prefix:]
        matched = (continuation == suffix).double().mean(1)
    return Scores(
        matched.double().numpy(),
        mean_perplexity(losses[:, : prefix - 1]).numpy(),
        mean_perplexity(losses[:, prefix - 1 :]).numpy(),
        mean_perplexity(losses).numpy(),
        continuation.int().numpy(),
    )


def forward_passes(
    model: PreTrainedModel, tokens: Int[np.ndarray, "n length"], prefix: int, batch: int
) -> tuple[Int[Tensor, "n suffix"], Float[Tensor, "n length-1"]]:
    """`teacher_forced` of all sequences; a GPU is not waited for before the end.

    Raises:
        UserError: the logits are not finite.
    """
    n, length = tokens.shape
    greedy = torch.empty(n, length - prefix, dtype=torch.int64, device=model.device)
    losses = torch.empty(n, length - 1, device=model.device)

    def work(part: slice) -> None:
        inputs = torch.from_numpy(tokens[part].astype(np.int64)).to(model.device)
        greedy[part], losses[part] = teacher_forced(model, inputs, prefix)

    with tqdm(total=n, desc="forward passes", unit="sequence", leave=False) as progress:
        in_batches(work, n, batch, progress)
    if not losses.isfinite().all():
        raise UserError(
            "the model's logits are not finite: its weights are broken, or overflow in "
            f"{model.dtype} (model.dtype, model.hub.dtype: bfloat16 or float32)"
        )
    return greedy.cpu(), losses.cpu()


def continuations(
    model: PreTrainedModel,
    tokens: Int[np.ndarray, "n length"],
    starts: Int[Tensor, " n"],
    batch: int,
) -> Int[Tensor, "n length"]:
    """Sequences whose tokens from some place on are replaced by greedy continuations.

    Args:
        model: a causal language model.
        tokens: sorted by `starts`: a batch is decoded from the first place in it.
        starts: where each sequence is no longer what greedy decoding gives.
        batch: sequences decoded together.
    """
    continued = torch.from_numpy(tokens.astype(np.int64))

    def work(part: slice) -> None:
        start = int(starts[part][0])
        known = continued[part, :start].to(model.device)
        continued[part, start:] = decode(model, known, tokens.shape[1] - start).cpu()

    with tqdm(total=len(tokens), desc="decoding", unit="sequence", leave=False) as progress:
        in_batches(work, len(tokens), batch, progress)
    return continued
