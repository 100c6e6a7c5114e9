"""Checksums of what the stages made, so that damage is seen before anything is read.

`src/run.py` seals `data/STAGE` with a file of SHA-256 sums when the stage has ended; whoever reads
a file of a sealed folder checks it first. Shards of attention check themselves
(`attention.hdf5`): hashing all of them would take longer than reading the part that is needed.
"""

import hashlib
import json
from pathlib import Path

from guess_or_recall.errors import UserError, first_line

NAME = "checksums.json"
CHECK_THEMSELVES = ".h5"


def sha256(path: Path) -> str:
    """Hash of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checksums(folder: Path) -> dict[str, str]:
    """Hashes of the files of a folder, by their paths in it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): sha256(path)
        for path in files
        if path.name not in (NAME, ".gitignore") and path.suffix != CHECK_THEMSELVES
    }


def verify(path: Path) -> None:
    """Raise UserError where a file of a sealed folder, or any file of it, is not as it was made."""
    folder = sealed_folder(path)
    if folder is None:
        return
    sums, inside = read_sums(folder / NAME), path.relative_to(folder)
    for name, expected in sums.items():
        if inside in (Path(name), *Path(name).parents):
            require(folder / name, expected)


def sealed_folder(path: Path) -> Path | None:
    """The folder data/STAGE that a path is or lies in, if that is sealed."""
    for folder in (path, *path.parents):
        if folder.parent.name == "data" and (folder / NAME).is_file():
            return folder
    return None


def read_sums(path: Path) -> dict[str, str]:
    """Read the checksums of a folder; UserError where the file is damaged itself."""
    try:
        sums = json.loads(path.read_bytes())
    except ValueError as error:
        raise damaged(path, first_line(error)) from None
    if not (isinstance(sums, dict) and all(isinstance(value, str) for value in sums.values())):
        raise damaged(path, "it is not a table of file names and checksums")
    return sums


def require(path: Path, expected: str) -> None:
    """Raise UserError where a file does not have its checksum."""
    if not path.is_file():
        raise damaged(path, f"it is missing, and {NAME} lists it")
    if sha256(path) != expected:
        raise damaged(path, f"its bytes are not those that {NAME} beside it lists")


def damaged(path: Path, what: str) -> UserError:
    """The error for a file that cannot be read as what it should be: what it is, and the ways out.

    Args:
        path: the file.
        what: is wrong with it, in a few words.
    """
    folder = next((place for place in (path, *path.parents) if place.parent.name == "data"), None)
    if folder is None:
        return UserError(f"{path} is damaged: {what}; copy it again, or make it anew")
    name = folder.name if folder.name != "gallery" else "attention"
    return UserError(
        f"{path} is damaged: {what}; `dvc checkout --force {name}` brings it back, "
        f"`dvc repro -f -s {name}` makes it anew"
    )
