"""Train a GPT-NeoX on windows of tokens; a killed run goes on from its last checkpoint."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm
from transformers import AutoModelForCausalLM, GPTNeoXConfig, PreTrainedModel

from guess_or_recall.errors import UserError
from guess_or_recall.io.checkpoint import load_checkpoint, save_checkpoint

OFTEN = 100  # steps between two looks at the loss
CHECKPOINT_SECONDS = 60.0


class ModelRecipe(NamedTuple):
    """How a model is trained."""

    epochs: int  # passes over the stream
    batch: int  # windows a step (fewer where the stream is shorter)
    learning_rate: float  # peak of the one-cycle schedule
    weight_decay: float  # of AdamW
    seed: int  # of the order of the windows


def new_model(
    vocabulary: int, layers: int, width: int, heads: int, length: int, seed: int
) -> PreTrainedModel:
    """A GPT-NeoX for sequences of `length` tokens, with seeded random weights."""
    torch.manual_seed(seed)
    config = GPTNeoXConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=length,
        bos_token_id=0,
        eos_token_id=0,
        use_cache=False,
    )
    return AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")


def require_learning(loss: float, step: int, learning_rate: float) -> None:
    """Raise UserError where the loss is no number any more, and the model with it."""
    if not math.isfinite(loss):
        raise UserError(
            f"the training of the model diverged by step {step + 1}: its loss is {loss}: lower "
            f"model.train.learning_rate = {learning_rate:g}"
        )


def next_token_loss(model: Callable, batch: Int[Tensor, "b length"]) -> Float[Tensor, ""]:
    """Mean cross-entropy of all tokens but the first of every window, in nats."""
    logits = model(input_ids=batch).logits[:, :-1]
    return functional.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten())


def batches(rows: int, batch: int, epochs: int, seed: int) -> Iterator[Int[Tensor, " b"]]:
    """Row numbers of every step: each epoch is one seeded permutation, its ragged end dropped."""
    for epoch in range(epochs):
        order = torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(rows))
        yield from order[: rows - rows % batch].split(batch)


def one_cycle(step: int, steps: int, peak: float) -> float:
    """Learning rate of a step: a cosine rise over the first 30% from peak/25, a cosine fall to 0.

    A function of the step alone, so that a resumed run needs no scheduler state
    (Smith and Topin 2019, in the cosine form of torch's OneCycleLR).
    """
    rise = max(int(0.3 * steps), 1)
    if step < rise:
        return peak / 25 + (peak - peak / 25) * (1 - math.cos(math.pi * step / rise)) / 2
    return peak * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1))) / 2


def precision(device: torch.device) -> AbstractContextManager:
    """bfloat16 autocast on a GPU, plain float32 on a CPU."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()


def train_model(
    model: torch.nn.Module,
    windows: Int[np.ndarray, "w length"],
    recipe: ModelRecipe,
    device: torch.device,
    checkpoint: Path,
) -> Float[np.ndarray, " steps"]:
    """Train `model` in place on all windows, `recipe.epochs` times.

    Args:
        model: fresh weights; replaced by those of `checkpoint` where it exists.
        windows: token ids of the training stream.
        recipe: how to train.
        device: where to train.
        checkpoint: file that is written every minute.

    Returns:
        The loss of every step, in nats a token.
    """
    model.to(device).train()
    batch = min(recipe.batch, len(windows))
    steps = recipe.epochs * (len(windows) // batch)
    optimizer = torch.optim.AdamW(
        model.parameters(), betas=(0.9, 0.95), weight_decay=recipe.weight_decay, fused=True
    )
    losses, done = torch.zeros(steps, device=device), 0
    if checkpoint.exists():
        extra = load_checkpoint(checkpoint, model, optimizer)
        losses[:], done = extra["losses"].to(device), int(extra["done"])
    tokens = torch.from_numpy(windows.astype(np.int32)).to(device)
    runner = torch.compile(model) if device.type == "cuda" else model
    order = enumerate(batches(len(windows), batch, recipe.epochs, recipe.seed))
    saved = time.monotonic()
    with tqdm(total=steps, initial=done, desc="training the model", unit="step") as progress:
        for step, rows in islice(order, done, None):
            optimizer.param_groups[0]["lr"] = one_cycle(step, steps, recipe.learning_rate)
            losses[step] = train_step(runner, optimizer, tokens[rows.to(device)].long())
            progress.update()
            if step % OFTEN == OFTEN - 1 or step == steps - 1:
                require_learning(losses[step].item(), step, recipe.learning_rate)
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                extra = {"losses": losses.cpu(), "done": torch.tensor(step + 1)}
                save_checkpoint(checkpoint, model, optimizer, extra)
                progress.set_postfix(loss=f"{losses[step].item():.3f}")
                saved = time.monotonic()
    model.eval()
    return losses.cpu().numpy()


def train_step(
    model: Callable, optimizer: torch.optim.Optimizer, batch: Int[Tensor, "b length"]
) -> Float[Tensor, ""]:
    """One step of the optimizer; gives the loss before it, in nats a token."""
    with precision(batch.device):
        loss = next_token_loss(model, batch)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()
