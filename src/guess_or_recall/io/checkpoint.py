"""State of a training run in one safetensors file, so that a killed run resumes bit for bit."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from guess_or_recall.io.files import atomic
from guess_or_recall.io.scratch import unusable


def save_checkpoint(
    path: Path, module: torch.nn.Module, optimizer: torch.optim.Optimizer, extra: dict
) -> None:
    """Write parameters, optimizer state and `extra` tensors (losses, generator states)."""
    tensors = {f"module/{name}": value for name, value in module.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": value for name, value in state.items()}
    tensors |= {f"extra/{name}": value for name, value in extra.items()}
    with atomic(path) as temporary:
        save_file({name: value.contiguous() for name, value in tensors.items()}, temporary)


def load_checkpoint(
    path: Path, module: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, torch.Tensor]:
    """Restore what `save_checkpoint` wrote into `module` and `optimizer`; return `extra`.

    Raises:
        UserError: the file is damaged.
    """
    try:
        return restore(path, module, optimizer)
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise unusable(path, error) from None


def restore(
    path: Path, module: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, torch.Tensor]:
    """Restore a state; some error of the libraries where the file is damaged."""
    parts: dict[str, dict] = {"module": {}, "optimizer": {}, "extra": {}}
    for name, value in load_file(path).items():
        kind, key = name.split("/", 1)
        parts[kind][key] = value
    module.load_state_dict(parts["module"])
    states: dict[int, dict] = {}
    for key, value in parts["optimizer"].items():
        index, name = key.split("/")
        states.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": states})
    return parts["extra"]
