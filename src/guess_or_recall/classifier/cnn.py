"""The CNN that reads attention patterns, one input channel a layer of the language model."""

import hashlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from guess_or_recall.errors import UserError

HIDDEN = 64


class Keeps(NamedTuple):
    """Dropout of one batch: 1 keeps a value, 0 drops it; the factor 1 / (1 - dropout) is apart."""

    first: Float[Tensor, "batch features rows columns"]
    second: Float[Tensor, "batch features rows columns"]
    hidden: Float[Tensor, "batch hidden"]


@dataclass(frozen=True)
class Architecture:
    """One cell of the grid."""

    kernel: int
    features: int
    pooling: str

    @property
    def name(self) -> str:
        """Name in every file, such as `k6-f10-mean`."""
        return f"k{self.kernel}-f{self.features}-{self.pooling}"

    def sides(self, length: int) -> tuple[int, int]:
        """Side of the square maps after the first and after the second max-pooling.

        Raises:
            UserError: nothing is left of a pattern of `length` tokens.
        """
        first = (length - self.kernel + 1) // 2
        second = (first - self.kernel + 1) // 2
        if second < 1:
            raise UserError(
                f"kernel = {self.kernel} leaves nothing of {length} x {length} attention patterns "
                "after two convolutions and poolings: take a smaller train.grid.kernel"
            )
        return first, second


class Cnn(nn.Module):
    """conv - ReLU - dropout - maxpool 2, twice; linear(64) - ReLU - dropout - linear(classes).

    Source: Guess or Recall?, section on the CNN; convolutions without padding.
    """

    def __init__(
        self,
        architecture: Architecture,
        layers: int,
        classes: int,
        length: int,
        dropout: float = 0.5,
    ):
        """Build the CNN with PyTorch's default initialisation (see `initialised`).

        Args:
            architecture: a cell of the grid.
            layers: of the language model.
            classes: number of classes.
            length: tokens of a sequence, which is the side of a pattern.
            dropout: probability that a value is dropped in training.
        """
        super().__init__()
        self.architecture = architecture
        self.layers = layers
        self.length = length
        self.scale = 1 / (1 - dropout)
        kernel, features = architecture.kernel, architecture.features
        self.sides = architecture.sides(length)
        self.conv1 = nn.Conv2d(layers, features, kernel)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(features, features, kernel)
        self.relu2 = nn.ReLU()
        self.linear1 = nn.Linear(features * self.sides[1] ** 2, HIDDEN)
        self.relu3 = nn.ReLU()
        self.linear2 = nn.Linear(HIDDEN, classes)

    def forward(
        self, patterns: Float[Tensor, "batch layers query key"], keeps: Keeps | None = None
    ) -> Float[Tensor, "batch classes"]:
        """Logits; `keeps` is for training only."""
        return self.after_conv1(self.conv1(patterns), keeps)

    def after_conv1(
        self, maps: Float[Tensor, "batch features rows columns"], keeps: Keeps | None = None
    ) -> Float[Tensor, "batch classes"]:
        """Logits from what the first convolution gives."""
        first, second = (None, None) if keeps is None else keeps[:2]
        maps = self.shrink(self.relu1(maps), first, self.sides[0])
        maps = self.shrink(self.relu2(self.conv2(maps)), second, self.sides[1])
        return self.head(maps, keeps)

    def shrink(self, maps: Tensor, keep: Tensor | None, side: int) -> Tensor:
        """Dropout and max-pooling, which leaves out an odd last row and column."""
        if keep is not None:
            maps = maps[..., : 2 * side, : 2 * side] * (keep * self.scale)
        return F.max_pool2d(maps, 2)

    def head(self, maps: Tensor, keeps: Keeps | None) -> Float[Tensor, "batch classes"]:
        """The two linear layers."""
        hidden = self.relu3(self.linear1(maps.flatten(1)))
        if keeps is not None:
            hidden = hidden * (keeps.hidden * self.scale)
        return self.linear2(hidden)

    def keep_shapes(self, batch: int) -> list[tuple[int, ...]]:
        """Shapes of `Keeps`, channels last."""
        features, (first, second) = self.architecture.features, self.sides
        squares = [(batch, 2 * side, 2 * side, features) for side in (first, second)]
        return [*squares, (batch, HIDDEN)]


def exact(device: torch.device) -> AbstractContextManager:
    """Have convolutions on a GPU in true float32, with the same bits every time."""
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(
        enabled=True, deterministic=True, benchmark=False, allow_tf32=False
    )


def derived_seed(seed: int, *purpose: object) -> int:
    """Seed of one random stream: the same whatever else is drawn beside it."""
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def initialised(
    architecture: Architecture, layers: int, classes: int, length: int, dropout: float, seed: int
) -> Cnn:
    """Make a CNN whose first weights depend on `seed` and its own name, not on the grid."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(seed, "weights", architecture.name))
        return Cnn(architecture, layers, classes, length, dropout)
