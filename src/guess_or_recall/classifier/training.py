"""A CNN in training: its recipe, gradients and dropout, and its state on disk after every epoch."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from guess_or_recall.classifier.cnn import Architecture, Cnn, Keeps, derived_seed, initialised
from guess_or_recall.classifier.dropout import draw_keeps, draw_keeps_on_device
from guess_or_recall.classifier.kernels import cpu, gpu
from guess_or_recall.io.checkpoint import load_checkpoint, save_checkpoint

EVAL_BATCH = 64


@dataclass(frozen=True)
class Recipe:
    """How every CNN is trained (Guess or Recall?, appendix on training)."""

    epochs: int = 3
    batch: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    dropout: float = 0.5
    seed: int = 42


@dataclass(eq=False)
class Trainee:
    """A CNN in training: its optimizer, and what its finished epochs gave."""

    cnn: Cnn
    optimizer: torch.optim.Optimizer
    recipe: Recipe
    losses: list[float] = field(default_factory=list)
    logits: list[Float[Tensor, "eval classes"]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the CNN."""
        return self.cnn.architecture.name

    @property
    def device(self) -> torch.device:
        """Where the CNN lives."""
        return self.cnn.linear2.weight.device


def new_trainee(
    architecture: Architecture,
    layers: int,
    classes: int,
    length: int,
    recipe: Recipe,
    device: torch.device,
) -> Trainee:
    """Make an untrained CNN with its optimizer."""
    shape = layers, classes, length
    cnn = initialised(architecture, *shape, recipe.dropout, recipe.seed).to(device)
    return Trainee(cnn, adamw(list(cnn.parameters()), recipe), recipe)


def adamw(parameters: list[torch.nn.Parameter], recipe: Recipe) -> torch.optim.AdamW:
    """The optimizer of some parameters on one device."""
    return torch.optim.AdamW(
        parameters,
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        fused=True,
        capturable=parameters[0].is_cuda,
    )


def joint(members: list[Trainee]) -> torch.optim.AdamW:
    """One optimizer for several CNNs, whose step is one kernel; its states are those of theirs."""
    pairs = [(trainee, value) for trainee in members for value in trainee.cnn.parameters()]
    together = adamw([parameter for _, parameter in pairs], members[0].recipe)
    for trainee, parameter in pairs:
        together.state[parameter] = trainee.optimizer.state[parameter]
    return together


def dropout_seed(trainee: Trainee, epoch: int) -> int:
    """Seed of one CNN's dropout in one epoch, whatever is trained beside it."""
    return derived_seed(trainee.recipe.seed, "dropout", trainee.name, epoch)


def dropout_bits(trainee: Trainee, epoch: int) -> np.random.BitGenerator:
    """The random stream of one CNN's dropout in one epoch, on a CPU."""
    return np.random.SFC64(dropout_seed(trainee, epoch))


def draw(
    source: np.random.BitGenerator | torch.Generator, trainee: Trainee, batch: int
) -> Keeps | None:
    """Dropout of the next batch."""
    if isinstance(source, torch.Generator):
        return draw_keeps_on_device(source, trainee.cnn, batch, trainee.recipe.dropout)
    return draw_keeps(source, trainee.cnn, batch, trainee.recipe.dropout)


def forward(
    cnns: list[Cnn], patterns: Float[Tensor, "batch layers *pattern"], keeps: list[Keeps | None]
) -> list[Float[Tensor, "batch classes"]]:
    """Logits of CNNs that can be kin, by the way that is fastest on the device."""
    if patterns.device.type == "cuda":
        return gpu.logits_together(cnns, patterns, keeps)
    return [cpu.logits(cnn, patterns, keep) for cnn, keep in zip(cnns, keeps, strict=True)]


def kin(members: list[Trainee]) -> list[list[Trainee]]:
    """Group CNNs that share their first convolution: on a GPU, of one kernel and pooling."""
    groups: dict[object, list[Trainee]] = {}
    for trainee in members:
        cell = trainee.cnn.architecture
        shared = (cell.kernel, cell.pooling) if trainee.device.type == "cuda" else cell
        groups.setdefault(shared, []).append(trainee)
    return list(groups.values())


def gradients(
    group: list[Trainee],
    patterns: Float[Tensor, "batch layers *pattern"],
    labels: Int64[Tensor, " batch"],
    keeps: list[Keeps | None],
) -> list[Float[Tensor, ""]]:
    """Gradients of the cross-entropy of some kin; returns the losses, on the device."""
    cnns = [trainee.cnn for trainee in group]
    losses = [F.cross_entropy(logits, labels) for logits in forward(cnns, patterns, keeps)]
    for cnn in cnns:
        cnn.zero_grad()
    torch.stack(losses).sum().backward()
    return [loss.detach() for loss in losses]


def save(trainee: Trainee, folder: Path) -> None:
    """Write the state after an epoch; a kill while writing leaves the epoch before."""
    extra = {
        "losses": torch.tensor(trainee.losses, dtype=torch.float64),
        "logits": torch.stack(trainee.logits),
    }
    save_checkpoint(state_path(trainee, folder), trainee.cnn, trainee.optimizer, extra)


def restore(trainee: Trainee, folder: Path) -> None:
    """Take up the last finished epoch, where there is one."""
    if state_path(trainee, folder).exists():
        extra = load_checkpoint(state_path(trainee, folder), trainee.cnn, trainee.optimizer)
        trainee.losses = extra["losses"].tolist()
        trainee.logits = list(extra["logits"])


def state_path(trainee: Trainee, folder: Path) -> Path:
    """File of one CNN's state."""
    return folder / f"{trainee.name}.safetensors"


def epoch_order(samples: int, seed: int, epoch: int) -> Int64[np.ndarray, " samples"]:
    """The same order of the samples for every CNN."""
    return np.random.default_rng(derived_seed(seed, "order", epoch)).permutation(samples)


def steps_in(samples: int, batch: int) -> int:
    """Number of batches."""
    return math.ceil(samples / batch)
