"""The trained CNNs of a study, as files of data/train."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from guess_or_recall.classifier.cnn import Architecture, Cnn
from guess_or_recall.errors import UserError
from guess_or_recall.io import paths
from guess_or_recall.io.files import read_json
from guess_or_recall.io.tensors import read_tensors

SEPARATOR = "/"  # between the name of a CNN and of its parameter, in cnns.safetensors


def save_weights(path: Path, weights: dict[str, dict[str, Tensor]]) -> None:
    """Write the weights of CNNs, CNN -> parameter -> value."""
    flat = {
        f"{cnn}{SEPARATOR}{name}": value.contiguous()
        for cnn, parameters in weights.items()
        for name, value in parameters.items()
    }
    save_file(flat, path)


def load_cnns(folder: Path, device: torch.device) -> tuple[list[Cnn], list[str]]:
    """Read the CNNs of the last epoch, in evaluation mode, and the names of their classes.

    Raises:
        UserError: a file is missing, or the weights are of other CNNs than cnns.json lists.
    """
    described = read_json(folder / paths.CNNS.name, "layers", "classes", "length", "grid")
    weights = read_tensors(folder / paths.WEIGHTS.name)
    shape = described["layers"], len(described["classes"]), described["length"]
    cnns = []
    for name, values in described["grid"].items():
        cnn, start = Cnn(Architecture(**values), *shape).to(device), name + SEPARATOR
        parameters = {
            key.removeprefix(start): torch.from_numpy(value)
            for key, value in weights.items()
            if key.startswith(start)
        }
        try:
            cnn.load_state_dict(parameters)
        except RuntimeError:
            raise UserError(
                f"{folder}: the weights of {name} do not fit cnns.json: dvc repro train"
            ) from None
        cnns.append(cnn.eval().requires_grad_(False))
    return cnns, described["classes"]
