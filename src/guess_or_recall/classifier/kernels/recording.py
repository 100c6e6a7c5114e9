"""A training step recorded as a CUDA graph, which runs its kernels without Python.

A step of one CNN is a hundred GPU kernels of a few microseconds, so that launching them costs most.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int64
from torch import Tensor

Inputs = dict[str, Float[Tensor, "batch *rest"]]  # by their names
Step = Callable[[Inputs, Int64[Tensor, " batch"]], Float[Tensor, " cnn"]]


def recorded(
    step: Step, generators: list[torch.Generator], inputs: Inputs, labels: Int64[Tensor, " batch"]
) -> Step:
    """Record a step for batches of these shapes; what it draws comes from the generators."""
    inputs, labels = {name: value.clone() for name, value in inputs.items()}, labels.clone()
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        losses = step(inputs, labels)

    def replay(next_inputs: Inputs, next_labels: Tensor) -> Tensor:
        for name, value in next_inputs.items():
            inputs[name].copy_(value)
        labels.copy_(next_labels)
        graph.replay()
        return losses.clone()

    return replay


@contextmanager
def unchanged(
    optimizer: torch.optim.Optimizer, generators: list[torch.Generator]
) -> Iterator[None]:
    """Put weights, states of the optimizer (zeros where there were none) and generators back."""
    parameters = [value for group in optimizer.param_groups for value in group["params"]]
    weights = [parameter.detach().clone() for parameter in parameters]
    states = [
        {name: value.clone() for name, value in optimizer.state[parameter].items()}
        for parameter in parameters
    ]
    positions = [generator.get_state() for generator in generators]
    yield
    with torch.no_grad():
        for parameter, weight, state in zip(parameters, weights, states, strict=True):
            parameter.copy_(weight)
            for name, value in optimizer.state[parameter].items():
                value.copy_(state.get(name, torch.zeros_like(value)))
    for generator, position in zip(generators, positions, strict=True):
        generator.set_state(position)
