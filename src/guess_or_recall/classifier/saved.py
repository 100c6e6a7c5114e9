"""The trained CNNs of a study, read back from data/train."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from guess_or_recall.classifier.cnn import Architecture, Cnn
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import existing, read_json

SEPARATOR = "/"  # between the name of a CNN and of its parameter, in cnns.safetensors


def load_cnns(folder: Path, device: torch.device) -> tuple[list[Cnn], list[str]]:
    """Read the CNNs of the last epoch, in evaluation mode, and the names of their classes.

    Raises:
        UserError: a file is missing, or the weights are of other CNNs than cnns.json lists.
    """
    listed = read_json(folder / "cnns.json")
    weights = load_file(existing(folder / "cnns.safetensors"), device=str(device))
    found = []
    for name, values in listed["grid"].items():
        cnn = Cnn(Architecture(**values), listed["layers"], len(listed["classes"])).to(device)
        own = {
            key.removeprefix(name + SEPARATOR): value
            for key, value in weights.items()
            if key.startswith(name + SEPARATOR)
        }
        try:
            cnn.load_state_dict(own)
        except RuntimeError:
            raise UserError(
                f"{folder}: the weights of {name} do not fit cnns.json: dvc repro train"
            ) from None
        found.append(cnn.eval().requires_grad_(False))
    return found, listed["classes"]
