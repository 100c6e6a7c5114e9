"""One step of several CNNs on the same batch: one by one on a CPU, side by side on a GPU.

A step of one CNN is a hundred GPU kernels of a few microseconds, so that launching them costs most:
a CUDA graph, recorded once, runs those of the whole grid without Python.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from guess_or_recall.classifier import training
from guess_or_recall.classifier.samples import Patterns
from guess_or_recall.classifier.training import Trainee

Step = Callable[[Patterns, Int64[Tensor, " batch"]], Float[Tensor, " cnn"]]
Begin = Callable[[int], Step]  # of an epoch, counted from 0


def stepper(members: list[Trainee], batch: int) -> Begin:
    """Make what starts an epoch and gives its step; a step returns the loss of each CNN."""
    if members[0].device.type == "cuda":
        return recording_stepper(members, batch)

    def begin(epoch: int) -> Step:
        sources = [training.dropout_bits(each, epoch) for each in members]

        def step(patterns: Patterns, labels: Tensor) -> Tensor:
            losses = []
            for each, bits in zip(members, sources, strict=True):
                losses += gradients_of([each], [bits], patterns, labels)
                each.optimizer.step()
            return torch.stack(losses)

        return step

    return begin


def gradients_of(group: list[Trainee], sources: list, patterns: Patterns, labels: Tensor) -> list:
    """Gradients of CNNs that share their first convolution: the loss of each."""
    pairs = zip(group, sources, strict=True)
    keeps = [training.draw(source, each, len(labels)) for each, source in pairs]
    return training.gradients(group, patterns[group[0].cnn.architecture.pooling], labels, keeps)


def recording_stepper(members: list[Trainee], batch: int) -> Begin:
    """The same on a GPU: full batches replay a recording that the first of them makes."""
    generators = [torch.Generator(each.device) for each in members]
    optimizer, recordings = training.joint(members), []

    def step_now(patterns: Patterns, labels: Tensor) -> Tensor:
        losses = side_by_side(members, generators, patterns, labels)
        optimizer.step()
        return losses

    def step(patterns: Patterns, labels: Tensor) -> Tensor:
        if len(labels) < batch:
            return step_now(patterns, labels)
        if not recordings:
            with unchanged(members, generators):
                for _ in range(2):  # first calls allocate, which a recording must not
                    step_now(patterns, labels)
                torch.cuda.synchronize()
            recordings.append(recorded(step_now, generators, patterns, labels))
        return recordings[0](patterns, labels)

    def begin(epoch: int) -> Step:
        for each, generator in zip(members, generators, strict=True):
            generator.manual_seed(training.dropout_seed(each, epoch))
        return step

    return begin


def side_by_side(
    members: list[Trainee], generators: list[torch.Generator], patterns: Patterns, labels: Tensor
) -> Float[Tensor, " cnn"]:
    """Gradients of every CNN, each group of kin on a stream of its own: the loss of each."""
    here, losses = torch.cuda.current_stream(), {}
    source = dict(zip(map(id, members), generators, strict=True))
    for group in training.kin(members):
        stream = torch.cuda.Stream()
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            drawn = [source[id(each)] for each in group]
            found = gradients_of(group, drawn, patterns, labels)
            losses |= {id(each): loss for each, loss in zip(group, found, strict=True)}
        here.wait_stream(stream)
    return torch.stack([losses[id(each)] for each in members])


def recorded(
    step_now: Step, generators: list[torch.Generator], patterns: Patterns, labels: Tensor
) -> Step:
    """Record a step for batches of these shapes."""
    patterns, labels = {name: value.clone() for name, value in patterns.items()}, labels.clone()
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        losses = step_now(patterns, labels)

    def step(new: Patterns, wanted: Tensor) -> Tensor:
        for name, value in new.items():
            patterns[name].copy_(value)
        labels.copy_(wanted)
        graph.replay()
        return losses.clone()

    return step


@contextmanager
def unchanged(members: list[Trainee], generators: list[torch.Generator]) -> Iterator[None]:
    """Put weights, optimizer states (zeros where there were none) and generators back after."""
    owned = [(each, value) for each in members for value in each.cnn.parameters()]
    weights = [value.detach().clone() for _, value in owned]
    states = [
        {name: value.clone() for name, value in each.optimizer.state[parameter].items()}
        for each, parameter in owned
    ]
    drawn = [generator.get_state() for generator in generators]
    yield
    with torch.no_grad():
        for (each, parameter), weight, state in zip(owned, weights, states, strict=True):
            parameter.copy_(weight)
            for name, value in each.optimizer.state[parameter].items():
                value.copy_(state.get(name, torch.zeros_like(value)))
    for generator, state in zip(generators, drawn, strict=True):
        generator.set_state(state)
