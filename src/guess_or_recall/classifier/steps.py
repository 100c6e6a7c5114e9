"""One step of several CNNs on the same batch: one by one on a CPU, side by side on a GPU."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from guess_or_recall.classifier import training
from guess_or_recall.classifier.kernels.recording import Step, recorded, unchanged
from guess_or_recall.classifier.samples import Patterns
from guess_or_recall.classifier.training import Trainee

Begin = Callable[[int], Step]  # of an epoch, counted from 0
Source = np.random.BitGenerator | torch.Generator  # of dropout


def stepper(members: list[Trainee], batch: int) -> Begin:
    """Make what starts an epoch and gives its step; a step returns the loss of each CNN."""
    if members[0].device.type == "cuda":
        return recording_stepper(members, batch)
    return plain_stepper(members)


def plain_stepper(members: list[Trainee]) -> Begin:
    """Steps of the CNNs one by one."""

    def begin(epoch: int) -> Step:
        sources = [training.dropout_bits(trainee, epoch) for trainee in members]

        def step(patterns: Patterns, labels: Tensor) -> Tensor:
            losses = []
            for trainee, bits in zip(members, sources, strict=True):
                losses += gradients_of([trainee], [bits], patterns, labels)
                trainee.optimizer.step()
            return torch.stack(losses)

        return step

    return begin


def recording_stepper(members: list[Trainee], batch: int) -> Begin:
    """Steps of all CNNs at once: full batches replay a recording that the first of them makes."""
    generators = [torch.Generator(trainee.device) for trainee in members]
    optimizer, recordings = training.joint(members), []

    def step_now(patterns: Patterns, labels: Tensor) -> Tensor:
        losses = side_by_side(members, generators, patterns, labels)
        optimizer.step()
        return losses

    def step(patterns: Patterns, labels: Tensor) -> Tensor:
        if len(labels) < batch:
            return step_now(patterns, labels)
        if not recordings:
            with unchanged(optimizer, generators):
                for _ in range(2):  # first calls allocate, which a recording must not
                    step_now(patterns, labels)
                torch.cuda.synchronize()
            recordings.append(recorded(step_now, generators, patterns, labels))
        return recordings[0](patterns, labels)

    def begin(epoch: int) -> Step:
        for trainee, generator in zip(members, generators, strict=True):
            generator.manual_seed(training.dropout_seed(trainee, epoch))
        return step

    return begin


def side_by_side(
    members: list[Trainee],
    generators: list[torch.Generator],
    patterns: Patterns,
    labels: Int64[Tensor, " batch"],
) -> Float[Tensor, " cnn"]:
    """Gradients of every CNN, each group of kin on a stream of its own: the loss of each."""
    current, losses = torch.cuda.current_stream(), {}
    generator_of = dict(zip(map(id, members), generators, strict=True))
    for group in training.kin(members):
        stream = torch.cuda.Stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            sources = [generator_of[id(trainee)] for trainee in group]
            group_losses = gradients_of(group, sources, patterns, labels)
            losses |= {id(kin): loss for kin, loss in zip(group, group_losses, strict=True)}
        current.wait_stream(stream)
    return torch.stack([losses[id(trainee)] for trainee in members])


def gradients_of(
    group: list[Trainee],
    sources: Sequence[Source],
    patterns: Patterns,
    labels: Int64[Tensor, " batch"],
) -> list[Float[Tensor, ""]]:
    """Gradients of CNNs that share their first convolution: the loss of each."""
    pairs = zip(group, sources, strict=True)
    keeps = [training.draw(source, trainee, len(labels)) for trainee, source in pairs]
    return training.gradients(group, patterns[group[0].cnn.architecture.pooling], labels, keeps)
