"""A training that diverges ends at once, with the name of the CNN and what to change."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from guess_or_recall.classifier.training import Trainee
from guess_or_recall.errors import UserError

HIGHEST = 1000.0  # mean loss; a guess among three classes has 1.1, a CNN that learns has less


def require_learning(
    members: list[Trainee], losses: Iterable[float], logits: list[Float[Tensor, "eval classes"]]
) -> None:
    """Check what some CNNs gave in their current epoch, as far as it is known.

    Args:
        members: the CNNs.
        losses: the mean loss of each.
        logits: of each, of the evaluation part; none before the epoch has ended.

    Raises:
        UserError: a loss is no number or beyond `HIGHEST`, or a logit is no number.
    """
    for trainee, loss in zip(members, losses, strict=True):
        if not loss <= HIGHEST:
            refuse(trainee, f"its loss is {loss:.3g}")
    for trainee, values in zip(members, logits, strict=False):
        if not torch.isfinite(values).all():
            refuse(trainee, "it gives values that are no numbers")


def refuse(trainee: Trainee, why: str) -> None:
    """Raise a UserError about a CNN."""
    epoch, classes = len(trainee.losses) + 1, trainee.cnn.linear2.out_features
    raise UserError(
        f"the training of {trainee.name} diverged in epoch {epoch}: {why} (an even guess among "
        f"{classes} classes has a loss of {math.log(classes):.2g}): lower train.learning_rate = "
        f"{trainee.recipe.learning_rate:g}"
    )
