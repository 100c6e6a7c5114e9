"""Arrays in safetensors files: read whole, by checked names."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from guess_or_recall.errors import first_line
from guess_or_recall.io.checksums import damaged
from guess_or_recall.io.files import existing


def read_tensors(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Read all arrays of a safetensors file.

    Args:
        path: the file.
        names: of arrays that must be there.

    Raises:
        UserError: the file is missing or damaged, or lacks an array of `names`.
    """
    try:
        arrays = load_file(existing(path))
    except (SafetensorError, KeyError) as error:  # a type that NumPy does not know is a KeyError
        raise damaged(path, f"no safetensors ({first_line(error)})") from None
    for name in names:
        if name not in arrays:
            raise damaged(path, f"it has no array '{name}'")
    return arrays
