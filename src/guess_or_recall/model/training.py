"""Train a GPT-NeoX on windows of 64 tokens; a killed run goes on from its last checkpoint."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm
from transformers import AutoModelForCausalLM, GPTNeoXConfig, PreTrainedModel

from guess_or_recall.io.checkpoint import load_checkpoint, save_checkpoint

CHECKPOINT_SECONDS = 60.0


def new_model(vocabulary: int, layers: int, width: int, heads: int, seed: int) -> PreTrainedModel:
    """A GPT-NeoX for sequences of 64 tokens, with seeded random weights."""
    torch.manual_seed(seed)
    config = GPTNeoXConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=64,
        bos_token_id=0,
        eos_token_id=0,
        use_cache=False,
    )
    return AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")


def next_token_loss(model: Callable, batch: Int[Tensor, "b 64"]) -> Float[Tensor, ""]:
    """Mean cross-entropy of tokens 1..63 of every window, in nats."""
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
    windows: Int[np.ndarray, "w 64"],
    *,
    epochs: int,
    batch: int,
    learning_rate: float,
    weight_decay: float,
    seed: int,
    device: torch.device,
    checkpoint: Path,
) -> Float[np.ndarray, " steps"]:
    """Train `model` in place on all windows, `epochs` times.

    Args:
        model: fresh weights; replaced by those of `checkpoint` where it exists.
        windows: token ids of the training stream.
        epochs: passes over the stream.
        batch: windows a step (fewer where the stream is shorter).
        learning_rate: peak of the one-cycle schedule.
        weight_decay: of AdamW.
        seed: of the order of windows.
        device: where to train.
        checkpoint: file that is written every minute.

    Returns:
        The loss of every step, in nats a token.
    """
    model.to(device).train()
    batch = min(batch, len(windows))
    steps = epochs * (len(windows) // batch)
    optimizer = torch.optim.AdamW(
        model.parameters(), betas=(0.9, 0.95), weight_decay=weight_decay, fused=True
    )
    losses, done = torch.zeros(steps, device=device), 0
    if checkpoint.exists():
        extra = load_checkpoint(checkpoint, model, optimizer)
        losses[:], done = extra["losses"].to(device), int(extra["done"])
    data = torch.from_numpy(windows.astype(np.int32)).to(device)
    runner = torch.compile(model) if device.type == "cuda" else model
    saved = time.monotonic()
    progress = tqdm(total=steps, initial=done, desc="training the model", unit="step")
    for step, rows in enumerate(batches(len(windows), batch, epochs, seed)):
        if step < done:
            continue
        optimizer.param_groups[0]["lr"] = one_cycle(step, steps, learning_rate)
        with precision(device):
            loss = next_token_loss(runner, data[rows.to(device)].long())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses[step] = loss.detach()
        progress.update()
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            extra = {"losses": losses.cpu(), "done": torch.tensor(step + 1)}
            save_checkpoint(checkpoint, model, optimizer, extra)
            progress.set_postfix(loss=f"{losses[step].item():.3f}")
            saved = time.monotonic()
    progress.close()
    model.eval()
    return losses.cpu().numpy()
