"""HDF5 files whose every byte is checked: how they are opened, and how they are written.

Every file says in its attributes what it was made from; every block of values has a checksum
(fletcher32), so that damaged values are never read. The same values give the same bytes.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Shaped

from guess_or_recall.errors import UserError
from guess_or_recall.io.files import atomic

WAY_OUT = (
    "`dvc checkout --force` restores it (or `dvc pull`, where the remotes are set up), "
    "`dvc repro attention` makes it again"
)
MAKE_SUBSET = "`gor subset` makes it, where data/attention is"


def key_of(provenance: dict) -> str:
    """SHA-256 of a provenance; the same one whatever the order of its entries."""
    return hashlib.sha256(json.dumps(provenance, sort_keys=True).encode()).hexdigest()


@contextmanager
def opened(path: Path, way_out: str = WAY_OUT) -> Iterator[h5py.File]:
    """Open an HDF5 file to read it; what HDF5 cannot read in the block is a UserError."""
    if not path.exists():
        raise UserError(f"{path} is missing: {way_out}")
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a file of HDF5: {way_out}")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError) as error:
        cause = str(error.args[-1]) if error.args else type(error).__name__
        if said := what_the_system_says(cause):
            raise UnavailableError(f"{path} {said}") from None
        raise UserError(f"{path} is truncated or corrupt ({cause}): {way_out}") from None


class UnavailableError(UserError):
    """A file that cannot be read now, of which nothing says that it is damaged."""


def what_the_system_says(cause: str) -> str | None:
    """Why the system does not let HDF5 read a file; None where HDF5 itself does not understand it.

    Args:
        cause: HDF5's message, which ends in the system's number and words where it has any.
    """
    if "unable to lock file" in cause:
        return (
            f"is locked by another program, or its file system has no locks ({cause}): wait until "
            "that program has ended, or set HDF5_USE_FILE_LOCKING=FALSE where nothing writes the "
            "file. It is not damaged"
        )
    if number := re.search(r"errno = (\d+)", cause):
        return (
            f"cannot be read now ({os.strerror(int(number[1]))}): that is no damage; mend the "
            "file's rights, the disk or the network, and run it again"
        )
    return None


def dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """A dataset of an open file; KeyError where the name is of none."""
    entry = file[name]
    if not isinstance(entry, h5py.Dataset):
        raise KeyError(f"'{name}' is not a dataset")
    return entry


@contextmanager
def created(path: Path, provenance: dict) -> Iterator[h5py.File]:
    """Write an HDF5 file, atomically, with its provenance and the key of it as attributes."""
    try:
        with atomic(path) as temporary, h5py.File(temporary, "w", libver=("v110", "v110")) as file:
            for name, value in sorted({**provenance, "key": key_of(provenance)}.items()):
                file.attrs[name] = fixed(value)
            yield file
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error}): free some disk space, or choose another place"
        ) from None


def fixed(value: object) -> object:
    """A text as bytes of a fixed length, another value as it is.

    Texts of variable length would lie in a heap without a checksum, where one flipped bit can make
    HDF5 loop for ever.
    """
    return np.bytes_(value.encode()) if isinstance(value, str) else value


def check_key(path: Path, file: h5py.File, key: str) -> None:
    """Raise UserError where an open file was made from something else than `key` says."""
    if file.attrs["key"] != key.encode():
        raise UserError(f"{path} was made with other parameters or another model: {WAY_OUT}")


def write_compressed(file: h5py.File, name: str, values: Shaped[np.ndarray, "n *rest"]) -> None:
    """Add a dataset, compressed, one sequence a chunk."""
    options = {"compression": "gzip", "shuffle": True, "fletcher32": True}
    file.create_dataset(name, data=values, chunks=(1, *values.shape[1:]), **options)
